"""The loop that runs background work: claim, hand over, write the end, again."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Generic

from armillary.base.bus import Bus, PostgresBus, Subscription
from armillary.base.database import is_full, is_transient, reason_of
from armillary.base.log import bound, get_logger, says
from armillary.base.metrics import (
    HANDLER_SECONDS,
    LEASES_LOST,
    ORDERS_CLAIMED,
    ORDERS_FINISHED,
    ORDERS_RUNNING,
)
from armillary.base.work.attendance import Attendance
from armillary.base.work.claim import Claim, report_of
from armillary.base.work.holding import Holds
from armillary.base.work.kinds import C, Kind
from armillary.base.work.ledger import Ledger
from armillary.base.work.models import Order, Report, Response, State, about
from armillary.base.work.places import refuse_late
from armillary.base.work.retry import Retry, is_expected
from armillary.base.work.statements import DONE_CHANNEL, IN_DOUBT, QUEUED_CHANNEL
from armillary.base.work.store import outcomes

log = get_logger(__name__)

AWAY_FIRST_S, AWAY_LAST_S = 0.05, 5.0
AHEAD_S, MOST_AHEAD = 0.02, 240
"""Orders are claimed before a slot is free if one will be within this time, so many at most."""
PATIENCE_S = 0.1
"""What was claimed ahead and has not begun after this time is given back."""


class Worker(Generic[C]):
    """Runs orders of some kinds, ``slots`` handler calls at a time.

    Ends of runs are written, and new orders claimed, by one statement for all slots: whatever ended while the
    last one was under way goes into the next, so the batch adapts to the load.
    """

    def __init__(
        self,
        context: C,
        kinds: Sequence[Kind[C]],
        *,
        name: str = "worker",
        slots: int = 4,
        bus: Bus | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.context, self.slots = context, slots
        self.kinds = {kind.name: kind for kind in kinds}
        settings = context.settings.work
        self._settings, self._bus, self._chance = settings, bus, chance
        self._retry = Retry(settings.retry_first_s, settings.retry_last_s, settings.max_attempts)
        self._holds = Holds(settings.room_s)
        self._folds = {kind.name: kind.fold for kind in kinds if kind.fold > 0}
        owner = f"{name}-{os.getpid()}-{secrets.token_hex(4)}"
        self._ledger = Ledger(context.database, settings, owner)
        self._attendance = Attendance(context.database, context.settings.data, owner)
        self._reports: list[Report] = []
        self._running: set[asyncio.Task[None]] = set()
        self._interruptible: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._backlog: deque[tuple[Kind[C], list[Claim]]] = deque()
        self._pace_s = PATIENCE_S
        self._wake = asyncio.Event()
        self._look = True
        self._sweep_at = self._spared_until = 0.0
        self._away_s = AWAY_FIRST_S

    @property
    def owner(self) -> str:
        """What this worker writes into the leases of its orders."""
        return self._ledger.owner

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; then finish what was begun, but for what can be interrupted."""
        async with self._attending(stop):
            while not (stop.is_set() and self._is_idle()):
                if stop.is_set():
                    self._interrupt()
                if await self._turn(claiming=not stop.is_set()) or self._reports:
                    continue
                await self._pause(None if stop.is_set() else await self._pause_s())

    async def drain(self, stop: asyncio.Event | None = None) -> None:
        """Work until no order is due any more, retries that wait for their time left alone.

        If ``stop`` is set before that, finish what was begun, as `run` does.
        """
        async with self._attending(stop):
            while True:
                stopping = stop is not None and stop.is_set()
                if stopping:
                    self._interrupt()
                more = await self._turn(claiming=not stopping) or (self._look and not stopping)
                if not more and self._is_idle():
                    return
                if self._running and not self._reports:
                    await self._pause(None)

    async def run_one(self) -> bool:
        """Run the order that is due next, once, and write how that ended; return whether there was one."""
        async with self._attending(None):
            await self._ledger.sweep()
            claims = await self._ledger.exchange((), list(self.kinds), 1, {})
            if claims:
                await self._handle(self.kinds[claims[0].order.kind], claims)
                await self._ledger.exchange(self._reports, (), 0, {})
            return bool(claims)

    async def run_until(self, order_ids: Sequence[int]) -> None:
        """Work until all these orders have ended, whoever runs them."""
        async with self._attending(None):
            while True:
                if await self._turn(claiming=True):
                    continue
                if self._is_idle() and await self._have_ended(order_ids):
                    return
                await self._pause(await self._pause_s())

    def _interrupt(self) -> None:
        """Cancel the handlers that need not finish what they began."""
        self._stopping = True
        while self._interruptible:
            self._interruptible.pop().cancel()

    def _let_interrupt(self) -> None:
        """Let a stop cancel the present task, which has begun: one that had not would leave its claims open."""
        if self._stopping:
            raise asyncio.CancelledError
        if task := asyncio.current_task():
            self._interruptible.add(task)

    def _is_idle(self) -> bool:
        return not self._running and not self._reports and not self._backlog

    async def _turn(self, *, claiming: bool) -> bool:
        """Write what ended and claim what is due; return whether it is worth while to look again at once."""
        self._wake.clear()
        free = self._room() if claiming else 0
        if not claiming:
            self._give_back()
        missing = self._attendance.missing
        if not self._reports and not (free and self._look) and not missing:
            return False
        try:
            if missing or time.monotonic() >= self._sweep_at:
                # However long the database was away, what we hold is not a dead worker's.
                await self._ledger.renew()
                await self._ledger.sweep(missing)
                missing.clear()
                self._sweep_at = time.monotonic() + self._settings.lease_s / 3
            for obstacle, count in self._holds.take_freed().items():
                await self._ledger.release(obstacle, count)
            self._look = self._look and not free
            claims = await self._exchange(free)
        except Exception as error:
            # It has waited a moment. A database that is full still tells when the next order is due, and what it
            # does not take now it may take long before.
            await self._suffer(error)
            return True
        self._away_s = AWAY_FIRST_S
        self._look = self._look or self._ledger.more or (bool(claims) and len(claims) >= free)
        await self._dispatch(claims)
        return bool(self._reports) or (self._look and self._room() > 0)

    def _room(self) -> int:
        """Return how many orders to claim: for free slots, and ahead if handlers are quick."""
        ahead = min(MOST_AHEAD, int(self.slots * AHEAD_S / max(self._pace_s, 1e-5)))
        waiting = sum(len(claims) for _, claims in self._backlog)
        room = self.slots + ahead - len(self._running) - waiting
        # Many small claims would cost more than they gain.
        return room if room >= ahead // 2 else 0

    def _give_back(self) -> None:
        """Return what was claimed ahead to the queue; somebody else may be free."""
        for _, claims in self._backlog:
            for claim in claims:
                claim.postpone(0.0)
                self._reports += claim.reports.values()
        self._backlog.clear()

    async def _exchange(self, limit: int) -> list[Claim]:
        reports = list(self._reports)
        claims = await self._ledger.exchange(reports, list(self.kinds), limit, self._folds)
        del self._reports[: len(reports)]
        return claims

    async def _suffer(self, error: Exception) -> None:
        """Go on after a failure of the database, or without a report that it refuses."""
        self._look = True
        if is_full(error):
            # Nobody could renew a lease; now everybody gets the time to do so.
            self._spared_until = self._sweep_at = time.monotonic() + self._settings.lease_s / 3
        if is_transient(error):
            log.warning("queue away", error=reason_of(error))
        else:
            log.error("queue statement failed", exc_info=error)
            await self._report_one_by_one()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._away_s):
                await self._wake.wait()
        self._away_s = min(2 * self._away_s, AWAY_LAST_S)

    async def _report_one_by_one(self) -> None:
        for report in list(self._reports):
            try:
                await self._ledger.exchange([report], (), 0, {})
            except Exception as error:
                if is_transient(error):
                    return
                # Its lease will expire, and the sweep counts the attempt.
                log.error("report refused", order=report.id, exc_info=error)
                self._ledger.held.pop(report.id, None)
            self._reports.remove(report)

    async def _dispatch(self, claims: Sequence[Claim]) -> None:
        """Start handlers; kinds that work in batches are first topped up."""
        groups: dict[str, list[Claim]] = {}
        for claim in claims:
            groups.setdefault(claim.order.kind, []).append(claim)
        for name, group in groups.items():
            kind = self.kinds[name]
            if short := -len(group) % kind.batch:
                group += await self._top_up(kind, short)
            ORDERS_CLAIMED.labels(name).inc(sum(len(claim.orders) for claim in group))
            for start in range(0, len(group), kind.batch):
                self._backlog.append((kind, group[start : start + kind.batch]))
        self._fill()

    async def _top_up(self, kind: Kind[C], most: int) -> list[Claim]:
        try:
            return await self._ledger.exchange((), [kind.name], most, self._folds)
        except Exception as error:
            log.warning("batch not filled", kind=kind.name, error=reason_of(error))
            self._look = True
            return []

    def _fill(self) -> None:
        """Start what was claimed while slots are free."""
        while self._backlog and len(self._running) < self.slots:
            task = asyncio.create_task(self._handle(*self._backlog.popleft()))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._interruptible.discard(task)
        if not self._stopping:
            self._fill()
        self._wake.set()

    async def _handle(self, kind: Kind[C], claims: Sequence[Claim]) -> None:
        failure: Exception | None = None
        began = time.monotonic()
        ORDERS_RUNNING.inc()
        try:
            with bound(**_about(claims)):
                database = self.context.database
                if in_time := [one for one in claims if not await refuse_late(database, one)]:
                    if kind.interruptible:
                        self._let_interrupt()
                    await kind.handler(self.context, in_time)
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            for claim in claims:
                claim.interrupt()
        except Exception as error:
            failure = error
            if not is_expected(error):
                log.exception("handler failed", kind=kind.name, orders=[c.order.id for c in claims])
        finally:
            ORDERS_RUNNING.dec()
            seconds = time.monotonic() - began
            HANDLER_SECONDS.labels(kind.name).observe(seconds)
            self._pace_s = max(seconds, 0.9 * self._pace_s + 0.1 * seconds)
        said = says(__name__)
        for claim in claims:
            self._settle(kind, claim, failure, took_s=seconds)
            for order in claim.orders if said else ():
                log.info("order ended", **about(order), seconds=round(seconds, 4))

    def _settle(self, kind: Kind[C], claim: Claim, failure: Exception | None, *, took_s: float) -> None:
        if claim.closed or claim.lost:
            self._ledger.held.pop(claim.order.id, None)
            # A renewal that comes between the commit and the note of it finds nothing to renew.
            if claim.lost and not claim.closed:
                LEASES_LOST.inc()
                log.warning("lease lost", order=claim.order.id)
            else:
                ORDERS_FINISHED.labels(kind.name, "Closed").inc(len(claim.orders))
                self._note_passed(claim.orders)
            self._look = True
            return
        claim.settle(failure)
        self._reports += [self._judged(kind, one, claim.reports[one.id], took_s) for one in claim.orders]
        self._note_passed(one for one in claim.orders if claim.reports[one.id].outcome is not State.QUEUED)
        self._look = True

    def _note_passed(self, orders: Iterable[Order]) -> None:
        for order in orders:
            if order.held is not None:
                self._holds.passed(order.held)

    def _judged(self, kind: Kind[C], order: Order, report: Report, took_s: float) -> Report:
        """Decide about another try: when, or never."""
        if report.held is not None:
            delay_s = self._holds.delay_s(report.held, took_s=took_s, chance=self._chance())
            write = log.info if order.held else log.warning
            write("order waits for room", **about(order), error=report.error, again_s=round(delay_s, 3))
            return replace(report, delay_s=delay_s)
        if report.outcome is not State.QUEUED or not report.counted:
            return report
        retry = kind.retry or self._retry
        most = (order.max_attempts or retry.max_attempts) * (IN_DOUBT if order.intent else 1)
        if order.attempts >= most:
            log.warning("order failed", **about(order), error=report.error)
            return report_of(order, Response.failure(report.error or ""))
        delay_s = retry.delay_s(order.attempts, self._chance())
        log.warning("order is tried again", **about(order), error=report.error, again_s=round(delay_s, 3))
        return replace(report, delay_s=delay_s)

    async def _have_ended(self, order_ids: Sequence[int]) -> bool:
        try:
            async with self.context.database.begin() as connection:
                return len(await outcomes(connection, order_ids)) == len(set(order_ids))
        except Exception as error:
            if not is_transient(error):
                raise
            return False

    async def _pause_s(self) -> float:
        """Return how long nothing can happen that nobody tells us."""
        latest = self._settings.poll_s
        if len(self._running) >= self.slots:
            return latest
        try:
            due = await self._ledger.next_due_s(list(self.kinds))
        except Exception as error:
            if not is_transient(error):
                raise
            return self._away_s
        if due is None:
            return latest
        if due <= 0.0:
            # A lease has expired, or is about to.
            self._sweep_at = self._spared_until
            due = self._spared_until - time.monotonic()
        return min(latest, max(due, 0.0) + 0.002)

    async def _pause(self, seconds: float | None) -> None:
        patience_s = min(PATIENCE_S, seconds or PATIENCE_S) if self._backlog else seconds
        try:
            async with asyncio.timeout(patience_s):
                await self._wake.wait()
        except TimeoutError:
            self._look = True
            self._pace_s = max(self._pace_s, PATIENCE_S)
            self._give_back()

    @asynccontextmanager
    async def _attending(self, stop: asyncio.Event | None) -> AsyncIterator[None]:
        """Listen, renew leases and watch for ``stop`` while the block works."""
        own = PostgresBus(self.context.database) if self._bus is None else None
        bus = self._bus or own
        if bus is None:
            raise AssertionError("one of the two exists")
        try:
            await self._attendance.begin()
            async with bus.subscribe(QUEUED_CHANNEL) as queued, bus.subscribe(DONE_CHANNEL) as done:
                chores = [self._heed(queued), self._heartbeat(), self._attendance.watch(self._wake)]
                chores += [self._heed_stop(stop)] if stop else [self._heed(done)]
                tasks = [asyncio.create_task(chore) for chore in chores]
                try:
                    yield
                finally:
                    await _cancel(*tasks, *self._running)
        finally:
            if own:
                await own.close()
            await self._ledger.close()
            self._attendance.end(holding=bool(self._ledger.held))

    async def _heed(self, subscription: Subscription) -> None:
        while True:
            await subscription.wait()
            self._look = True
            self._wake.set()

    async def _heed_stop(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(self._settings.lease_s / 3)
            try:
                # However long the database was away, what we hold is not a dead worker's.
                await self._ledger.renew()
            except Exception as error:
                log.warning("leases not renewed", error=reason_of(error))


def _about(claims: Sequence[Claim]) -> dict[str, object]:
    """Return what every event of a run says: of one order all, of many how many they are."""
    if len(claims) == 1 and not claims[0].followers:
        return about(claims[0].order)
    return {"kind": claims[0].order.kind, "together": sum(len(claim.orders) for claim in claims)}


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
