"""Bring one file to one destination (header-updates specification, section 8)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Version
from armillary.archive.errors import BeingChanged
from armillary.archive.products import service as products
from armillary.base.log import get_logger
from armillary.base.store import ObjectStore
from armillary.base.work.busy import busy_keys
from armillary.context import Context
from armillary.edits.history.service import History, history_of_file
from armillary.exports.client import Peer, reach
from armillary.exports.errors import ExportFailed, HeaderUpdateFailed, TooEarly
from armillary.exports.models import HEADER_EXPORT, Cargo, Found, Held, How, Sent, path_there
from armillary.exports.packing import pack
from armillary.exports.updates import header_updates
from armillary.fits.containers import Container, container_named
from armillary.settings import DestinationSettings

log = get_logger(__name__)
DIGEST_S = 0.5
TEMPORARY = "exports"


@dataclass(frozen=True, slots=True)
class Source:
    """The file to be exported: its present canonical version, its past, where its bytes are."""

    version: Version
    data_md5: str
    past: History
    bytes_of: ObjectStore
    night: date | None


async def send(context: Context, destination: DestinationSettings, cargo: Cargo) -> Sent | None:
    """See to it that a destination has the canonical version of a file; None if it lies elsewhere by now.

    Raises
    ------
    TooEarly
        If something has to end first, here or there.
    ArmillaryError
        If it did not work; whatever it is, another try may.
    """
    source = await source_of(context, cargo)
    if source is None:
        return None
    try:
        path = path_there(destination, cargo, source.night)
    except ValueError as error:
        raise ExportFailed(f"{cargo.place} to {destination.name}: {error}.") from None
    async with reach(destination, context.settings.exports) as peer:
        found = await _look(context, peer, path, cargo.name)
        if _is_there(found.held, source) or _is_newer(destination, found.held, source):
            return _sent(source, How.ALREADY)
        updated = await _update(peer, source, found)
        if updated is not None:
            return updated
        if found.held is not None and HEADER_EXPORT in found.features and peer.takes_header_updates:
            # What became of an update that failed, or whose end was not seen, the destination knows best.
            found = await _look(context, peer, path, cargo.name)
            if _is_there(found.held, source):
                return _sent(source, How.ALREADY)
        return await _upload(context, peer, source, found, path, cargo)


async def source_of(context: Context, cargo: Cargo) -> Source | None:
    """Return what is to be sent, or None if no canonical version is present at that path any more.

    Raises
    ------
    TooEarly
        If its digests are still being computed.
    ExportFailed
        If they could not be.
    """
    async with context.database.begin() as connection:
        version = await _summed(connection, cargo)
        if version is None or version.data_md5 is None:
            return None
        past = await history_of_file(connection, version.file_id)
        root = await catalog.root_by_id(connection, version.location.root_id)
        frame = await catalog.frame_of_file(connection, version.file_id)
    night = frame.get("night") if frame else None
    return Source(version, version.data_md5, past, catalog.store_of(context, root), night)


async def _summed(connection: AsyncConnection, cargo: Cargo) -> Version | None:
    """Return the canonical version if it is present at the path, once its digests are known."""
    for _ in range(2):
        version = await catalog.foremost_at(connection, cargo.path, cargo.name)
        if version is None:
            return None
        if version.data_md5 is not None:
            return version
        if await busy_keys(connection, [f"{products.DIGEST}:{version.id}"]):
            raise TooEarly(f"The digests of {cargo.place} are being computed.", wait_s=DIGEST_S)
        # They may have come between the two statements.
    raise ExportFailed(f"{cargo.place} has no digests; `armillary verify` tells why.")


async def _look(context: Context, peer: Peer, path: str, name: str) -> Found:
    found = await peer.look(path, name)
    if found.held is not None and found.held.pending:
        pause_s = context.settings.exports.pending_s
        raise TooEarly(
            f"The destination is working on {name}; asking again in {pause_s:g} s.", wait_s=pause_s
        )
    return found


def _is_there(held: Held | None, source: Source) -> bool:
    return held is not None and held.data_md5 == source.data_md5


def _is_newer(destination: DestinationSettings, held: Held | None, source: Source) -> bool:
    """Tell whether a server that exports to us, too, has a later change that is on its way to us.

    Both servers compare the same two instants, so one of them gives way.
    """
    if not destination.mutual or held is None or held.lastmod is None:
        return False
    if any(version.data_md5 == held.data_md5 for version in source.past.versions):
        return False
    theirs, ours = (held.lastmod, held.data_md5 or ""), (source.version.lastmod, source.data_md5)
    return theirs > ours


async def _update(peer: Peer, source: Source, found: Found) -> Sent | None:
    """Send the changed cards alone, if that is possible; None if it is not, or did not work."""
    held = found.held
    if held is None or not held.data_md5 or HEADER_EXPORT not in found.features:
        return None
    if not peer.takes_header_updates:
        return None
    updates = await asyncio.to_thread(header_updates, source.past, source.version, held.data_md5)
    if not updates:
        return None
    try:
        sent_bytes = await peer.update_headers(source.version.name, updates)
    except HeaderUpdateFailed as error:
        log.warning("header update failed", file=source.version.name, error=error.message)
        return None
    return Sent(source.version.id, source.data_md5, How.HEADER, sent_bytes, updates)


async def _upload(
    context: Context, peer: Peer, source: Source, found: Found, path: str, cargo: Cargo
) -> Sent:
    directory = temporary(context)
    form = _form_there(found)
    try:
        parcel = await asyncio.to_thread(pack, source.version, source.bytes_of, directory, form)
    except BeingChanged as error:
        raise TooEarly(error.message, wait_s=DIGEST_S) from None
    with parcel.file:
        await peer.upload(path, parcel, cargo.batch)
    return _sent(source, How.BYTES, parcel.size)


def temporary(context: Context) -> Path:
    """Return where the bytes of uploads are made ready; they have no names there, so none are left behind."""
    return context.stores.private / TEMPORARY


def _form_there(found: Found) -> Container:
    """Return the container of an upload: bzip2, but servers like this one refuse a second container of a file."""
    if found.held is None or HEADER_EXPORT not in found.features:
        return Container.BZ2
    return container_named(found.held.filename)


def _sent(source: Source, how: How, sent_bytes: int = 0) -> Sent:
    return Sent(source.version.id, source.data_md5, how, sent_bytes)
