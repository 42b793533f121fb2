"""Chores of a worker, and those that one of all does: recovery, watched folders, forgetting what had its time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive import service as archive
from armillary.archive.staging import sweep_staging
from armillary.archive.watching import watch_roots
from armillary.base.database import is_transient, let_go, reason_of
from armillary.base.log import get_logger
from armillary.base.memory import give_back
from armillary.base.work import Worker, purge
from armillary.context import Context
from armillary.edits.leftovers import sweep_recipes
from armillary.edits.store import forget_expired_requests
from armillary.edits.tasks import record_failures
from armillary.operations import heartbeat, retention

log = get_logger(__name__)
LOCK = 0x4152_4D55_504B
TRY_S, SLIM_S, CLEAN_S, SWEEP_S = 5.0, 10.0, 600.0, 86_400.0
AWAY_S, BROKEN_S = 60.0, 600.0
"""Longest pauses after failures that pass by themselves, and after others."""
PURGED = 10_000
"""Rows that one transaction forgets: others wait for it."""


async def recover(context: Context) -> None:
    """Finish or undo what dead processes left behind in every store."""
    async with context.database.begin() as connection:
        roots = await archive.list_roots(connection)
    for root in roots:
        if root.path.is_dir():
            for finding in await archive.store_of(context, root).recover():
                log.warning("recovered", root=root.name, finding=finding)


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
    connection = await context.database.dedicated()
    try:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
            return
        chores = (
            repeat("watching", lambda: watch_roots(context, stop), TRY_S, stop),
            repeat("cleaning", lambda: clean(context), CLEAN_S, stop),
            repeat("sweeping", lambda: sweep_recipes(context), SWEEP_S, stop),
            repeat("thinning", lambda: retention.thin(context), SWEEP_S, stop),
        )
        tasks = [asyncio.create_task(chore) for chore in chores]
        try:
            while not stop.is_set():
                # Whoever loses the connection has lost the lock.
                await connection.fetchval("SELECT 1")
                await _rest(stop, TRY_S)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        await let_go(connection)


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


async def clean(context: Context) -> None:
    """Record failed edits, forget orders, requests and staged bytes that have had their time, settle journals."""
    await record_failures(context)
    orders = await _in_portions(context, purge)
    requests = await _in_portions(context, forget_expired_requests)
    staged = await sweep_staging(context)
    await heartbeat.forget_dead(context)
    # Journals that a failing disk kept from being settled cost every edit of their files a sync.
    await recover(context)
    if orders or requests or staged:
        log.info("forgotten", orders=orders, requests=requests, staged=staged)


class Forget(Protocol):
    """A statement that deletes up to so many rows whose time is up."""

    async def __call__(self, connection: AsyncConnection, *, limit: int) -> int:
        """Return how many rows it deleted."""
        ...


async def _in_portions(context: Context, forget: Forget) -> int:
    """Delete everything whose time is up, so many rows at a time that nobody waits for it."""
    total = 0
    while True:
        async with context.database.begin() as connection:
            deleted = await forget(connection, limit=PURGED)
        total += deleted
        if deleted < PURGED:
            return total
