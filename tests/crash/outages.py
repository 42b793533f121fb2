"""Power failures: every process ends in one instant, while edits are under way, and everything starts again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from armillary.base.store.locks import PathLocks
from armillary.context import Context
from armillary.edits.orders import UPDATE_HEADERS
from tests.crash.clients import Clients
from tests.crash.judgement import rows
from tests.crash.siege import Siege
from tests.support.patience import in_time

PATIENCE_S = 300.0
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
    """So many power failures, and how long the edits that were under way took to land after each."""

    most: int
    landings: list[str] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    """Seconds from each restart, when the program says that it serves, to the first edit that landed."""
    late: list[str] = field(default_factory=list)

    async def __call__(self, siege: Siege, clients: Clients) -> None:
        """Let the power fail again and again."""
        while siege.killed["outages"] < self.most:
            await asyncio.sleep(siege.chance.uniform(0.3, 2.0))
            with _held(siege):
                leases = await self._fail(siege)
            await siege.tree.begin_anew()
            await self._await_landing(siege, leases)

    async def _fail(self, siege: Siege) -> dict[int, float]:
        """End everything; return the edits that were under way and when their leases end."""
        await _until_under_way(siege.context)
        await asyncio.to_thread(siege.tree.pause)
        leases = {row["id"]: row["lease_until"] for row in await _under_way(siege.context)}
        siege.killed["member of a whole tree"] += await asyncio.to_thread(siege.tree.fail)
        siege.killed["outages"] += 1
        return leases

    async def _await_landing(self, siege: Siege, leases: dict[int, float]) -> None:
        ended = dict[int, float]()
        end = time.monotonic() + PATIENCE_S
        while len(ended) < len(leases):
            in_time(end, f"edits {leases.keys() - ended.keys()} do not land")
            found = await rows(siege.context, LANDED, list(leases))
            ended = {row["id"]: row["finished"] for row in found}
            await asyncio.sleep(0.02)
        for order, at in ended.items():
            if at > leases[order]:
                self.late.append(f"edit {order} landed {at - leases[order]:.1f} s after the end of its lease")
        first, last = min(ended.values(), default=0.0), max(ended.values(), default=0.0)
        tree = siege.tree
        self.waits_s.append(first - tree.ready)
        self.landings.append(
            f"{len(ended)} edits under way landed {first - tree.began:.1f} to {last - tree.began:.1f} s after the"
            f" start, {first - tree.ready:.1f} to {last - tree.ready:.1f} s after the ready line"
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


async def _under_way(context: Context) -> list[Any]:
    return await rows(context, UNDER_WAY, UPDATE_HEADERS)
