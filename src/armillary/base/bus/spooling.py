"""A bus that outlives its database: what cannot be stored waits on disk, and is stored in order later.

While samples wait, later ones wait behind them. Stored twice is stored once, so it does not matter if it cannot be
known whether the database took samples before it was lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from armillary.base.bus.engine import PORTION, PostgresBus
from armillary.base.bus.errors import BusUnavailable
from armillary.base.bus.models import Health, Published, Sample
from armillary.base.bus.spool import Spool, orphans
from armillary.base.bus.store import Row
from armillary.base.database_errors import is_full, is_transient, reason_of
from armillary.base.log import get_logger

log = get_logger(__name__)
PAUSE_FIRST_S, PAUSE_LAST_S = 0.1, 5.0
T = TypeVar("T")


class _Guarded:
    """A file of samples for tasks of one event loop, one thread at a time."""

    def __init__(self, spool: Spool) -> None:
        self.spool, self._lock = spool, asyncio.Lock()

    async def run(self, action: Callable[[Spool], T]) -> T:
        """Return what an action on the file returns, which it finishes even if its caller is cancelled."""
        return await asyncio.shield(self._run(action))

    async def _run(self, action: Callable[[Spool], T]) -> T:
        async with self._lock:
            return await asyncio.to_thread(action, self.spool)


class SpooledBus:
    """What publishes to a bus, or to disk while its database is away; ask the bus itself for answers."""

    def __init__(self, bus: PostgresBus, spool: Spool) -> None:
        self.bus, self._spool, self._guarded = bus, spool, _Guarded(spool)
        self._filled = asyncio.Event()

    async def publish(self, samples: Sequence[Sample]) -> Published:
        """Store samples, or keep them on disk until they can be.

        Raises
        ------
        TooManySamples
            If there are more than ``MOST_SAMPLES``; nothing is stored.
        BusUnavailable
            If the database is away and there is no room on disk; nothing is kept.
        """
        rows, places, rejects = await self.bus.judged(samples)
        if self._spool.is_empty:
            try:
                found = await self.bus.store_rows(rows)
            except Exception as error:
                if not (is_transient(error) or is_full(error)):
                    raise
                log.warning("samples wait on disk", error=reason_of(error))
            else:
                duplicates = [places[at] for at, offset in enumerate(found) if offset is None]
                return Published([one for one in found if one is not None], duplicates, rejects)
        if rows:
            await self._guarded.run(lambda spool: spool.append(rows))
            self._filled.set()
        return Published([], [], rejects, spooled=len(rows))

    async def health(self) -> Health:
        """Tell how the bus is; without its database, what waits for it."""
        waiting = 0 if self._spool.is_empty else self._spool.size
        try:
            found = await self.bus.health()
        except Exception as error:
            if not is_transient(error):
                raise
            found = Health(None, None)
        return Health(found.newest_offset, found.newest_received, waiting)

    async def drain(self) -> None:
        """Store what waits, for ever."""
        while True:
            self._filled.clear()
            await _emptied(self.bus, self._guarded)
            await self._filled.wait()

    async def close(self) -> None:
        """Let go of the file."""
        await self._guarded.run(Spool.close)


async def take_over(bus: PostgresBus, directory: Path) -> int:
    """Store what processes left that have ended; return how many samples."""
    total = 0
    for spool in orphans(directory):
        try:
            total += await _emptied(bus, _Guarded(spool))
        finally:
            spool.close()
    return total


@asynccontextmanager
async def spooled(bus: PostgresBus, directory: Path, *, limit: int) -> AsyncIterator[SpooledBus]:
    """Open a bus that outlives its database; what is left on disk at the end, others will find."""
    opened = SpooledBus(bus, Spool(directory, limit))
    tasks = [asyncio.create_task(one) for one in (_inherit(bus, directory), opened.drain())]
    try:
        yield opened
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await opened.close()


async def _inherit(bus: PostgresBus, directory: Path) -> None:
    with suppress(OSError, BusUnavailable):
        if total := await take_over(bus, directory):
            log.info("samples of ended processes stored", samples=total)


async def _emptied(bus: PostgresBus, guarded: _Guarded) -> int:
    """Store everything that waits, however long that takes; return how many samples."""
    pause_s, total = PAUSE_FIRST_S, 0
    while True:
        rows, end = await guarded.run(lambda spool: spool.peek(PORTION))
        if not end:
            return total
        try:
            await _stored(bus, rows)
        except Exception as error:
            if not (is_transient(error) or is_full(error)):
                raise
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_LAST_S)
            continue
        await guarded.run(partial(Spool.drop, end=end))
        total, pause_s = total + len(rows), PAUSE_FIRST_S


async def _stored(bus: PostgresBus, rows: list[Row]) -> None:
    """Store rows; one that the database refuses for itself is left out, and told in the log."""
    try:
        await bus.store_rows(rows)
    except Exception as error:
        if is_transient(error) or is_full(error):
            raise
        if len(rows) == 1:
            log.error("spooled sample refused", source=rows[0][0], topic=rows[0][1], error=reason_of(error))
            return
        for row in rows:
            await _stored(bus, [row])
