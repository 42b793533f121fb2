"""Orders for which there is no room wait in their places, visibly, and cost no attempts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from armillary.base.store.errors import StorageFull
from armillary.base.work import Claim, State, holding
from armillary.base.work.admin import cancel, held_because
from tests.support.orders import a_worker, an_order, ends, queue, row
from tests.support.postgres import AContext, work_settings

PATIENCE_S = 300.0
DUPLICATE = """
INSERT INTO work_order (id, kind, args) OVERRIDING SYSTEM VALUE SELECT id, kind, args FROM work_order LIMIT 1
"""


class Room:
    """Work that a disk has no room for, as long as it is full."""

    def __init__(self, *, full: set[str]) -> None:
        self.full = full
        self.done: list[int] = []

    async def __call__(self, context: AContext, claims: Sequence[Claim]) -> None:
        """Do the work of every order, in memory, or fail those whose disk is full."""
        for claim in claims:
            if str(claim.order.key).partition(":")[0] in self.full:
                await claim.fail(StorageFull("x.fits: no space; free space."))
            else:
                self.done += [int(str(order.args["n"])) for order in claim.orders]


def calm(context: AContext, **changes: float) -> AContext:
    return replace(context, settings=work_settings(**{"room_s": 0.02} | changes))


async def until(context: AContext, query: str, *values: Any) -> None:
    """Wait until a query says so."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with context.database.begin() as connection:
                if (await connection.exec_driver_sql(query, values)).scalar():
                    return
            await asyncio.sleep(0.02)


async def test_they_wait_in_their_places_and_nobody_waits_for_them(context: AContext) -> None:
    work, stop = Room(full={"1"}), asyncio.Event()
    first, later, other = await queue(
        context.database,
        an_order(0, key="1:x", max_attempts=2),
        an_order(1, key="1:x"),
        an_order(2, key="2:y"),
    )
    running = asyncio.create_task(a_worker(calm(context), work, slots=1, fold=5).run(stop))
    await until(context, "SELECT fence > 5 FROM work_order WHERE id = $1", first)
    assert work.done == [2]
    found = await row(context.database, first)
    assert found.attempts == (found.state == "Started")
    assert (found.held, found.error) == (
        "1",
        "x.fits: no space; free space. The order waits for that and is tried again.",
    )
    async with context.database.begin() as connection:
        assert await held_because(connection, [later, first]) == found.error
        assert await held_because(connection, [other]) is None
    work.full.clear()
    await until(context, "SELECT count(*) = 3 FROM work_order WHERE state = 'Completed'")
    stop.set()
    await running
    assert work.done == [2, 0, 1]
    for order in (first, later, other):
        found = await row(context.database, order)
        assert (found.attempts, found.held, found.error) == (1, None, None)


async def test_one_of_many_tries_and_draws_the_others_after_it(
    context: AContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All but one would wait for hours.
    monkeypatch.setattr(holding, "SELDOM", 1e6)
    work, stop = Room(full={"1"}), asyncio.Event()
    ids = await queue(context.database, *(an_order(n, key=f"1:{n}") for n in range(60)))
    workers = [asyncio.create_task(a_worker(calm(context), work).run(stop)) for _ in range(2)]
    soon = "held IS NOT NULL AND (state = 'Started' OR not_before < now() + interval '100 s')"
    await until(
        context,
        f"SELECT count(held) = 60 AND count(*) FILTER (WHERE {soon}) BETWEEN 1 AND 2 FROM work_order",
    )
    work.full.clear()
    await until(context, "SELECT count(*) = 60 FROM work_order WHERE state = 'Completed'")
    stop.set()
    await asyncio.gather(*workers)
    assert sorted(work.done) == list(range(60))
    assert {(await row(context.database, one)).attempts for one in ids} == {1}


async def test_one_that_waits_for_room_can_be_cancelled(context: AContext) -> None:
    (order,) = await queue(context.database, an_order(key="1:x"))
    await a_worker(calm(context, room_s=1000.0), Room(full={"1"})).drain()
    async with context.database.begin() as connection:
        assert await cancel(connection, order, "Cancelled.", keep_s=1000.0)
    found = await row(context.database, order)
    assert (found.state, found.held, found.attempts) == ("Failed", None, 0)


async def test_a_full_database_is_waited_for_and_called_so(context: AContext) -> None:
    tries = 0

    async def handler(_context: AContext, _claims: Sequence[Claim]) -> None:
        nonlocal tries
        tries += 1
        if tries <= 6:
            raise asyncpg.DiskFullError('could not extend file "base/1/2" by INSERT INTO secrets')

    (order,) = await queue(context.database, an_order(key="1:x", max_attempts=2))
    await a_worker(calm(context, room_s=1000.0), handler).drain()
    found = await row(context.database, order)
    assert (found.held, found.attempts) == ("database", 0)
    assert found.error.startswith("The database cannot write, since its disk is full")
    assert "INSERT" not in found.error
    async with context.database.begin() as connection:
        await connection.exec_driver_sql("UPDATE work_order SET not_before = now()")
    await a_worker(calm(context), handler).run_until([order])
    assert (tries, (await row(context.database, order)).attempts) == (7, 1)


async def test_statements_of_the_database_reach_no_order(context: AContext) -> None:
    async def handler(context: AContext, _claims: Sequence[Claim]) -> None:
        async with context.database.begin() as connection:
            await connection.exec_driver_sql(DUPLICATE)

    (order,) = await queue(context.database, an_order(max_attempts=2))
    await a_worker(context, handler).run_until([order])
    ended = (await ends(context.database, [order]))[order]
    assert (ended.state, ended.response.error) == (
        State.FAILED,
        "The database refused this (UniqueViolationError); the log tells more.",
    )
