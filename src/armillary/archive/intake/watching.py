"""Watch folders: what comes to rest in a watched root is taken in by itself."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from armillary.archive.catalog import store
from armillary.archive.catalog.media import FITS_NAME
from armillary.archive.catalog.models import Location, Root
from armillary.archive.errors import NotWatchable
from armillary.archive.intake import orders, presence
from armillary.archive.intake.adoption import Finder, location_of, walk
from armillary.archive.intake.bulk import Unsettled
from armillary.archive.intake.paths import retired_of
from armillary.base.database_errors import is_transient
from armillary.base.log import get_logger
from armillary.context import Context

log = get_logger(__name__)
PORTION = 1000
NS = 1_000_000_000
_TOLD = -math.inf
"""Since when a file has been as it is of which the system told, and nothing more is known."""
Known = Mapping[str, tuple[int, int]]
"""Size and time stamp of files by path."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds between two looks: at what may have come to rest, at a whole tree, at what is to be watched."""

    look_s: float = 1.0
    reconcile_s: float = 60.0
    roots_s: float = 5.0


_USUAL = Pauses()
Watch = Callable[[Context, Root, asyncio.Event, Pauses], Coroutine[Any, Any, None]]
"""How one root is watched until told to stop."""


async def watch_root(
    context: Context,
    root: Root,
    stop: asyncio.Event,
    pauses: Pauses,
    *,
    unsettled: Unsettled | None = None,
) -> None:
    """Take in what comes to rest in a root, until told to stop.

    ``unsettled`` tells of which files of an ingestion root there is something to do though they did not change.
    """
    waiting = Waiting(context.settings.archive.quiet_s)
    heard = asyncio.create_task(_listen(root, waiting))
    scanned = -pauses.reconcile_s
    try:
        while not stop.is_set():
            if time.monotonic() - scanned >= pauses.reconcile_s:
                await _reconcile(context, root, waiting)
                if unsettled and root.profile:
                    await _take_again(context, await unsettled(context, root))
                scanned = time.monotonic()
                if heard.done():
                    _tell_end(heard)
                    heard = asyncio.create_task(_listen(root, waiting))
            await _take_in(context, root, await asyncio.to_thread(waiting.rested))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pauses.look_s)
    finally:
        heard.cancel()
        await asyncio.gather(heard, return_exceptions=True)


async def watch_roots(
    context: Context, stop: asyncio.Event, *, pauses: Pauses = _USUAL, watch: Watch = watch_root
) -> None:
    """Watch every watched root until told to stop, and each only as long as it is to be watched.

    Events are a hint that costs nothing; a scan of the whole tree every minute is the truth, since events
    are lost on network mounts.
    """
    watchers: dict[int, asyncio.Task[None]] = {}
    try:
        while not stop.is_set():
            async with context.database.begin() as connection:
                roots = {root.id: root for root in await store.list_roots(connection) if root.watched}
            for root_id in list(watchers):
                if watchers[root_id].done():
                    _tell_end(watchers.pop(root_id))
                elif root_id not in roots:
                    await _cancel(watchers.pop(root_id))
            for root_id in roots.keys() - watchers.keys():
                watchers[root_id] = asyncio.create_task(watch(context, roots[root_id], stop, pauses))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pauses.roots_s)
    finally:
        await _cancel(*watchers.values())


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _tell_end(watcher: asyncio.Task[None]) -> None:
    """Log why a watcher ended; it is started anew at the next look."""
    error = None if watcher.cancelled() else watcher.exception()
    if error is not None:
        log.warning("watcher ended", error=str(error), exc_info=None if is_transient(error) else error)


