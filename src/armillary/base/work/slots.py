"""The slots of a worker: handler calls under way, what was claimed ahead of them, the reports that they leave."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic

from armillary.base.log import bound, get_logger, says
from armillary.base.metrics import HANDLER_SECONDS, LEASES_LOST, ORDERS_FINISHED, ORDERS_RUNNING
from armillary.base.work.claim import Claim
from armillary.base.work.kinds import C, Kind
from armillary.base.work.ledger import Ledger
from armillary.base.work.models import Report, State, about
from armillary.base.work.places import refuse_late
from armillary.base.work.retry import is_expected
from armillary.base.work.verdicts import Verdicts

log = get_logger(__name__)

AHEAD_S, MOST_AHEAD = 0.02, 240
"""Orders are claimed before a slot is free if one will be within this time, so many at most."""
PATIENCE_S = 0.1
"""What was claimed ahead and has not begun after this time is given back."""


class Slots(Generic[C]):
    """Runs up to ``count`` handler calls at a time, and calls ``news`` whenever one has ended.

    It writes nothing: what is to be written of orders that ended stands in ``reports``, until somebody has.
    """

    def __init__(
        self, context: C, count: int, ledger: Ledger, verdicts: Verdicts, news: Callable[[], None]
    ) -> None:
        self.count = count
        self.reports: list[Report] = []
        self._context, self._ledger, self._verdicts, self._news = context, ledger, verdicts, news
        self._running: set[asyncio.Task[None]] = set()
        self._interruptible: set[asyncio.Task[None]] = set()
        self._backlog: deque[tuple[Kind[C], Sequence[Claim]]] = deque()
        # At first nobody knows how quick the handlers are. Slow is the guess that cannot hoard orders.
        self._pace_s = PATIENCE_S
        self._stopping = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs, is about to, or waits to be written."""
        return not self._running and not self.reports and not self._backlog

    @property
    def is_running(self) -> bool:
        """Whether a handler is at work."""
        return bool(self._running)

    @property
    def is_full(self) -> bool:
        """Whether all slots are in use."""
        return len(self._running) >= self.count

    @property
    def is_ahead(self) -> bool:
        """Whether orders are claimed that have not begun."""
        return bool(self._backlog)

    def room(self) -> int:
        """Return how many orders to claim: for free slots, and ahead if handlers are quick.

        A slot that is free only when the next claim is committed stands idle for that long. With handlers of
        a tenth of a millisecond that is most of the time, so several rounds of them are claimed at once.
        """
        ahead = min(MOST_AHEAD, int(self.count * AHEAD_S / max(self._pace_s, 1e-5)))
        waiting = sum(len(claims) for _, claims in self._backlog)
        room = self.count + ahead - len(self._running) - waiting
        # Many small claims would cost more than they gain.
        return room if room >= ahead // 2 else 0

    def put(self, kind: Kind[C], claims: Sequence[Claim]) -> None:
        """Take claims of one kind over, to be handed to one call each time as many as it takes."""
        for start in range(0, len(claims), kind.batch):
            self._backlog.append((kind, claims[start : start + kind.batch]))

    def fill(self) -> None:
        """Start what was claimed while slots are free."""
        while self._backlog and not self.is_full:
            task = asyncio.create_task(self.run(*self._backlog.popleft()))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def give_back(self) -> None:
        """Return what was claimed ahead to the queue; somebody else may be free."""
        for _, claims in self._backlog:
            for claim in claims:
                claim.postpone(0.0)
                self.reports += claim.reports.values()
        self._backlog.clear()

    def expect_slowness(self) -> None:
        """Claim nothing ahead for a while: what was has waited for longer than it should."""
        self._pace_s = max(self._pace_s, PATIENCE_S)

    def interrupt(self) -> None:
        """Cancel the handlers that need not finish what they began, and start no more."""
        self._stopping = True
        while self._interruptible:
            self._interruptible.pop().cancel()

    async def cancel(self) -> None:
        """Cancel all handlers, whose orders are then nobody's until their leases end."""
        await cancel_all(*self._running)

    async def run(self, kind: Kind[C], claims: Sequence[Claim]) -> None:
        """Call the handler of a kind, and note how its orders ended."""
        failure: Exception | None = None
        began = time.monotonic()
        ORDERS_RUNNING.inc()
        try:
            with bound(**_about(claims)):
                handler = await kind.loaded()
                # How long that took says nothing of the work itself.
                began = time.monotonic()
                database = self._context.database
                if in_time := [one for one in claims if not await refuse_late(database, one)]:
                    if kind.interruptible:
                        self._let_interrupt()
                    await handler(self._context, in_time)
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
            # Slow at once and quick by and by: one long call in the way of many claimed ones is what hurts.
            self._pace_s = max(seconds, 0.9 * self._pace_s + 0.1 * seconds)
        said = says(__name__)
        for claim in claims:
            self._settle(kind, claim, failure, took_s=seconds)
            for order in claim.orders if said else ():
                log.info("order ended", **about(order), seconds=round(seconds, 4))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._interruptible.discard(task)
        # The next call begins before its worker has written the end of this one: a slot waits for no commit.
        if not self._stopping:
            self.fill()
        self._news()

    def _let_interrupt(self) -> None:
        """Let a stop cancel the present task, which has begun: one that had not would leave its claims open."""
        if self._stopping:
            raise asyncio.CancelledError
        if task := asyncio.current_task():
            self._interruptible.add(task)

    def _settle(self, kind: Kind[C], claim: Claim, failure: Exception | None, *, took_s: float) -> None:
        if claim.closed or claim.lost:
            self._ledger.let_go(claim)
            # A renewal that comes between the commit and the note of it finds nothing to renew.
            if claim.lost and not claim.closed:
                LEASES_LOST.inc()
                log.warning("lease lost", order=claim.order.id)
            else:
                ORDERS_FINISHED.labels(kind.name, "Closed").inc(len(claim.orders))
                self._verdicts.note_passed(claim.orders)
            return
        claim.settle(failure)
        self.reports += [
            self._verdicts.on(one, claim.reports[one.id], kind.retry, took_s=took_s) for one in claim.orders
        ]
        # One that is to try again has not got through.
        self._verdicts.note_passed(
            one for one in claim.orders if claim.reports[one.id].outcome is not State.QUEUED
        )


async def cancel_all(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _about(claims: Sequence[Claim]) -> dict[str, object]:
    """Return what every event of a run says: of one order all, of many how many they are."""
    if len(claims) == 1 and not claims[0].followers:
        return about(claims[0].order)
    return {"kind": claims[0].order.kind, "together": sum(len(claim.orders) for claim in claims)}
