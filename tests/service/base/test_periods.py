"""What is due again and again is submitted on time, once, however many workers look."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from armillary.base.database import Database
from armillary.base.work import Claim
from armillary.base.work.periods import Period, next_due_s, submit_due
from tests.support.orders import a_worker, row
from tests.support.postgres import AContext

LONG_S = 3600.0


async def looked(database: Database, *periods: Period) -> list[int]:
    """Look once, as each worker does."""
    async with database.begin() as connection:
        return await submit_due(connection, periods)


async def make_due(database: Database, kind: str) -> None:
    """Let a kind be due now."""
    async with database.begin() as connection:
        query = "UPDATE work_period SET due = now() - interval '3 hours' WHERE kind = $1"
        await connection.exec_driver_sql(query, (kind,))


async def test_of_many_workers_that_look_at_once_one_submits_each_time(context: AContext) -> None:
    period = Period("tidy", LONG_S)
    for _ in range(5):
        found = await asyncio.gather(*(looked(context.database, period) for _ in range(8)))
        assert sum(map(len, found)) == 1
        # Three periods passed while nobody looked; that is one order.
        await make_due(context.database, "tidy")


async def test_kinds_are_due_each_by_itself_and_it_is_told_when(context: AContext) -> None:
    hourly, daily = Period("hourly", LONG_S), Period("daily", 24 * LONG_S)
    assert len(await looked(context.database, hourly, daily)) == 2
    assert await looked(context.database, hourly, daily) == []
    async with context.database.begin() as connection:
        assert LONG_S - 600 < await next_due_s(connection, [hourly, daily]) <= LONG_S
        assert await next_due_s(connection, [daily]) > 23 * LONG_S
    await make_due(context.database, "daily")
    async with context.database.begin() as connection:
        assert await next_due_s(connection, [hourly, daily]) == 0.0
    (order,) = await looked(context.database, hourly, daily)
    assert (await row(context.database, order)).kind == "daily"


async def test_an_order_that_waits_is_the_next_one_too_and_one_that_runs_is_followed_by_it(
    context: AContext,
) -> None:
    period, seen = Period("work", LONG_S), list[int]()
    (first,) = await looked(context.database, period)
    await make_due(context.database, "work")
    assert await looked(context.database, period) == [first]

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        seen.append(claims[0].order.id)
        if len(seen) == 1:
            await make_due(context.database, "work")
            assert await looked(context.database, period) != [first]

    await a_worker(context, handler).drain()
    assert len(seen) == 2