@dataclass(slots=True)
class Waiting:
    """Files that were noticed, until their size and time stamp have not changed for a quiet period.

    ``seen`` are those waited for, with the instant of their last change, size and time stamp; ``taken`` those
    that came to rest, as they were then, until the catalog knows them.
    """

    quiet_s: float
    seen: dict[Path, tuple[float, int, int]] = field(default_factory=dict)
    taken: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def expect(self, paths: Iterable[Path], *, told: bool = False) -> None:
        """Wait for files, except those that were taken as they are and did not get into the catalog.

        Of what the system ``told`` the time stamp counts, since this machine set it: a file that nobody has
        written to for the quiet period, as one that was renamed into place, has come to rest already.
        """
        for path in paths:
            if path in self.seen or self.taken.get(path, (-1, -1)) == presence.state_of(path):
                continue
            self.seen[path] = (_TOLD if told else 0.0, -1, -1)

    def settle(self, known: Known) -> None:
        """Remember no longer what the catalog knows as it is by now, nor what is gone."""
        for path, taken in list(self.taken.items()):
            if known.get(str(path)) == taken or presence.state_of(path) is None:
                del self.taken[path]

    def leave(self, retired: Mapping[Path, tuple[int, int]]) -> None:
        """Leave files alone that were taken out, as long as they are as they were then."""
        for path, state in retired.items():
            if path not in self.seen:
                self.taken[path] = state

    def rested(self) -> list[Path]:
        """Return the files that have come to rest, and wait for them no longer."""
        now, rested = time.monotonic(), []
        for path, (since, size, mtime_ns) in list(self.seen.items()):
            state = presence.state_of(path)
            if state is None:
                del self.seen[path]
                self.taken.pop(path, None)
            elif state != (size, mtime_ns) and not (since == _TOLD and self._has_rested(state[1])):
                self.seen[path] = (now, *state)
            elif now - since >= self.quiet_s:
                rested.append(path)
                self.taken[path] = state
                del self.seen[path]
        return rested

    def _has_rested(self, mtime_ns: int) -> bool:
        return time.time() - mtime_ns / NS >= self.quiet_s


def _directory(root: Root) -> Path:
    """Return the directory that is watched.

    Raises
    ------
    NotWatchable
        If the root is none.
    """
    if root.path is None:
        raise NotWatchable(f"{root.name} is at {root.url}; only directories of this machine can be watched.")
    return root.path


async def _listen(root: Root, waiting: Waiting) -> None:
    # Without our stop event: a cancelled listener sets the one that it was given.
    # Only here: it loads slowly, and who takes files in once watches nothing.
    from watchfiles import awatch

    async for changes in awatch(_directory(root), recursive=True):
        paths = [Path(name) for _, name in changes]
        found = (one for one in paths if FITS_NAME.fullmatch(one.name) and not one.name.startswith("."))
        waiting.expect(found, told=True)


async def _reconcile(context: Context, root: Root, waiting: Waiting) -> None:
    """Compare a root with the catalog: expect what that does not know, mark what is gone."""
    known = await presence.known_below(context, _directory(root))
    states = {path: state for path, (_, state) in known.items()}
    own = context.settings.data.resolve()
    strangers, found = await asyncio.to_thread(_compare, root, own, states)
    waiting.settle(states)
    async with context.database.begin() as connection:
        retired = await retired_of(connection, root.id)
    waiting.leave({_directory(root) / path: state for path, state in retired.items()})
    waiting.expect(strangers)
    await presence.mark_missing(context, [place for path, (place, _) in known.items() if path not in found])


def _compare(root: Root, own: Path, known: Known) -> tuple[list[Path], set[str]]:
    """Return the files that the catalog does not know, or knows otherwise, and those it rightly knows of."""
    strangers: list[Path] = []
    found: set[str] = set()
    for path in walk(_directory(root), apart=own):
        name, state = str(path), presence.state_of(path)
        if state is None:
            continue
        if name in known:
            found.add(name)
        if known.get(name) != state:
            strangers.append(path)
    return strangers, found


async def _take_again(context: Context, places: Sequence[Location]) -> None:
    for start in range(0, len(places), PORTION):
        async with context.database.begin() as connection:
            await orders.submit_ingests(connection, places[start : start + PORTION], actor="watch")


async def _take_in(context: Context, root: Root, paths: Sequence[Path]) -> None:
    if not paths:
        return
    async with context.database.begin() as connection:
        roots = {one.path: one for one in await store.list_roots(connection) if one.path}
    finder = Finder(list(roots), own=context.settings.data.resolve())
    for path in paths:
        finder.place(path, _directory(root))
    for path, error in finder.found.failed:
        log.warning("file not taken in", file=str(path), error=error.message)
    places = [location_of(roots[base], below) for base, below in finder.found.places]
    await _take_again(context, places)
