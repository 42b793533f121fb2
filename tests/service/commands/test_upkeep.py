"""Chores go on, each by itself, whatever becomes of the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from armillary.commands import upkeep
from armillary.context import Context
from armillary.operations import cleaning
from tests.support.archive import Archive

EXPIRED = (
    "INSERT INTO work_order (kind, args, state, finished, expires)"
    " SELECT 'echo', '{}', 'Completed', now() - interval '2 days', now() - interval '1 day'"
    " FROM generate_series(1, 7)"
)


async def test_all_that_has_had_its_time_is_forgotten_at_once(archive: Archive) -> None:
    async with archive.context.database.begin() as connection:
        await connection.execute(text(EXPIRED))
    await cleaning.clean(archive.context, portion=2)
    async with archive.context.database.begin() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM work_order")) == 0


async def test_a_chore_that_fails_neither_stops_the_others_nor_spins(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, watched, cleaned, failed_again = (asyncio.Event() for _ in range(4))
    swept = 0

    async def watch(context: Context, stop: asyncio.Event) -> None:
        watched.set()
        await stop.wait()

    async def sweep(context: Context) -> int:
        nonlocal swept
        swept += 1
        if swept > 1:
            failed_again.set()
        raise ValueError("a recipe of nobody")

    clean = upkeep.clean

    async def count(context: Context) -> None:
        await clean(context)
        cleaned.set()

    for name, chore in (("watch_roots", watch), ("sweep_recipes", sweep), ("clean", count)):
        monkeypatch.setattr(upkeep, name, chore)
    monkeypatch.setattr(upkeep, "TRY_S", 0.05)
    monkeypatch.setattr(upkeep, "CLEAN_S", 0.05)
    with capture_logs() as logs:
        working = asyncio.create_task(upkeep.run(archive.context, stop))
        async with asyncio.timeout(60):
            for signal in (watched, cleaned, failed_again):
                await signal.wait()
            cleaned.clear()
            await cleaned.wait()
        assert not working.done()
        stop.set()
        await working
    failures = [one for one in logs if one["event"] == "chore failed"]
    assert {one["chore"] for one in failures} == {"sweeping"}
    assert len(failures) == swept
    assert [one["again_s"] for one in failures] == sorted({one["again_s"] for one in failures})


@pytest.mark.parametrize(("error", "longest"), [(OSError("away"), 0.04), (ValueError("broken"), 0.08)])
async def test_pauses_double_up_to_a_limit_and_begin_anew_after_a_success(
    error: Exception, longest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "TRY_S", 0.01)
    monkeypatch.setattr(upkeep, "AWAY_S", 0.04)
    monkeypatch.setattr(upkeep, "BROKEN_S", 0.08)
    stop = asyncio.Event()
    began = time.monotonic()
    with capture_logs() as logs:
        await upkeep.repeat("it", _failing([error] * 6 + [None, error], stop), 0.0, stop)
    pauses = [one["again_s"] for one in logs]
    assert pauses == [*(min(0.01 * 2**n, longest) for n in range(6)), 0.01]
    assert time.monotonic() - began >= sum(pauses[:-1])


def _failing(outcomes: list[Exception | None], stop: asyncio.Event) -> Callable[[], Awaitable[None]]:
    async def action() -> None:
        outcome = outcomes.pop(0)
        if not outcomes:
            stop.set()
        if outcome:
            raise outcome

    return action
