"""Fill a catalog with synthetic frames, by the same way that files take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.service import NewVersion
from armillary.context import Context
from armillary.demo.frames import dawn_after, make_frames
from armillary.errors import Conflict

ROOT = "synthetic"
PORTION = 2000
"""Frames of a transaction, at least; whole nights."""


class ArchiveInUse(Conflict):
    """The catalog holds files already; use another --data, or say --beside-files."""

    code = "archive_in_use"


async def fill(
    context: Context,
    count: int,
    *,
    seed: int = 1,
    beside_files: bool = False,
    progress: Callable[[int], object] = lambda made: None,
) -> None:
    """Record synthetic frames, then let the planner of the database know them.

    Parameters
    ----------
    beside_files
        Whether the catalog may hold other files.
    progress
        Is told how many more frames are in.

    Raises
    ------
    ArchiveInUse
        If there are other files, or synthetic ones already.
    """
    root_id = await _root(context, beside_files=beside_files)
    portions = _portions(count, root_id=root_id, seed=seed)
    made = await asyncio.to_thread(next, portions, None)
    while made:
        # The next ones are made while the database takes these in.
        async with asyncio.TaskGroup() as both:
            both.create_task(_record(context, *made))
            following = both.create_task(asyncio.to_thread(next, portions, None))
        progress(len(made[1]))
        made = following.result()
    await context.database.refresh("file", "version", "frame")


async def _root(context: Context, *, beside_files: bool) -> int:
    async with context.database.begin() as connection:
        if any(root.name == ROOT for root in await catalog.list_roots(connection)):
            raise ArchiveInUse("The catalog holds synthetic frames already; use another --data.")
        if not beside_files and not await catalog.is_empty(connection):
            raise ArchiveInUse
        path = context.settings.data.resolve() / ROOT
        level = catalog.visibility_of(context.settings.archive)
        return (await catalog.ensure_root(connection, ROOT, path, in_place=False, visibility=level)).id


Portion = tuple[int, list[NewVersion]]


def _portions(count: int, *, root_id: int, seed: int) -> Iterator[Portion]:
    """Yield the frames of some nights, with the number of the last one."""
    gathered: list[NewVersion] = []
    night = 0
    for night, frames in make_frames(count, root_id=root_id, seed=seed):
        gathered += frames
        if len(gathered) >= PORTION:
            yield night, gathered
            gathered = []
    if gathered:
        yield night, gathered


async def _record(context: Context, night: int, frames: list[NewVersion]) -> None:
    async with context.database.begin() as connection:
        await catalog.record_versions(connection, frames, now=dawn_after(night))
