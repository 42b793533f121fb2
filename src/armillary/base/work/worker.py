"""The loop that runs background work: write what ended, claim what is due, hand it over, wait for news."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import islice
from typing import Generic

from armillary.base.database_errors import is_full, is_transient, reason_of
from armillary.base.log import get_logger
from armillary.base.metrics import ORDERS_CLAIMED
from armillary.base.signals import Subscription
from armillary.base.work.attendance import Attendance
from armillary.base.work.claim import Claim
from armillary.base.work.kinds import C, Kind
from armillary.base.work.ledger import Ledger
from armillary.base.work.slots import PATIENCE_S, Slots, cancel_all
from armillary.base.work.statements import DONE_CHANNEL, QUEUED_CHANNEL
from armillary.base.work.store import ended
from armillary.base.work.verdicts import Verdicts

log = get_logger(__name__)

AWAY_FIRST_S, AWAY_LAST_S = 0.05, 5.0
"""Pauses while the database is away."""
ASKED = 100
"""Orders of which is asked at first whether they have ended; twice as many each time if all have."""
SLACK_S = 0.002
"""Timers of the loop may end a little early, and a look before the time finds nothing."""


class Worker(Generic[C]):
    """Runs orders of some kinds, ``slots`` handler calls at a time, and listens to the signals of its context.

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
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.context, self.slots = context, slots
        self.kinds = {kind.name: kind for kind in kinds}
        self._settings = settings = context.settings.work
        self._folds = {kind.name: kind.fold for kind in kinds if kind.fold > 0}
        # The number makes the name one of its own, even of processes of equal numbers on other machines.
        owner = f"{name}-{os.getpid()}-{secrets.token_hex(4)}"
        self._ledger = Ledger(context.database, settings, owner)
        self.attendance = Attendance(context.database, context.settings.data, owner)
        self._verdicts = Verdicts(settings, chance)
        self._slots = Slots(context, slots, self._ledger, self._verdicts, self._look_again)
        self._wake = asyncio.Event()
        self._look = True
        """Whether something may be due that the last claim did not see."""
        self._sweep_at = self._spared_until = 0.0
        self._away_s = AWAY_FIRST_S

    @property
    def owner(self) -> str:
        """What this worker writes into the leases of its orders."""
        return self._ledger.owner

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; then finish what was begun, but for what can be interrupted."""
        async with self._attending(stop):
            while not (stop.is_set() and self._slots.is_idle):
                if stop.is_set():
                    self._slots.interrupt()
                if await self._turn(claiming=not stop.is_set()) or self._slots.reports:
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
                    self._slots.interrupt()
                more = await self._turn(claiming=not stopping) or (self._look and not stopping)
                if not more and self._slots.is_idle:
                    return
                if self._slots.is_running and not self._slots.reports:
                    await self._pause(None)

    async def run_one(self) -> bool:
        """Run the order that is due next, once, and write how that ended; return whether there was one."""
        async with self._attending(None):
            await self._ledger.sweep()
            claims = await self._ledger.exchange((), list(self.kinds), 1, {})
            if claims:
                await self._slots.run(self.kinds[claims[0].order.kind], claims)
                await self._ledger.exchange(self._slots.reports, (), 0, {})
            return bool(claims)

    async def run_until(self, order_ids: Sequence[int] | asyncio.Future[Sequence[int]]) -> None:
        """Work until all these orders have ended, whoever runs them.

        A future tells them once all are queued; work on those that are begins before that.
        """
        queueing = order_ids if isinstance(order_ids, asyncio.Future) else None
        left = deque(() if isinstance(order_ids, asyncio.Future) else order_ids)
        if queueing:
            queueing.add_done_callback(lambda _: self._wake.set())
        async with self._attending(None):
            while True:
                if await self._turn(claiming=True):
                    continue
                if queueing and queueing.done():
                    left, queueing = deque(queueing.result()), None
                if queueing is None and self._slots.is_idle and await self._have_ended(left):
                    return
                await self._pause(await self._pause_s())

    async def _turn(self, *, claiming: bool) -> bool:
        """Write what ended and claim what is due; return whether it is worth while to look again at once."""
        self._wake.clear()
        free = self._slots.room() if claiming else 0
        if not claiming:
            self._slots.give_back()
        missing = self.attendance.missing
        if not self._slots.reports and not (free and self._look) and not missing:
            return False
        try:
            if missing or time.monotonic() >= self._sweep_at:
                await self._take_over(missing)
            for obstacle, count in self._verdicts.take_freed().items():
                await self._ledger.release(obstacle, count)
            # Before the statement, not after: what is queued while it is under way must be looked for again.
            self._look = self._look and not free
            claims = await self._exchange(free)
        except Exception as error:
            # It has waited a moment. A database that is full still tells when the next order is due, and what it
            # does not take now it may take long before.
            await self._suffer(error)
            return True
        self._away_s = AWAY_FIRST_S
        # As many as were asked for: there may be more.
        self._look = self._look or self._ledger.more or (bool(claims) and len(claims) >= free)
        await self._dispatch(claims)
        return bool(self._slots.reports) or (self._look and self._slots.room() > 0)

    async def _take_over(self, missing: set[str]) -> None:
        """Take orders back from workers that died, or whose leases ended."""
        # However long the database was away, what we hold is not a dead worker's.
        await self._ledger.renew()
        await self._ledger.sweep(missing)
        missing.clear()
        self._sweep_at = time.monotonic() + self._settings.lease_s / 3

    async def _exchange(self, limit: int) -> list[Claim]:
        # Handlers go on while the statement is under way, and leave more reports behind these.
        reports = list(self._slots.reports)
        claims = await self._ledger.exchange(reports, list(self.kinds), limit, self._folds)
        del self._slots.reports[: len(reports)]
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
        """Find the report that the database refuses, so that it is in the way of no other."""
        for report in list(self._slots.reports):
            try:
                await self._ledger.exchange([report], (), 0, {})
            except Exception as error:
                if is_transient(error):
                    return
                # Its lease will expire, and the sweep counts the attempt.
                log.error("report refused", order=report.id, exc_info=error)
                self._ledger.held.pop(report.id, None)
            self._slots.reports.remove(report)

    async def _dispatch(self, claims: Sequence[Claim]) -> None:
        """Hand claims to the slots; kinds that work in batches are first topped up."""
        groups: dict[str, list[Claim]] = {}
        for claim in claims:
            groups.setdefault(claim.order.kind, []).append(claim)
        for name, group in groups.items():
            kind = self.kinds[name]
            if short := -len(group) % kind.batch:
                group += await self._top_up(kind, short)
            ORDERS_CLAIMED.labels(name).inc(sum(len(claim.orders) for claim in group))
            self._slots.put(kind, group)
        self._slots.fill()

    async def _top_up(self, kind: Kind[C], most: int) -> list[Claim]:
        try:
            folds = {kind.name: kind.fold} if kind.name in self._folds else {}
            return await self._ledger.exchange((), [kind.name], most, folds)
        except Exception as error:
            # What was claimed is ours and must run, whatever became of the rest.
            log.warning("batch not filled", kind=kind.name, error=reason_of(error))
            self._look = True
            return []

    async def _have_ended(self, left: deque[int]) -> bool:
        """Tell whether the orders have ended, and forget those from the front that have."""
        most = ASKED
        try:
            while left:
                # A few at first: whoever asks after each end for all that were to end asks for millions.
                asked = list(islice(left, most))
                async with self.context.database.look() as connection:
                    found = await ended(connection, asked)
                while left and left[0] in found:
                    left.popleft()
                if len(found) < len(set(asked)):
                    return False
                most *= 2
        except Exception as error:
            if not is_transient(error):
                raise
        return not left

    async def _pause_s(self) -> float:
        """Return the seconds until the next event that no notification will announce."""
        latest = self._settings.poll_s
        if self._slots.is_full:
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
        return min(latest, max(due, 0.0) + SLACK_S)

    async def _pause(self, seconds: float | None) -> None:
        """Wait for news, but no longer than so many seconds, or than claimed orders may wait for a slot."""
        patience_s = min(PATIENCE_S, seconds or PATIENCE_S) if self._slots.is_ahead else seconds
        try:
            async with asyncio.timeout(patience_s):
                await self._wake.wait()
        except TimeoutError:
            self._look = True
            self._slots.expect_slowness()
            self._slots.give_back()

    def _look_again(self) -> None:
        self._look = True
        self._wake.set()

    @asynccontextmanager
    async def _attending(self, stop: asyncio.Event | None) -> AsyncIterator[None]:
        """Listen, renew leases and watch for ``stop`` while the block works."""
        signals = self.context.signals
        try:
            # Before the first claim: a worker that dies in between must be missed.
            await self.attendance.begin()
            async with signals.subscribe(QUEUED_CHANNEL) as queued, signals.subscribe(DONE_CHANNEL) as done:
                chores = [self._heed(queued), self._heartbeat(), self.attendance.watch(self._wake)]
                chores += [self._heed_stop(stop)] if stop else [self._heed(done)]
                tasks = [asyncio.create_task(chore) for chore in chores]
                try:
                    yield
                finally:
                    await cancel_all(*tasks)
                    await self._slots.cancel()
        finally:
            await self._ledger.close()
            self.attendance.end(holding=bool(self._ledger.held))

    async def _heed(self, subscription: Subscription) -> None:
        while True:
            await subscription.wait()
            self._look_again()

    async def _heed_stop(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(self._settings.lease_s / 3)
            try:
                await self._ledger.renew()
            except Exception as error:
                log.warning("leases not renewed", error=reason_of(error))
