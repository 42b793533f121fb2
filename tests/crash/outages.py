"""Power failures: every process ends in one instant, while edits are under way, and everything starts again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from armillary.base.store.locks import PathLocks
from armillary.base.work import NewOrder, submit
from armillary.context import Context
from armillary.edits.kinds import UPDATE_HEADERS
from tests.crash.clients import Clients
from tests.crash.judgement import rows
from tests.crash.siege import Siege
from tests.support.patience import in_time

PATIENCE_S = 300.0
LAND_S = 2.0
"""So much later than waiting orders after a clean start may the first edit land that was under way."""
UNDER_WAY = """
SELECT id, extract(epoch FROM lease_until)::float8 AS lease_until FROM work_order
WHERE state = 'Started' AND kind = $1 ORDER BY id
"""
LANDED = """
SELECT id, extract(epoch FROM finished)::float8 AS finished FROM work_order
WHERE id = ANY($1::bigint[]) AND finished IS NOT NULL
"""


@dataclass
class Outages:
    """So many power failures during edits, and how long those took to land after each."""

    most: int
    clean_s: tuple[float, float] = (0.0, 0.0)
    """Seconds to the end of an order that waited, from a start after a stop in good order and from its ready
    line.

    The second is less than nothing if the worker is the first to be ready. Where the machine is busy with
    something else for a moment, one of them is out of proportion: either the web process was held up, which the
    line waits for, or the worker.
    """
    landings: list[str] = field(default_factory=list)
    beyond_s: list[float] = field(default_factory=list)
    """How much longer it took after each outage until the first edit landed that was under way, by either."""
    late: list[str] = field(default_factory=list)

    async def __call__(self, siege: Siege, clients: Clients) -> None:
        """Start cleanly, and then let the power fail again and again."""
        self.clean_s = await self._start_cleanly(siege)
        # An outage just after the last edit had ended says nothing of landing; another one has to.
        while len(self.beyond_s) < self.most:
            await asyncio.sleep(siege.chance.uniform(0.3, 2.0))
            with _held(siege):
                leases = await self._fail(siege)
            await siege.tree.begin_anew()
            await self._await_landing(siege, leases)

    async def _start_cleanly(self, siege: Siege) -> tuple[float, float]:
        await _until_under_way(siege.context)
        await asyncio.to_thread(siege.tree.stop)
        async with siege.context.database.begin() as connection:
            orders = await submit(connection, [NewOrder(kind="echo", args={})], keyed_fifo=False)
        # The siege itself holds the database open. It has no more workers, and starts again like everything else.
        await asyncio.to_thread(siege.tree.fail)
        await asyncio.to_thread(siege.tree.start)
        (ended,) = (await _ends(siege, orders)).values()
        return ended - siege.tree.began, ended - siege.tree.ready

    async def _fail(self, siege: Siege) -> dict[int, float]:
        """End everything; return the edits that were under way and when their leases end."""
        await _until_under_way(siege.context)
        await asyncio.to_thread(siege.tree.pause)
        leases = {row["id"]: row["lease_until"] for row in await _under_way(siege.context)}
        siege.killed["member of a whole tree"] += await asyncio.to_thread(siege.tree.fail)
        siege.killed["outages"] += 1
        return leases

    async def _await_landing(self, siege: Siege, leases: dict[int, float]) -> None:
        if not leases:
            return
        ended = await _ends(siege, leases)
        for order, at in ended.items():
            if at > leases[order]:
                self.late.append(f"edit {order} landed {at - leases[order]:.1f} s after the end of its lease")
        first, last = min(ended.values()), max(ended.values())
        tree = siege.tree
        took = first - tree.began, first - tree.ready
        self.beyond_s.append(min(now - clean for now, clean in zip(took, self.clean_s, strict=True)))
        self.landings.append(
            f"{len(ended)} edits under way landed {first - tree.began:.1f} to {last - tree.began:.1f} s after the"
            f" start, {first - tree.ready:.1f} to {last - tree.ready:.1f} s after the ready line;"
            f" an order that waited for a clean start ended {self.clean_s[0]:.1f} s after that start,"
            f" {self.clean_s[1]:.1f} s after its ready line"
        )


@contextmanager
def _held(siege: Siege) -> Iterator[None]:
    """Keep edits of one root from coming to their end: whoever begins one waits in it."""
    private = siege.night.private
    (place,) = (siege.tree.data / "private").glob(f"{private.name}-*")
    locks = PathLocks(place / "locks")
    try:
        end = time.monotonic() + PATIENCE_S
        while locks.try_all(path.name for path in private.iterdir() if path.is_file()):
            in_time(end, "some file is always being edited")
            time.sleep(0.002)
        yield
    finally:
        locks.close()


async def _until_under_way(context: Context) -> None:
    end = time.monotonic() + PATIENCE_S
    while not await _under_way(context):
        in_time(end, "no edit begins")
        await asyncio.sleep(0.02)


async def _ends(siege: Siege, orders: Collection[int]) -> dict[int, float]:
    """Wait until orders have ended; return when, in seconds since 1970."""
    ended = dict[int, float]()
    end = time.monotonic() + PATIENCE_S
    while len(ended) < len(orders):
        in_time(end, f"orders {set(orders) - ended.keys()} do not end")
        ended = {row["id"]: row["finished"] for row in await rows(siege.context, LANDED, list(orders))}
        await asyncio.sleep(0.02)
    return ended


async def _under_way(context: Context) -> list[Any]:
    return await rows(context, UNDER_WAY, UPDATE_HEADERS)
