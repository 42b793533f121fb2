"""Chores go on, each by itself, whatever becomes of the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from armillary.base.work import State, Worker
from armillary.base.work.admin import list_orders
from armillary.base.work.periods import Period
from armillary.commands import upkeep
from armillary.context import Context
from armillary.operations.kinds import CHORES, CLEANING
from tests.support.archive import Archive
from tests.support.patience import in_time

PATIENCE_S = 300.0
EXPIRED = (
    "INSERT INTO work_order (kind, args, state, finished, expires)"
    " SELECT 'echo', '{}', 'Completed', now() - interval '2 days', now() - interval '1 day'"
    " FROM generate_series(1, 7)"
)


async def test_all_that_has_had_its_time_is_forgotten_at_once(archive: Archive) -> None:
    async with archive.context.database.begin() as connection:
        await connection.execute(text(EXPIRED))
    await archive.clean(portion=2)
    async with archive.context.database.begin() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM work_order WHERE kind = 'echo'")) == 0


async def test_a_chore_that_fails_neither_stops_the_others_nor_spins(archive: Archive) -> None:
    context, stop, tried = archive.context, asyncio.Event(), 0

    async def watch(context: Context, stop: asyncio.Event) -> None:
        nonlocal tried
        tried += 1
        raise ValueError("a folder of nobody")

    periods = [Period(CLEANING, 0.05)]
    worker = asyncio.create_task(Worker(context, CHORES, name="chores").run(stop))
    with capture_logs() as logs:
        chores = upkeep.run(context, stop, watch=watch, periods=periods, pauses=upkeep.Pauses(first_s=0.05))
        doing = asyncio.create_task(chores)
        end = time.monotonic() + PATIENCE_S
        while tried < 3 or await _cleaned(context) < 3:
            in_time(end, (tried, logs))
            await asyncio.sleep(0.02)
        assert not doing.done()
        stop.set()
        await asyncio.gather(doing, worker)
    failures = [one for one in logs if one["event"] == "chore failed"]
    assert {one["chore"] for one in failures} == {"watching"}
    assert len(failures) == tried
    assert [one["again_s"] for one in failures] == sorted({one["again_s"] for one in failures})


async def _cleaned(context: Context) -> int:
    """Return how often cleaning was done, with a step for each of its parts."""
    async with context.database.begin() as connection:
        orders = await list_orders(connection, kind=CLEANING, state=State.COMPLETED)
    parts = {
        "failed edits",
        "orders",
        "requests",
        "pipe",
        "staged bytes",
        "samples",
        "images",
        "workers",
        "journals",
    }
    assert all({one["name"] for one in order.steps} == parts for order in orders)
    return len(orders)


@pytest.mark.parametrize(("error", "longest"), [(OSError("away"), 0.04), (ValueError("broken"), 0.08)])
async def test_pauses_double_up_to_a_limit_and_begin_anew_after_a_success(
    error: Exception, longest: float
) -> None:
    stop, pauses = asyncio.Event(), upkeep.Pauses(first_s=0.01, away_s=0.04, broken_s=0.08)
    began = time.monotonic()
    with capture_logs() as logs:
        await upkeep.repeat("it", _failing([error] * 6 + [None, error], stop), 0.0, stop, pauses=pauses)
    rests = [one["again_s"] for one in logs]
    assert rests == [*(min(0.01 * 2**n, longest) for n in range(6)), 0.01]
    assert time.monotonic() - began >= sum(rests[:-1])


def _failing(outcomes: list[Exception | None], stop: asyncio.Event) -> Callable[[], Awaitable[None]]:
    async def action() -> None:
        outcome = outcomes.pop(0)
        if not outcomes:
            stop.set()
        if outcome:
            raise outcome

    return action
