"""Which recorded files are gone from storage: moved to another place of the catalog, or deleted.

A version that is gone is present no more, or its file would be in two places and every request ambiguous.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from armillary.archive.catalog import file_store, store
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.file_store import Whereabouts
from armillary.archive.catalog.models import Location, Presence, Root, to_signed
from armillary.archive.models import Identity
from armillary.base.log import get_logger
from armillary.context import Context
from armillary.errors import ArmillaryError, NotFound
from armillary.fits.containers import logical_name

log = get_logger(__name__)
PORTION = 1000
Known = dict[str, tuple[Location, tuple[int, int]]]
"""Place, and size and time stamp, of each file that the catalog believes somewhere, by path."""


class Arrival(NamedTuple):
    """A file that is stored at a place: its logical name, which file it is on the disk, size and checksum.

    ``is_new`` says whether the catalog knows of no file there; without a checksum the bytes were not read.
    """

    name: str
    identity: str
    location: Location
    size: int = 0
    crc: int | None = None
    is_new: bool = False


async def left_behind(
    context: Context, roots: Mapping[int, Root], arrivals: Sequence[Arrival]
) -> list[list[int]]:
    """Return, for each arrival, the present versions at places that its file has left; ``roots`` are all of them.

    The same file on the disk under another path has been moved there, whatever its name was; a file of the
    same name may have been moved to another disk.
    """
    identities = {one.identity for one in arrivals}
    # A file that is known by its path has nothing to do with others of its name.
    names = {one.name for one in arrivals if roots[one.location.root_id].identity is Identity.UNIQUE}
    async with context.database.look() as connection:
        recorded = await store.present_of(connection, names, identities)
    of_name: dict[str, list[Presence]] = {}
    of_file: dict[str, list[Presence]] = {}
    for one in recorded:
        of_name.setdefault(one.name, []).append(one)
        of_file.setdefault(one.identity, []).append(one)
    return [
        [
            one.version_id
            for one in {*of_file.get(new.identity, ()), *of_name.get(new.name, ())}
            if one.location.file_key != new.location.file_key
            and await _is_gone(context, roots[one.location.root_id], one)
            and (one.identity == new.identity or await _is_there(roots[one.location.root_id]))
        ]
        for new in arrivals
    ]


async def moved_from(
    context: Context, roots: Mapping[int, Root], arrivals: Sequence[Arrival]
) -> dict[Location, Whereabouts]:
    """Return where files were before that are known by their paths, and that moved to new places with their bytes.

    A file has left its place if nothing is there any more, or if the very file on the disk is elsewhere now. Its
    name has to be the same: what is renamed is another file.
    """
    fresh = [
        one
        for one in arrivals
        if one.is_new and one.crc is not None and roots[one.location.root_id].identity is Identity.BY_PATH
    ]
    if not fresh:
        return {}
    async with context.database.look() as connection:
        known = await file_store.same_content(connection, [to_signed(one.crc or 0) for one in fresh])
    former: dict[tuple[str, int, int], list[Whereabouts]] = {}
    for size, crc, place in known:
        former.setdefault((place.key.name, size, crc), []).append(place)
    moved: dict[Location, Whereabouts] = {}
    taken: set[int] = set()
    for new in fresh:
        candidates = former.get((new.name, new.size, to_signed(new.crc or 0)), [])
        for one in sorted(candidates, key=lambda one: (one.identity != new.identity, one.version_id)):
            if one.file_id not in taken and await _has_left(context, roots[one.location.root_id], one, new):
                moved[new.location] = one
                taken.add(one.file_id)
                break
    return moved


async def _has_left(context: Context, root: Root, one: Whereabouts, new: Arrival) -> bool:
    if not one.present:
        return True
    try:
        stored = await catalog.store_of(context, root).head(one.location.key)
    except NotFound:
        return one.identity == new.identity or await _is_there(root)
    except ArmillaryError:
        return False
    return one.identity == new.identity != stored.identity


async def mark_gone(context: Context, recorded: Iterable[Presence]) -> list[Presence]:
    """Record which of these versions have no stored file any more, and return them.

    A root that is away or empty tells nothing: its disk may not be mounted.
    """
    believed = list(recorded)
    if not believed:
        return []
    async with context.database.begin() as connection:
        roots = {root.id: root for root in await store.list_roots(connection)}
    gone = [
        one
        for one in believed
        if await _is_gone(context, roots[one.location.root_id], one)
        and await _is_there(roots[one.location.root_id])
    ]
    if gone:
        async with context.database.begin() as connection:
            await store.mark_absent(connection, [one.version_id for one in gone])
        log.info("files gone", count=len(gone), first=gone[0].location.key)
    return gone


async def known_below(context: Context, directory: Path) -> Known:
    """Return place, size and time stamp of each file that the catalog believes below a directory, by path."""
    known: Known = {}
    async with context.database.begin() as connection:
        for root in await store.list_roots(connection):
            if (top := root.path) is None:
                continue
            inside = top.is_relative_to(directory)
            if inside or directory.is_relative_to(top):
                for place, state in await store.present_states(connection, root.id):
                    path = top / place.key
                    if inside or path.is_relative_to(directory):
                        known[str(path)] = place, state
    return known


def state_of(path: Path) -> tuple[int, int] | None:
    """Return size and time stamp of a file, or None if it is not there."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns


async def mark_missing(context: Context, places: Sequence[Location]) -> list[Presence]:
    """Mark those of the places absent, that a search did not come across, whose files are gone."""
    marked: list[Presence] = []
    for start in range(0, len(places), PORTION):
        portion = places[start : start + PORTION]
        keys = [(place.root_id, place.path, logical_name(place.filename)) for place in portion]
        async with context.database.begin() as connection:
            found = await file_store.present_at(connection, keys)
        marked += await mark_gone(context, [one.presence() for one in found.values()])
    return marked


async def _is_gone(context: Context, root: Root, one: Presence) -> bool:
    """Tell whether a stored file is surely not there; one that cannot be reached may be."""
    try:
        await catalog.store_of(context, root).head(one.location.key)
    except NotFound:
        return True
    except ArmillaryError:
        return False
    return False


async def _is_there(root: Root) -> bool:
    # Of a store elsewhere there is no empty mount point.
    return root.path is None or await asyncio.to_thread(_holds_anything, root.path)


def _holds_anything(directory: Path) -> bool:
    try:
        with os.scandir(directory) as entries:
            return next(entries, None) is not None
    except OSError:
        return False
