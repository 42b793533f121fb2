"""Record new versions, many at once, with their frames: the one way into the catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import file_store, store
from armillary.archive.catalog.file_store import Whereabouts
from armillary.archive.catalog.models import Location, Version
from armillary.archive.catalog.names import SHARED, FileKey, key_of
from armillary.archive.catalog.rows import FRAME, VERSION, Entry, NewVersion, positions_of
from armillary.archive.catalog.tables import frame, version

_FRAME_COLUMNS = ("file_id", "version_id", "hpx", "visibility", *FRAME)
_NOWHERE: Mapping[Location, Whereabouts] = MappingProxyType({})


async def record_versions(
    connection: AsyncConnection,
    new: Sequence[NewVersion | Entry],
    *,
    now: datetime,
    moved: Mapping[Location, Whereabouts] = _NOWHERE,
) -> list[int]:
    """Record versions in the caller's transaction and return their ids.

    Each becomes present at its place and canonical for its file; what was so before is so no more. ``moved`` says
    where files were before that are known by their paths, and that have moved with their bytes.
    """
    if not new:
        return []
    # Before anything else is locked, as whoever changes the rules of a root does it.
    rules = await store.rules_of(connection, (one.location.root_id for one in new))
    keys = [key_of(one.name, one.location, rules[one.location.root_id][1]) for one in new]
    left = await _move(connection, {new[at].location: key for at, key in enumerate(keys)}, moved)
    file_ids, fresh = await file_store.ensure_files(connection, keys)
    known = [(one, key) for one, key in zip(new, keys, strict=True) if key not in fresh]
    if known:
        places = [(file_ids[key], one.location.root_id, one.location.path) for one, key in known] + left
        ids_known = sorted({place[0] for place in places})
        await store.retire_present(connection, places, ids_known)
        await store.delete_frames(connection, ids_known)
    # Drawn beforehand, since COPY tells no ids, and frames need those of their versions.
    ids = await store.next_version_ids(connection, len(new))
    # One batch may hold a file several times; what came last is the file.
    last = {key: position for position, key in enumerate(keys)}
    versions = [
        (ids[at], file_ids[keys[at]], last[keys[at]] == at, now, *one.rows.version)
        for at, one in enumerate(new)
    ]
    positions = _positions(new)
    frames = [
        (file_ids[key], ids[at], positions[at], rules[new[at].location.root_id][0], *new[at].rows.frame)
        for key, at in last.items()
    ]
    series = [one.rows.series for one in new]
    await store.ensure_series(connection, {one.id: one for one in series if one})
    await store.copy_rows(
        connection, version, ("id", "file_id", "canonical", "entrytime", *VERSION), versions
    )
    await store.copy_rows(connection, frame, _FRAME_COLUMNS, frames)
    # Only what is known by name alone can be in several places.
    if len(last) < len(new) or any(key.root_id == SHARED for _, key in known):
        await file_store.note_contested(connection, sorted(set(file_ids.values())))
    return ids


async def renew_frames(connection: AsyncConnection, renewed: Sequence[tuple[Version, NewVersion]]) -> None:
    """Give versions new frames, whose headers are read otherwise now; their bytes are the same."""
    rules = await store.rules_of(connection, (one.location.root_id for one, _ in renewed))
    await store.delete_frames(connection, [one.file_id for one, _ in renewed])
    positions = positions_of([new.sky for _, new in renewed])
    rows = [
        (one.file_id, one.id, position, rules[one.location.root_id][0], *new.rows.frame)
        for (one, new), position in zip(renewed, positions, strict=True)
    ]
    series = [new.rows.series for _, new in renewed]
    await store.ensure_series(connection, {one.id: one for one in series if one})
    await store.copy_rows(connection, frame, _FRAME_COLUMNS, rows)


async def _move(
    connection: AsyncConnection, keys: Mapping[Location, FileKey], moved: Mapping[Location, Whereabouts]
) -> list[tuple[int, int, str]]:
    """Let files be where they are now, unless there is another already; return the places that they have left."""
    moves = [
        (one, keys[place]) for place, one in moved.items() if place in keys and keys[place].root_id != SHARED
    ]
    there = await file_store.move_files(connection, [(one.file_id, one.key, key) for one, key in moves])
    return [
        (one.file_id, one.location.root_id, one.location.path) for one, _ in moves if one.file_id in there
    ]


def _positions(new: Sequence[NewVersion | Entry]) -> list[int | None]:
    """Return where versions are on the sky: of entries that is known."""
    told = positions_of([one.sky if isinstance(one, NewVersion) else None for one in new])
    return [one.position if isinstance(one, Entry) else found for one, found in zip(new, told, strict=True)]
