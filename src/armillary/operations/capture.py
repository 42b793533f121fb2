"""The bytes of a file as a snapshot of the database knows them, although edits go on.

A file that was edited since gives its former bytes back: a plain one has the data still, and the catalog the
headers; a compressed one has undo recipes, or is edited once more in the same way in memory. What an upload
replaced lies aside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Root, Version
from armillary.archive.catalog.service import content_of
from armillary.base.store import ObjectStore, Snapshot
from armillary.base.work import JsonObject
from armillary.base.work.intents import unfinished_intents
from armillary.context import Context
from armillary.edits.service import WHOLE
from armillary.errors import ArmillaryError, NotFound
from armillary.fits.bzip2 import splice, unsplice
from armillary.fits.containers import Container, expand, open_logical
from armillary.fits.crc import crc64
from armillary.fits.errors import PlanMismatch
from armillary.fits.gzip import recompress_gzip
from armillary.fits.models import Layout
from armillary.fits.plan import plan_headers
from armillary.fits.scan import scan
from armillary.operations.snapshot import File
from armillary.operations.vault import CHUNK, Kept, Vault

PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
Way = Sequence[bytes]
"""Undo recipes, to be applied in turn."""


async def capture(
    context: Context,
    vault: Vault,
    root: Root,
    file: File,
    *,
    own_store: ObjectStore,
    pauses_s: Sequence[float] = PAUSES_S,
) -> bool:
    """Keep the bytes of a file as the snapshot knows them; return whether that was possible."""
    wanted = Kept(file.crc, file.size)
    bytes_of = catalog.store_of(context, root)
    for pause_s in (*pauses_s, None):
        if await asyncio.to_thread(vault.holds, wanted):
            return True
        found = await asyncio.to_thread(_as_stored, vault, bytes_of, file, wanted)
        if found or await _as_before(context, vault, bytes_of, file, wanted):
            return True
        aside = f".superseded/{file.version_id}/{file.key.rpartition('/')[2]}"
        if await asyncio.to_thread(_copied, vault, own_store, aside, wanted):
            return True
        if pause_s is not None:
            # An edit puts the bytes first and the record a moment later.
            await asyncio.sleep(pause_s)
    return False


def _as_stored(vault: Vault, bytes_of: ObjectStore, file: File, wanted: Kept) -> bool:
    """Keep what lies there, if it looks as recorded and is so."""
    try:
        with bytes_of.open(file.key) as snapshot:
            stored = snapshot.stored
            if (stored.size, stored.mtime_ns) != (file.size, file.mtime_ns):
                return False
            return vault.put(pieces(snapshot), wanted) is not None
    except NotFound:
        return False


def _copied(vault: Vault, bytes_of: ObjectStore, key: str, wanted: Kept) -> bool:
    try:
        with bytes_of.open(key) as snapshot:
            same = snapshot.stored.size == wanted.size
            return same and vault.put(pieces(snapshot), wanted) is not None
    except NotFound:
        return False


def pieces(snapshot: Snapshot) -> Iterator[bytes]:
    """Yield the stored bytes of a file."""
    offset = 0
    while chunk := snapshot.read_at(offset, CHUNK):
        yield chunk
        offset += len(chunk)


async def _as_before(context: Context, vault: Vault, bytes_of: ObjectStore, file: File, wanted: Kept) -> bool:
    """Keep the former bytes of a file that was edited since."""
    async with context.database.begin() as connection:
        version = (await catalog.versions_by_id(connection, [file.version_id])).get(file.version_id)
        later = await catalog.versions_of(connection, version.file_id) if version else []
        meant = await unfinished_intents(connection, version.location.file_key) if version else []
    if version is None:
        return False
    ways = [way for names in _ways(version, later, meant) if (way := await _recipes(bytes_of, names))]
    try:
        most = context.settings.archive.max_unpacked
        return await asyncio.to_thread(_undone, vault, bytes_of, version, ways, wanted, most)
    except ArmillaryError:
        # The file is gone, or is of another kind by now.
        return False


def _ways(version: Version, later: Sequence[Version], meant: Sequence[JsonObject]) -> Iterator[list[str]]:
    """Yield the names of recipes that may lead from the present bytes to those of a version.

    The bytes may be those on record, or those of a run that has not come to its record yet.
    """
    if version.container == Container.PLAIN:
        return
    by_id = {one.id: one for one in later}
    at = next((one for one in later if one.present and one.location == version.location), None)
    recorded: list[str] = []
    while at is not None and at.id != version.id:
        recorded += (at.undo or "").split(",") if at.undo else []
        at = by_id.get(at.previous_id or 0)
    yield recorded
    for intent in meant:
        for undo in (intent.get("undo"), intent.get("undo_before")):
            if undo:
                yield [*str(undo).split(","), *recorded]


async def _recipes(bytes_of: ObjectStore, names: Sequence[str]) -> list[bytes]:
    try:
        return [await bytes_of.get_blob(name) for name in names]
    except NotFound:
        return []


def _undone(
    vault: Vault, bytes_of: ObjectStore, version: Version, ways: Sequence[Way], wanted: Kept, most: int
) -> bool:
    with bytes_of.open(version.location.key) as snapshot:
        if version.container == Container.PLAIN:
            disk = scan(snapshot.read_at, snapshot.stored.size)
            if not _same_shape(disk, version):
                return False
            content = content_of(disk, version.headers(), snapshot.read_at)
            return vault.put(content.chunks(), wanted) is not None
        stored = snapshot.read_at(0, snapshot.stored.size)
        return any(
            crc64(data) == wanted.crc and vault.put([data], wanted) is not None
            for data in _former(stored, version, ways, snapshot, most)
        )


def _former(
    stored: bytes, version: Version, ways: Sequence[Way], snapshot: Snapshot, most: int
) -> Iterator[bytes]:
    """Yield what the compressed bytes may have been: by the recipes, or by the same edit of these bytes."""
    for way in ways:
        yield from _steps(stored, way)
    container = Container(version.container)
    size = sum(len(chunk) for chunk in expand(snapshot.read_at, container, limit=most))
    layout = scan(open_logical(snapshot.read_at, container, limit=most), size)
    if not _same_shape(layout, version):
        return
    plan = plan_headers(layout, dict(enumerate(version.headers())))
    if version.container == Container.BZ2:
        yield bytes(splice(stored, plan).data)
    else:
        chunks = expand(snapshot.read_at, container, limit=most)
        yield b"".join(recompress_gzip(chunks, plan, stored[:4096]))


def _steps(stored: bytes, way: Way) -> Iterator[bytes]:
    data = stored
    # Recipes are for certain bytes alone; these may be others.
    with suppress(PlanMismatch):
        for recipe in way:
            kind, content = recipe[:1], recipe[1:]
            data = content if kind == WHOLE else bytes(unsplice(data, content))
            yield data


def _same_shape(layout: Layout, version: Version) -> bool:
    """Tell whether a file has the data of a version, as far as sizes tell; other files have others."""
    return [hdu.data_size for hdu in layout.hdus] == [hdu.data_size for hdu in version.hdus]
