"""Read stored files again and compare every byte with what the catalog knows of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import file_store, store
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Presence, Root, Version
from armillary.archive.catalog.names import Called
from armillary.archive.errors import FileNotFound
from armillary.archive.intake import presence
from armillary.archive.intake.examination import examine
from armillary.base.store import ObjectStore
from armillary.base.work import admin
from armillary.context import Context
from armillary.errors import ArmillaryError, NotFound
from armillary.settings import ArchiveSettings

PORTION = 200
PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
GONE = "the file is gone; restore it from a copy and ingest that, or ingest the directory it moved to"
RESTLESS = "it was edited whenever it was read; verify it again"


@dataclass(frozen=True, slots=True)
class Finding:
    """One verified file; ``problem`` is empty if all its bytes are as recorded."""

    name: str
    path: str
    size: int
    problem: str


async def verify_files(context: Context, names: Sequence[str]) -> AsyncIterator[Finding]:
    """Verify the present versions of the named files, or of all.

    Raises
    ------
    FileNotFound
        If a name is not in the archive.
    """
    last = 0
    async with context.database.begin() as connection:
        roots = {root.id: root for root in await store.list_roots(connection)}
    while True:
        async with context.database.begin() as connection:
            if names:
                portion = await _named(connection, names)
            else:
                portion = await store.present_after(connection, last, PORTION)
        for one in portion:
            finding, gone = await verify_version(context, one, roots[one.location.root_id])
            if gone:
                await presence.mark_gone(context, [gone])
            yield finding
            last = one.id
        if names or not portion:
            return


async def _named(connection: AsyncConnection, names: Sequence[str]) -> list[Version]:
    """Return the present versions of files; a name means all that bear it."""
    called = {name: Called.of_text(name) for name in names}
    bare = [one.name for one in called.values() if one.path is None]
    found = {one.id: one for one in await file_store.present_by_name(connection, bare)}
    for name, one in called.items():
        if one.path is not None:
            version = await catalog.find_present(connection, name)
            found[version.id] = version
        elif one.name not in {version.name for version in found.values()}:
            raise FileNotFound(f"No present file named '{one.name}' is in the archive.")
    return list(found.values())


async def verify_version(context: Context, version: Version, root: Root) -> tuple[Finding, Presence | None]:
    """Return what was found of one version, and where it was believed to be if its file is gone.

    Nothing is written.
    """
    bytes_of = catalog.store_of(context, root)
    limits = context.settings.archive
    problem = ""
    for pause_s in (*PAUSES_S, None):
        problem = await asyncio.to_thread(_problem, version, bytes_of, limits)
        if not problem or problem == GONE:
            break
        # An edit puts the bytes first and the record a moment later. Whether one is under way is asked before
        # what is on record, lest it ends in between.
        edited = await _is_being_edited(context, version)
        now = await _on_record(context, version)
        if now is None:
            problem = ""
            break
        if now.id != version.id:
            version, problem = now, RESTLESS
        elif not edited or pause_s is None:
            break
        else:
            await asyncio.sleep(pause_s)
    found = Finding(version.name, root.shown(version.location.key), version.file_size, problem)
    return found, version.presence() if problem == GONE else None


async def _on_record(context: Context, version: Version) -> Version | None:
    """Return the version that lies at the place of this one by now."""
    place = (version.location.root_id, version.location.path, version.name)
    async with context.database.begin() as connection:
        return (await file_store.present_at(connection, [place])).get(place)


async def _is_being_edited(context: Context, version: Version) -> bool:
    async with context.database.begin() as connection:
        return await admin.is_in_work(connection, version.location.file_key)


def _problem(version: Version, bytes_of: ObjectStore, limits: ArchiveSettings) -> str:
    try:
        with bytes_of.open(version.location.key) as snapshot:
            found = examine(
                snapshot,
                version.location.filename,
                max_header=limits.max_header,
                max_unpacked=limits.max_unpacked,
            )
    except NotFound:
        return GONE
    except ArmillaryError as error:
        return error.message
    if (found.file_size, found.file_crc) == (version.file_size, version.file_crc):
        return ""
    if found.content.headers != version.headers():
        return "its headers were changed outside Armillary; ingest it again to record that"
    if found.content.crc == version.data_crc:
        return "the content is intact but was compressed anew outside Armillary; ingest it again"
    if not version.is_fits:
        return "its bytes were changed outside Armillary; restore the file from a copy, or ingest it again"
    pairs = zip(found.content.hdus, version.hdus, strict=True)
    bad = [str(index) for index, (now, then) in enumerate(pairs) if now.data_crc != then.data_crc]
    return f"the data of HDU {', '.join(bad) or '(trailing bytes)'} changed; restore the file from a copy"
