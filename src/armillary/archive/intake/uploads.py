"""Uploads: the work order `ingest_upload` judges staged bytes and moves the good ones into the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import file_store, store
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Location, Root, Version
from armillary.archive.errors import BadFileName, FileAmbiguous, FileVanished, SameFileTwice, TwoContainers
from armillary.archive.intake.adoption import COPY_CHUNK, check_name
from armillary.archive.intake.candidates import note_moves
from armillary.archive.intake.examination import Examined, examine, examine_as_bytes
from armillary.archive.intake.ingest import record_candidates
from armillary.archive.intake.looks import Candidate, new_version
from armillary.archive.intake.profiles import profiles_of
from armillary.archive.intake.reading import describer_of
from armillary.archive.intake.staging import INGEST_UPLOAD, stage
from armillary.base.database_errors import is_undone
from armillary.base.place import OWN, STAGING
from armillary.base.store import ObjectStore, Snapshot, StoredObject, staging, whole_or_part
from armillary.base.store.staging import Staged
from armillary.base.text import has_controls
from armillary.base.work import Claim, NewOrder, Response, submit
from armillary.context import Context
from armillary.errors import ArmillaryError, Conflict, NotFound, Unavailable
from armillary.fits.containers import Container, logical_name
from armillary.fits.crc import crc64

PROCESSED_CALIBRATION = "processed_cal"
MAX_NAME, MAX_PATH = 255, 1000


class UploadDamaged(ArmillaryError):
    """The staged bytes are not those that were received; send the file again."""

    code, status = "upload_damaged", HTTPStatus.UNPROCESSABLE_ENTITY


def check_target(path: str, name: str) -> None:
    """Refuse names that could lead anywhere but below the store.

    Raises
    ------
    BadFileName
        If a part is empty, hidden, ``..``, too long or holds control characters or separators.
    """
    check_name(Path(f"{path}/{name}"))
    # Clients decode once more, or not at all, what they find in lists; and what is no UTF-8 has lost its name.
    if "\ufffd" in path + name or has_controls(unquote(path + name)):
        raise BadFileName(
            f"{f'{path}/{name}'!r}: the name hides control characters, or is not UTF-8; rename it."
        )
    parts = [*path.split("/"), name] if path else [name]
    if any(not part or part.startswith(".") or "\\" in part for part in parts):
        raise BadFileName(
            f"'{path}/{name}': no part of it may be empty, begin with a dot or hold a backslash."
        )
    if len(name.encode()) > MAX_NAME or len(path.encode()) > MAX_PATH:
        raise BadFileName(f"'{name[:40]}...': the name is too long; {MAX_NAME} bytes are the most.")


async def receive_upload(
    context: Context,
    stream: AsyncIterator[bytes],
    *,
    path: str,
    name: str,
    declared: int | None,
    actor: str,
    batch: str | None = None,
) -> tuple[Staged, int]:
    """Stage the bytes of a file and queue their intake; return what was staged, and the order.

    Bytes that nothing will ever ask for are removed.

    Parameters
    ----------
    path, name
        Where the file belongs below the store.
    declared
        The number of bytes to come, if that is known.

    Raises
    ------
    BadFileName
        If the name could lead anywhere else.
    """
    check_target(path, name)
    staged = await stage(context, stream, declared=declared)
    committing = False
    try:
        async with context.database.begin() as connection:
            order = await accept_upload(connection, staged, path=path, name=name, actor=actor, batch=batch)
            committing = True
    except Exception as error:
        if not committing or is_undone(error):
            await asyncio.to_thread(staging.discard, context.settings.data / STAGING, staged.token)
        raise
    return staged, order


async def accept_upload(
    connection: AsyncConnection, staged: Staged, *, path: str, name: str, actor: str, batch: str | None
) -> int:
    """Queue the move of staged bytes to where the file is, or else into the store, and their intake."""
    processed = path == PROCESSED_CALIBRATION
    place = await _target(connection, "" if processed else path, name)
    order = NewOrder(
        kind=INGEST_UPLOAD,
        args={
            "filename": name,
            "path": place.path,
            "root_id": place.root_id,
            "fileuploadlog_id": None,
            "processed_cal": processed,
            "staged": staged.token,
            "size": staged.size,
            "crc": staged.crc,
        },
        key=place.file_key,
        actor=actor,
        batch=batch,
    )
    (order_id,) = await submit(connection, [order], keyed_fifo=True)
    return order_id


async def _target(connection: AsyncConnection, path: str, name: str) -> Location:
    """Return the place in the tree that has the file already, the store before others."""
    roots = await store.list_roots(connection)
    own = next((root for root in roots if root.name == catalog.STORE), None)
    if own is None:
        raise Unavailable("The store is not set up yet; start a worker first.")
    logical = logical_name(name)
    there = await file_store.present_at(connection, [(root.id, path, logical) for root in roots])
    holders = [root for root in roots if (root.id, path, logical) in there]
    if own in holders or not holders:
        holders = [own]
    if len(holders) > 1:
        raise FileAmbiguous(
            f"{path}/{name} is in several trees: {', '.join(root.name for root in holders)};"
            " remove the file from all but one, then send it again."
        )
    place = Location(holders[0].id, path, name)
    # What is replaced is set aside in the store.
    for root in (*holders, own):
        if refusal := root.refusal(place.key):
            raise refusal
    return place


@dataclass(slots=True)
class _Arrival:
    """Staged bytes on their way to a place in the store; ``known`` is what the catalog has there."""

    claim: Claim
    root: Root
    store: ObjectStore
    place: Location
    known: Version | None
    own_store: ObjectStore
    strict: bool = True
    trouble: str = ""
    examined: Examined | None = None

    @property
    def replaces(self) -> Version | None:
        """The version on record whose very file is replaced."""
        same = self.known is not None and self.known.location == self.place
        return self.known if same else None


async def ingest_upload(context: Context, claims: Sequence[Claim]) -> None:
    """Judge one upload, move it into the store durably, and record it.

    The record is made at once, so that an edit accepted after the upload finds the catalog as it finds the file.
    """
    (claim,) = claims
    candidate = await take_in(context, claim)
    async with claim.completing({claim.order.id: Response(value=True)}) as connection:
        await record_candidates(connection, [candidate], context.settings.archive, now=context.clock.now())
    await discard_staged(context, claim)


async def take_in(context: Context, claim: Claim, *, strict: bool = True) -> Candidate:
    """Judge staged bytes and move them to the place that their order names; return what is to be recorded.

    Until they are known to be whole and sound, nothing in the store is touched: a bad upload never costs a good
    file. The caller records the candidate and then discards what was staged.

    Parameters
    ----------
    strict
        Whether what is called FITS has to be FITS; otherwise damaged files are kept as bytes without headers.
    """
    args = claim.order.args
    path, name, token = str(args["path"]), str(args["filename"]), str(args["staged"])
    check_target(path, name)
    area = context.settings.data / STAGING
    arrival = await _arrival(context, claim, path, name)
    arrival.strict = strict
    if refusal := arrival.root.refusal(arrival.place.key):
        raise refusal
    try:
        candidate = await _move(context, arrival, area, token)
    except Exception as error:
        raise await _blamed(arrival, area, error) from error
    await note_moves(context, [candidate])
    return candidate


async def discard_staged(context: Context, claim: Claim) -> None:
    """Remove staged bytes that are in the store and on record."""
    area = context.settings.data / STAGING
    await asyncio.to_thread(staging.discard, area, str(claim.order.args["staged"]))


async def _move(context: Context, arrival: _Arrival, area: Path, token: str) -> Candidate:
    """Judge the staged bytes and move them into the store; return what the catalog is to know."""
    try:
        snapshot = await asyncio.to_thread(staging.open_staged, area, token, arrival.place.filename)
    except staging.NotStaged as error:
        raise FileVanished(error.message) from error
    with snapshot:
        arrival.examined = await asyncio.to_thread(_judged, context, arrival, snapshot)
        await _refuse_other_containers(arrival)
        await _refuse_second_names(context, arrival)
        if arrival.replaces:
            old = arrival.replaces.id
            await keep_old_bytes(arrival.store, arrival.place.key, old, own_store=arrival.own_store)
        stored = await _move_in(arrival, snapshot)
    return await asyncio.to_thread(_candidate, context, arrival, stored)


async def _blamed(arrival: _Arrival, area: Path, error: Exception) -> Exception:
    """Return an error, or that of the whole disk if the file is not to blame for it."""
    for bytes_of in (arrival.store, arrival.own_store):
        error = await whole_or_part(bytes_of, error)
    return await asyncio.to_thread(staging.whole_or_part, area, error)


async def _arrival(context: Context, claim: Claim, path: str, name: str) -> _Arrival:
    async with context.database.begin() as connection:
        own = await catalog.store_root(connection, context)
        given: Any = claim.order.args.get("root_id")
        root = await catalog.root_by_id(connection, int(given or own.id))
        key = (root.id, path, logical_name(name))
        known = (await file_store.present_at(connection, [key])).get(key)
    place, own_store = Location(root.id, path, name), catalog.store_of(context, own)
    if root.name not in OWN and known is None:
        raise FileVanished(
            f"{place.key} of {root.name} is no longer there to be replaced; send the file again."
        )
    return _Arrival(claim, root, catalog.store_of(context, root), place, known, own_store)


async def _head(bytes_of: ObjectStore, key: str) -> StoredObject | None:
    try:
        return await bytes_of.head(key)
    except NotFound:
        return None


def _judged(context: Context, arrival: _Arrival, snapshot: Snapshot) -> Examined:
    """Read the staged bytes whole; what the web side said of them is a claim to be checked."""
    place, args = arrival.place, arrival.claim.order.args
    limits = context.settings.archive
    try:
        found = examine(
            snapshot,
            place.filename,
            max_header=limits.max_header,
            max_unpacked=limits.max_unpacked,
            digests=True,
        )
    except ArmillaryError as error:
        if arrival.strict:
            raise type(error)(f"{place.key}: {error.message} Nothing in the store was changed.") from None
        arrival.trouble, found = error.message, examine_as_bytes(snapshot)
    if [str(found.file_size), str(found.file_crc)] != [str(args.get("size")), str(args.get("crc"))]:
        raise UploadDamaged(f"{place.key}: the staged bytes are not those that came; send the file again.")
    return found


async def _refuse_other_containers(arrival: _Arrival) -> None:
    """Refuse a file that lies there in another container: an edit would change one of them unseen."""
    place = arrival.place
    names = [arrival.known.location.filename] if arrival.known else []
    suffixes = dict.fromkeys(form(container.suffix) for form in (str, str.upper) for container in Container)
    names += [logical_name(place.filename) + suffix for suffix in suffixes]
    for name in names:
        other = Location(place.root_id, place.path, name)
        if name != place.filename and await _head(arrival.store, other.key) is not None:
            raise TwoContainers(
                f"{place.key} was uploaded, but {other.key} is there: two containers of one file."
                " Upload it under that name, or remove the other first."
            )


async def _refuse_second_names(context: Context, arrival: _Arrival) -> None:
    """Refuse to replace what a link in the store leads to: it is recorded under its own name."""
    there = await _head(arrival.store, arrival.place.key)
    if there is None:
        return
    identity = there.identity
    async with context.database.begin() as connection:
        twins = (await store.present_twins(connection, [identity])).get(identity, [])
    for twin in twins:
        if twin == arrival.place or twin.root_id != arrival.place.root_id:
            continue
        # Inode numbers are used again, so the record alone proves nothing.
        stored = await _head(arrival.store, twin.key)
        if stored is not None and stored.identity == identity:
            raise SameFileTwice(f"{arrival.place.key} is another name of {twin.key}; upload it as that.")


async def keep_old_bytes(bytes_of: ObjectStore, key: str, version_id: int, *, own_store: ObjectStore) -> None:
    """Set the bytes that an upload replaces aside in our own store: nothing is ever lost."""
    aside = f".superseded/{version_id}/{key.rpartition('/')[2]}"
    if await _head(own_store, aside) is not None:
        return
    try:
        snapshot = await asyncio.to_thread(bytes_of.open, key)
    except NotFound:
        return
    with snapshot:
        await own_store.write(aside, _chunks(snapshot), mtime_ns=snapshot.stored.mtime_ns)


async def _move_in(arrival: _Arrival, staged: Snapshot) -> StoredObject:
    """Store the bytes, after a last look at the fence if others would be replaced.

    Without that a worker that was paused could put old bytes over newer ones.
    """
    key, bytes_of, claim = arrival.place.key, arrival.store, arrival.claim
    chunks = _summed(arrival, staged)
    if (there := await _head(bytes_of, key)) is not None:
        return await bytes_of.replace(key, chunks, there, claim.check)
    await claim.check()
    try:
        return await bytes_of.write(key, chunks)
    except Conflict:
        raise Unavailable(f"{key} appeared while it was uploaded; trying again.") from None


async def _summed(arrival: _Arrival, staged: Snapshot) -> AsyncIterator[bytes]:
    """Yield the staged bytes; at the end, before they go live, see that they are those that were judged."""
    crc = 0
    async for chunk in _chunks(staged):
        crc = crc64(chunk, crc)
        yield chunk
    if arrival.examined is None or crc != arrival.examined.file_crc:
        raise UploadDamaged(f"{arrival.place.key}: the staged bytes changed; send the file again.")


async def _chunks(snapshot: Snapshot) -> AsyncIterator[bytes]:
    offset = 0
    while chunk := await asyncio.to_thread(snapshot.read_at, offset, COPY_CHUNK):
        yield chunk
        offset += len(chunk)


def _candidate(context: Context, arrival: _Arrival, stored: StoredObject) -> Candidate:
    """Return what the catalog is to know of bytes that were judged before they were moved in."""
    examined, old, settings = arrival.examined, arrival.replaces, context.settings.archive
    if examined is None:
        raise AssertionError("only judged bytes are moved in")
    same = old is not None and (old.file_size, old.file_crc) == (examined.file_size, examined.file_crc)
    describer = describer_of(profiles_of(settings.profiles), settings.site)
    candidate = Candidate(
        claim=arrival.claim,
        root=arrival.root,
        store=arrival.store,
        location=arrival.place,
        known=arrival.known,
        now=context.clock.now(),
        stored=stored,
        examined=examined,
        skipped="same bytes" if same else "",
        args={"origin": "upload"},
    )
    candidate.trouble = arrival.trouble
    candidate.new = new_version(candidate, describer)
    return candidate
