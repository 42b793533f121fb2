"""Fill a catalog with synthetic frames, by the same way that files take."""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.service import NewVersion
from armillary.context import Context
from armillary.demo.frames import NIGHTS, dawn_after, make_frames, up_to
from armillary.errors import Conflict

ROOT = "synthetic"
PORTION = 2000
"""Frames of a transaction, at least; whole nights."""
MAKERS, AHEAD = 2, 3
"""Processes that make frames, and portions that are under way or wait to be taken in."""


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
    nights = deque(_portions(count))
    # Processes, since making frames is a matter of the processor alone; the next portions are made while the
    # database takes one in.
    with ProcessPoolExecutor(MAKERS, get_context("forkserver")) as makers:
        making = deque(
            makers.submit(_make, count, *nights.popleft(), root_id, seed)
            for _ in range(min(AHEAD, len(nights)))
        )
        while making:
            night, frames = await asyncio.wrap_future(making.popleft())
            if nights:
                making.append(makers.submit(_make, count, *nights.popleft(), root_id, seed))
            await _record(context, night, frames)
            progress(len(frames))
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


def _portions(count: int) -> Iterator[tuple[int, int]]:
    """Yield the first night of each portion, and the one behind its last; some may have no frames."""
    first = 0
    while first < NIGHTS:
        last = next(
            (night for night in range(first, NIGHTS) if up_to(night, count) - up_to(first, count) >= PORTION),
            NIGHTS,
        )
        yield first, last
        first = last


def _make(count: int, first: int, last: int, root_id: int, seed: int) -> tuple[int, list[NewVersion]]:
    """Return the frames of some nights, their rows made, and the number of the last night; for a process."""
    gc.disable()
    made = [
        one
        for _, frames in make_frames(count, root_id=root_id, seed=seed, nights=range(first, last))
        for one in frames
    ]
    for one in made:
        _ = one.rows
    gc.enable()
    return last - 1, made


async def _record(context: Context, night: int, frames: list[NewVersion]) -> None:
    async with context.database.begin() as connection:
        await catalog.record_versions(connection, frames, now=dawn_after(night))
