"""A worker's own line to the queue: ends of runs go in, claims come out, in one statement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg

from armillary.base.database import Database, let_go
from armillary.base.database_errors import is_transient, is_undone
from armillary.base.log import get_logger
from armillary.base.metrics import LEASES_LOST, ORDERS_FINISHED
from armillary.base.work import statements
from armillary.base.work.claim import Claim, columns_of
from armillary.base.work.models import Order, Report, State
from armillary.base.work.store import order_of
from armillary.settings import WorkSettings

log = get_logger(__name__)

PLANNER = {
    # The statements have a dozen parts, and planning them anew would cost more than carrying them out.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "enable_material": "off",
}
"""A queue's table is empty whenever statistics are taken; the only good plans go through its indexes."""


class Ledger:
    """What one worker process holds, and its connection for claiming and finishing."""

    def __init__(self, database: Database, settings: WorkSettings, owner: str) -> None:
        self.owner = owner
        self.held: dict[int, Claim] = {}
        self._database, self.settings = database, settings
        self._connection: asyncpg.Connection | None = None
        self.doubtful = False
        self._looked = datetime.now(UTC)
        self.more = False
        """Whether the last exchange put something back, or left a successor of what it finished."""

    @property
    def keep_s(self) -> float:
        """Seconds that ended orders are kept."""
        return self.settings.keep_days * 86400

    async def exchange(
        self, reports: Sequence[Report], kinds: Sequence[str], limit: int, folds: Mapping[str, int]
    ) -> list[Claim]:
        """Write the ends of runs, claim up to ``limit`` orders of ``kinds`` and return them.

        After a failure it may be called again with the same reports: what was written stays written.
        """
        statement = statements.EXCHANGE_FOLDING if folds else statements.EXCHANGE
        values: list[object] = [*columns_of(reports), self.keep_s]
        if limit == 0:
            statement = statements.FINISH
        else:
            values += [list(kinds), limit, self.owner, self.settings.lease_s]
        if limit and folds:
            values += [list(folds), list(folds.values())]
        rows = await self._fetch(statement, *values)
        self.more = rows[0]["called"] is not None
        # By the clock of the database, which decides what is due; ours may be wrong by minutes.
        self._looked = rows[0]["looked"] if limit else self._looked
        self._forget(reports, set(rows[0]["finished_ids"]))
        return self._claims([order_of(row) for row in rows if limit and row["id"] is not None])

    async def sweep(self, missing: Collection[str] = ()) -> int:
        """Take orders back from workers that are ``missing``, or whose lease has expired; return how many."""
        taken, full = list[int](), True
        while full:
            rows = await self._fetch(statements.SWEEP, self.keep_s, self.settings.max_attempts, list(missing))
            taken += rows[0]["finished_ids"]
            full = len(rows[0]["finished_ids"]) == statements.SWEPT
        if taken:
            log.warning("orders taken over", orders=taken, missing=sorted(missing))
        return len(taken)

    async def release(self, obstacle: str, count: int) -> int:
        """Let some of the orders that wait for an obstacle try at once; return how many."""
        rows = await self._fetch(statements.RELEASE, obstacle, count)
        return int(rows[0]["freed"])

    async def next_due_s(self, kinds: Sequence[str]) -> float | None:
        """Return the seconds until an order is due that was not at the last look, or a lease expires."""
        rows = await self._fetch(statements.NEXT_DUE, list(kinds), self._looked)
        seconds: float | None = rows[0][0]
        return seconds

    async def renew(self) -> None:
        """Extend every lease; mark the claims that are not ours any more."""
        pairs = [(order.id, order.fence, claim) for claim in self.held.values() for order in claim.orders]
        if not pairs:
            return
        # On another connection: that of the exchange is in use for as long as the database is slow, which is just
        # when leases run out.
        async with self._database.raw() as connection:
            rows = await connection.fetch(
                statements.RENEW, [p[0] for p in pairs], [p[1] for p in pairs], self.settings.lease_s
            )
        ours = {row["id"] for row in rows}
        # A claim may have ended while the statement was under way; then it was not lost.
        for order_id, _, claim in pairs:
            if order_id not in ours and claim.order.id in self.held and not claim.closed:
                claim.lost = True

    def let_go(self, claim: Claim) -> None:
        """Forget a claim of which there is nothing to write."""
        self.held.pop(claim.order.id, None)

    async def close(self) -> None:
        """Close the connection."""
        if self._connection:
            await let_go(self._connection)
            self._connection = None

    async def _fetch(self, statement: str, *values: object) -> list[Any]:
        try:
            connection = await self._ready()
            return list(await connection.fetch(statement, *values))
        except BaseException as error:
            if is_undone(error):
                raise
            # The statement may have committed although we never saw its answer.
            self.doubtful = True
            if is_transient(error):
                await self.close()
            raise

    async def _ready(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.dedicated(**PLANNER)
            # Before anything is claimed: whoever sees the connection end may take over what is.
            await self._connection.fetchval(statements.ATTEND, self.owner)
        if self.doubtful:
            # What it claimed and we never saw would otherwise stand still until its lease ends.
            known = [order.id for claim in self.held.values() for order in claim.orders]
            given_back = await self._connection.fetch(statements.DISOWN, self.owner, known)
            self.doubtful = False
            if given_back:
                log.info("unseen claims given back", orders=[row["id"] for row in given_back])
        return self._connection

    def _forget(self, reports: Sequence[Report], finished: set[int]) -> None:
        ends: Counter[tuple[str, State]] = Counter()
        for report in reports:
            self.held.pop(report.id, None)
            if report.id in finished:
                ends[report.kind, report.outcome] += 1
            else:
                LEASES_LOST.inc()
                log.warning("lease lost", order=report.id)
        for (kind, outcome), number in ends.items():
            ORDERS_FINISHED.labels(kind, str(outcome)).inc(number)

    def _claims(self, orders: Sequence[Order]) -> list[Claim]:
        followers: dict[int, list[Order]] = {}
        for order in sorted(orders, key=lambda o: o.turn):
            if order.leader_id is not None:
                followers.setdefault(order.leader_id, []).append(order)
        leaders = sorted((o for o in orders if o.leader_id is None), key=lambda o: (-o.priority, o.id))
        claims = [
            Claim(self._database, leader, tuple(followers.get(leader.id, ())), keep_s=self.keep_s)
            for leader in leaders
        ]
        self.held |= {claim.order.id: claim for claim in claims}
        return claims
