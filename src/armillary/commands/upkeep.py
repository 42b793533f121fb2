"""Chores of a worker, and those that one of all does: watched folders, orders that are due again and again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from armillary.archive import kinds as archive
from armillary.archive.catalog import service as catalog
from armillary.archive.cubes import service as cubes
from armillary.archive.intake.service import watch_root, watch_roots
from armillary.base.alone import Office, alone
from armillary.base.database_errors import is_transient, reason_of
from armillary.base.log import get_logger
from armillary.base.memory import give_back
from armillary.base.work import Worker
from armillary.base.work.periods import Period, submit_on_time
from armillary.context import Context
from armillary.operations import service as operations
from armillary.publish.svo import tasks as svo
from armillary.sites.rooms import tasks as rooms

log = get_logger(__name__)
LOCK = 0x4152_4D55_504B
TRY_S, SLIM_S = 5.0, 10.0
Watch = Callable[[Context, asyncio.Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds of rest after failures: the first, and the longest after those that pass and after others."""

    first_s: float = TRY_S
    away_s: float = 60.0
    broken_s: float = 600.0

    def after(self, failures: int, *, transient: bool) -> float:
        """Return how long to rest when so many failures came before this one."""
        return min(self.first_s * 2.0 ** min(failures, 60), self.away_s if transient else self.broken_s)


PAUSES = Pauses()


async def watch_everything(context: Context, stop: asyncio.Event) -> None:
    """Watch every root that is to be watched, and what lies beside the files of ingestion roots."""
    await watch_roots(context, stop, watch=partial(watch_root, unsettled=cubes.unsettled))


async def run(
    context: Context,
    stop: asyncio.Event,
    *,
    watch: Watch = watch_everything,
    periods: Sequence[Period] = operations.PERIODS,
    pauses: Pauses = PAUSES,
) -> None:
    """Watch folders and submit what is due until told to stop, if no other worker does that already."""
    settings = context.settings
    due = (
        *periods,
        *archive.periods_of(settings),
        *operations.periods_of(settings.retention),
        *rooms.periods_of(settings.rooms),
        *svo.periods_of(settings.svo),
    )

    async def alone_or_not() -> None:
        async with alone(context.database, LOCK) as office:
            if office is not None:
                chores = {
                    "watching": lambda: watch(context, stop),
                    "periods": lambda: submit_on_time(context.database, due, stop),
                    "minutes": lambda: every_minute(context, stop),
                }
                await _do(chores, office, stop, pauses)

    await repeat("upkeep", alone_or_not, pauses.first_s, stop, pauses=pauses)


async def every_minute(context: Context, stop: asyncio.Event) -> None:
    """Write down how the archive stands and fold the counts of nights, each minute until told to stop."""
    while not stop.is_set():
        await operations.take_sample(context)
        await fold(context)
        await _rest(stop, operations.SAMPLED_S)


async def fold(context: Context) -> None:
    """Fold all counts of nights that there are, some nights at a time."""
    while True:
        async with context.database.begin() as connection:
            if not await catalog.fold_counts(connection):
                return


async def beat(
    context: Context, workers: Sequence[Worker[Context]], stop: asyncio.Event, *, name: str
) -> None:
    """Let the workers of this process be seen alive until told to stop, also when the database was away."""
    owners = [worker.owner for worker in workers]

    async def once() -> None:
        await operations.beat(context, stop, owners=owners, name=name, slots=workers[0].slots)

    await repeat("heartbeat", once, TRY_S, stop)


async def slim(stop: asyncio.Event) -> None:
    """Let this process hold no more memory than it needs, until told to stop."""
    await repeat("memory", lambda: asyncio.to_thread(give_back), SLIM_S, stop)


async def _do(
    chores: Mapping[str, Callable[[], Awaitable[object]]], office: Office, stop: asyncio.Event, pauses: Pauses
) -> None:
    """Do chores beside each other until told to stop, or until another worker may do them."""
    tasks = [
        asyncio.create_task(repeat(name, action, pauses.first_s, stop, pauses=pauses))
        for name, action in chores.items()
    ]
    try:
        while not stop.is_set():
            await office.check()
            await _rest(stop, TRY_S)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def repeat(
    chore: str,
    action: Callable[[], Awaitable[object]],
    every_s: float,
    stop: asyncio.Event,
    *,
    pauses: Pauses = PAUSES,
) -> None:
    """Do something again and again until told to stop; each failure doubles the pause, and is logged once."""
    failures = 0
    while not stop.is_set():
        try:
            await action()
        except Exception as error:
            # A database or disk that is away comes back, sometimes soon.
            transient = is_transient(error)
            pause_s = pauses.after(failures, transient=transient)
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
