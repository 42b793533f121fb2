"""Files that arrive: slots that they are sent to, and what each of them does to its image.

An arrival never fails for what is in the file. A damaged one keeps its bytes, and its image a warning.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import service as catalog
from armillary.archive.errors import BadFileName
from armillary.archive.images import crc32, store
from armillary.archive.images.headers import Read, columns_of, read_cards, read_text
from armillary.archive.images.models import ARRIVAL, IMAGEDATA, RETENTION, Directory
from armillary.archive.images.names import ImageName, info_base, parse_name, site_of
from armillary.archive.images.thumbnails import thumbnail_of
from armillary.archive.intake.ingest import record_candidates
from armillary.archive.intake.looks import Candidate
from armillary.archive.intake.staging import stage
from armillary.archive.intake.uploads import check_target, discard_staged, take_in
from armillary.base.database_errors import is_undone
from armillary.base.feed.writer import append
from armillary.base.log import get_logger
from armillary.base.place import STAGING
from armillary.base.store import staging
from armillary.base.store.staging import Staged
from armillary.base.work import Claim, NewOrder, Response, submit
from armillary.context import Context
from armillary.errors import Unavailable
from armillary.fits.header import Header

log = get_logger(__name__)
MAX_NAME = 255
MAX_TEXT = 1 << 20
"""Bytes of a text that are looked at as a header."""


def check_object(name: str) -> None:
    """Refuse names of files that no slot is given for.

    Raises
    ------
    BadFileName
        If the name is empty, too long, or could lead anywhere else.
    """
    if not name or len(name.encode("utf-8", "replace")) > MAX_NAME or name.startswith("/"):
        raise BadFileName(f"'{name[:40]}': a name has 1 to {MAX_NAME} bytes, and no slash in front.")
    path, _, filename = name.rpartition("/")
    check_target(path, filename)


async def receive(
    context: Context,
    chunks: AsyncIterator[bytes],
    *,
    directory: Directory,
    name: str,
    size: int | None,
    actor: str,
) -> Staged:
    """Stage the bytes of a file and queue its arrival, both durable at the end.

    Raises
    ------
    BadFileName, UploadTooLarge, UploadIncomplete
        If the file cannot be taken.
    """
    check_object(name)
    staged = await stage(context, chunks, declared=size)
    return await accept(context, staged, directory=directory, name=name, actor=actor)


async def accept(context: Context, staged: Staged, *, directory: Directory, name: str, actor: str) -> Staged:
    """Queue the arrival of staged bytes; bytes that nothing will ever ask for are removed."""
    below, _, filename = name.rpartition("/")
    path = f"{directory}/{below}" if below else str(directory)
    committing = False
    try:
        async with context.database.begin() as connection:
            roots = {root.name: root for root in await catalog.list_roots(connection)}
            if (root := roots.get(catalog.IMAGES)) is None:
                raise Unavailable("The store of images is not set up yet; start a worker first.")
            args: dict[str, Any] = {
                "filename": filename,
                "path": path,
                "root_id": root.id,
                "staged": staged.token,
                "size": staged.size,
                "crc": staged.crc,
            }
            key = f"{root.id}/{path}/{filename}"
            order = NewOrder(kind=ARRIVAL, args=args, key=key, actor=actor)
            await submit(connection, [order], keyed_fifo=True)
            committing = True
    except Exception as error:
        if not committing or is_undone(error):
            await asyncio.to_thread(staging.discard, context.settings.data / STAGING, staged.token)
        raise
    return staged


@dataclass(frozen=True, slots=True)
class _Content:
    """What is in a file, read before the transaction that records it."""

    crc32: int
    read: Read | None = None
    source: str = ""
    thumbnail: Candidate | None = None
    warnings: tuple[str, ...] = ()


async def arrive(context: Context, claims: Sequence[Claim]) -> None:
    """Move a file that was sent to its place, record it, and let its image know; then tell who follows."""
    (claim,) = claims
    candidate = await take_in(context, claim, strict=False)
    content = await _content(context, candidate)
    now = context.clock.now()
    arrived = [candidate, *([content.thumbnail] if content.thumbnail else [])]
    responses = {claim.order.id: Response(value={"outcome": candidate.skipped or "kept"})}
    async with claim.completing(responses) as c:
        await record_candidates(c, arrived, context.settings.archive, now=now)
        await crc32.note(c, candidate.location, content.crc32)
        await _note(c, candidate, now)
        if not candidate.skipped:
            await _apply(c, candidate, content, now)
    await discard_staged(context, claim)


async def _content(context: Context, candidate: Candidate) -> _Content:
    name = parse_name(candidate.location.filename)
    found = await asyncio.to_thread(_read, candidate, name)
    if name is None or name.thumbnail is None or candidate.skipped or _directory(candidate) is Directory.INFO:
        return found
    thumbnail, why_not = await thumbnail_of(context, candidate, name.thumbnail)
    warnings = (*found.warnings, *([why_not] if why_not else []))
    return _Content(found.crc32, found.read, found.source, thumbnail, warnings)


def _read(candidate: Candidate, name: ImageName | None) -> _Content:
    """Read a stored file once: its checksum as zip files have it, and the header that it brings."""
    with candidate.store.open(candidate.location.key) as snapshot:
        summed = crc32.of_snapshot(snapshot)
        if name is None or candidate.skipped:
            return _Content(summed)
        if name.is_header:
            return _Content(summed, read_text(snapshot.read_at(0, MAX_TEXT)), "text")
    if name.extension != "fits" or candidate.examined is None:
        return _Content(summed)
    headers = candidate.examined.content.headers
    if not headers:
        trouble = candidate.trouble or "no header"
        return _Content(summed, warnings=(f"{candidate.location.filename} cannot be read: {trouble}",))
    return _Content(summed, read_cards(_image_header(headers, packed=name.packing == "fz").cards), "fits")


def _image_header(headers: Sequence[bytes], *, packed: bool) -> Header:
    """Return the header of the image: of the first HDU, or of the packed one behind it.

    Keywords of a packed image that describe its packing (Z... of FITS 4.0, section 10.1) stay as they are: none
    of them is one that an image is found by.
    """
    return Header(headers[1] if packed and len(headers) > 1 else headers[0])


def _directory(candidate: Candidate) -> Directory:
    return Directory(candidate.location.path.partition("/")[0])


async def _note(connection: AsyncConnection, candidate: Candidate, now: datetime) -> None:
    key = candidate.location.key
    below = key.removeprefix(f"{_directory(candidate)}/")
    await store.add_arrival(
        connection,
        site=site_of(below),
        filename=key,
        size=candidate.stored.size if candidate.stored else 0,
        now=now,
        expires=now + RETENTION.notes,
    )


async def _apply(connection: AsyncConnection, candidate: Candidate, content: _Content, now: datetime) -> None:
    """Let a file have its effect on the image that it belongs to, and announce that if it can be seen."""
    directory, filename = _directory(candidate), candidate.location.filename
    if directory is Directory.INFO:
        await _apply_info(connection, candidate, content, now)
        return
    name = parse_name(filename)
    if name is None or "/" in candidate.location.path:
        log.info("file kept that belongs to no image", file=candidate.location.key)
        return
    expires = RETENTION.expires(name.site, name.kind, now)
    if content.read is not None:
        await store.put_header(
            connection,
            name,
            content.read,
            columns_of(content.read.values),
            directory=directory,
            source=content.source,
            now=now,
            expires=expires,
        )
    await store.put_object(
        connection,
        name,
        candidate.location.key,
        directory=directory,
        now=now,
        expires=expires,
        warnings=content.warnings if candidate.trouble else (),
    )
    if (made := content.thumbnail) and (small := parse_name(made.location.filename)):
        await store.put_object(
            connection, small, made.location.key, directory=directory, now=now, expires=expires
        )
    if found := await store.shown(connection, directory, name.base):
        await announce(connection, directory, name.base, name.site, release=found.release_date)


async def _apply_info(
    connection: AsyncConnection, candidate: Candidate, content: _Content, now: datetime
) -> None:
    """Put a file into the slot that is reserved for its image; one without a slot is kept and told."""
    filename = candidate.location.filename
    site, base = site_of(filename), info_base(filename)
    channels = await store.slots_of(connection, site, base)
    if not channels:
        log.warning("no slot is reserved for an information image", file=candidate.location.key)
        return
    name = parse_name(filename)
    extension, level = (name.extension, name.level) if name else (filename.rpartition(".")[2], "00")
    await store.put_info_object(
        connection,
        site=site,
        channel=channels[0],
        base=base,
        objects={f"{extension}_{level}": candidate.location.key},
        header=content.read.values if content.read and content.source == "text" else None,
        data_type=name.kind if name else None,
        file_date=name.base.split("-")[2] if name else None,
        expires=now + RETENTION.notes,
    )
    await announce(connection, Directory.INFO, base, site, channel=channels[0])


async def announce(
    connection: AsyncConnection,
    directory: Directory,
    base: str,
    site: str,
    *,
    channel: int | None = None,
    release: date | None = None,
) -> None:
    """Tell followers of an image that queries find; they hear of it once this transaction is committed.

    One that is not released is told to those alone whose queries find it, so the entry says when it is.
    """
    data: dict[str, Any] = {"s3_directory": str(directory), "base_filename": base, "site": site}
    if channel is not None:
        data["channel"] = channel
    told = {"topic": IMAGEDATA.name, "site": site, "data": data}
    held_back = {"release": release.isoformat()} if release else {}
    await append(connection, IMAGEDATA, [(site, told | held_back)])
