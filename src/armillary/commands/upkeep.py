"""Chores of a worker, and those that one of all does: watched folders, forgetting what had its time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from armillary.archive.watching import watch_roots
from armillary.base.alone import alone
from armillary.base.database import is_transient, reason_of
from armillary.base.log import get_logger
from armillary.base.memory import give_back
from armillary.base.work import Worker
from armillary.base.work.periods import submit_on_time
from armillary.context import Context
from armillary.edits.leftovers import sweep_recipes
from armillary.operations import heartbeat, retention
from armillary.operations.cleaning import clean

log = get_logger(__name__)
LOCK = 0x4152_4D55_504B
TRY_S, SLIM_S, CLEAN_S, SWEEP_S = 5.0, 10.0, 600.0, 86_400.0
AWAY_S, BROKEN_S = 60.0, 600.0
"""Longest pauses after failures that pass by themselves, and after others."""


async def run(context: Context, stop: asyncio.Event) -> None:
    """Do the chores until told to stop, if no other worker does them already."""
    await repeat("upkeep", lambda: _run_if_alone(context, stop), TRY_S, stop)


async def beat(
    context: Context, workers: Sequence[Worker[Context]], stop: asyncio.Event, *, name: str
) -> None:
    """Let the workers of this process be seen alive until told to stop, also when the database was away."""
    owners = [worker.owner for worker in workers]

    async def once() -> None:
        await heartbeat.beat(context, stop, owners=owners, name=name, slots=workers[0].slots)

    await repeat("heartbeat", once, TRY_S, stop)


async def slim(stop: asyncio.Event) -> None:
    """Let this process hold no more memory than it needs, until told to stop."""
    await repeat("memory", lambda: asyncio.to_thread(give_back), SLIM_S, stop)


async def _run_if_alone(context: Context, stop: asyncio.Event) -> None:
    async with alone(context.database, LOCK) as office:
        if office is None:
            return
        periods = retention.periods_of(context.settings.retention)
        chores = (
            repeat("watching", lambda: watch_roots(context, stop), TRY_S, stop),
            repeat("cleaning", lambda: clean(context), CLEAN_S, stop),
            repeat("sweeping", lambda: sweep_recipes(context), SWEEP_S, stop),
            repeat("periods", lambda: submit_on_time(context.database, periods, stop), TRY_S, stop),
        )
        tasks = [asyncio.create_task(chore) for chore in chores]
        try:
            while not stop.is_set():
                await office.check()
                await _rest(stop, TRY_S)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def repeat(
    chore: str, action: Callable[[], Awaitable[object]], every_s: float, stop: asyncio.Event
) -> None:
    """Do something again and again until told to stop; each failure doubles the pause, and is logged once."""
    failures = 0
    while not stop.is_set():
        try:
            await action()
        except Exception as error:
            # A database or disk that is away comes back, sometimes soon.
            transient = is_transient(error)
            pause_s = min(TRY_S * 2**failures, AWAY_S if transient else BROKEN_S)
            failures = min(failures + 1, 16)
            log.warning(
                "chore failed", chore=chore, again_s=pause_s, error=reason_of(error), exc_info=not transient
            )
        else:
            failures, pause_s = 0, every_s
        await _rest(stop, pause_s)


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
