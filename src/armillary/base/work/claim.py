"""A claimed order in the hands of a handler: what it may write, and only while it still holds it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import Database
from armillary.base.database_errors import reason_of, told
from armillary.base.log import get_logger
from armillary.base.work import statements
from armillary.base.work.errors import LostLease
from armillary.base.work.holding import obstacle_of
from armillary.base.work.models import Order, Report, Response, Responses, State, about
from armillary.base.work.retry import code_of, is_final, is_waiting, known, message_of
from armillary.base.work.store import dump

log = get_logger(__name__)


class Claim:
    """An order and the orders folded behind it, held together by one lease and one fence."""

    def __init__(
        self, database: Database, order: Order, followers: tuple[Order, ...] = (), *, keep_s: float
    ) -> None:
        self.order, self.followers = order, followers
        self.lost = False
        self.closed = False
        self.reports: dict[int, Report] = {}
        self.database, self.keep_s = database, keep_s

    @property
    def orders(self) -> tuple[Order, ...]:
        """The leader and its followers, in the order of their acceptance."""
        return (self.order, *self.followers)

    @property
    def order_ids(self) -> list[int]:
        """The ids of all of them."""
        return [order.id for order in self.orders]

    async def check(self) -> None:
        """Make sure that the orders are still ours.

        Raises
        ------
        LostLease
            If another worker has them.
        """
        async with self.database.begin() as connection:
            await self.check_in(connection, lock=False)

    async def check_in(self, connection: AsyncConnection, *, lock: bool = True) -> None:
        """Make sure of the orders inside a transaction, and keep them ours until its end if ``lock``."""
        statement = statements.HOLD if lock else statements.CHECK
        found = await connection.exec_driver_sql(statement, (self.order_ids, self.order.fence))
        # A claim is taken over as a whole, and followers share the fence of their leader: less is none.
        if self.lost or len(found.all()) != len(self.orders):
            raise self.lose()

    @asynccontextmanager
    async def completing(self, responses: Responses | None = None) -> AsyncIterator[AsyncConnection]:
        """Open the transaction in which the orders end and their effects appear.

        ``responses`` by order id; an order without one completes with the value null. It may be filled
        inside the block.

        Raises
        ------
        LostLease
            If another worker has them; the transaction is rolled back.
        """
        async with completing_all([self], responses) as connection:
            yield connection

    def complete(self, value: Response | None = None) -> None:
        """Note how the leader ended, to be written soon; followers complete with null unless noted."""
        self.respond(self.order, value or Response())

    def respond(self, order: Order, response: Response) -> None:
        """Note how one of the orders ended, to be written soon."""
        self.reports[order.id] = report_of(order, response)

    async def fail(self, error: BaseException, *, order: Order | None = None) -> None:
        """Note that the run failed, or that of one of its orders; the worker decides about another try."""
        for one in (order,) if order else self.orders:
            if order or one.id not in self.reports:
                self.reports[one.id] = failure_of(one, error)

    def postpone(self, delay_s: float, reason: str = "") -> None:
        """Note that it is too early for this work; the run does not count as an attempt."""
        for one in self.orders:
            self.reports[one.id] = _uncounted(one, delay_s, reason)

    def interrupt(self) -> None:
        """Note of all orders that have not ended that they are to begin anew; the run does not count."""
        for one in self.orders:
            if one.id not in self.reports:
                self.reports[one.id] = _uncounted(one)

    def settle(self, error: BaseException | None = None) -> None:
        """Note the end of every order that has none: failed by ``error``, or completed."""
        for one in self.orders:
            if one.id not in self.reports:
                self.reports[one.id] = failure_of(one, error) if error else report_of(one, Response())

    def lose(self) -> LostLease:
        """Note that the orders belong to another worker now, and return the error that says so."""
        self.lost = True
        return LostLease(f"Work order {self.order.id} belongs to another worker now; this run is void.")


@asynccontextmanager
async def completing_all(
    claims: Iterable[Claim], responses: Responses | None = None
) -> AsyncIterator[AsyncConnection]:
    """Open one transaction in which several claims end and their effects appear.

    Raises
    ------
    LostLease
        If one of them is lost: that claim is marked so and nothing is written.
    """
    chosen = tuple(claims)
    async with chosen[0].database.begin() as connection:
        # First, so that nobody can take the orders over between this look and the commit; a sweep skips the locked
        # rows, and so cannot wait for a long transaction either.
        await _hold(connection, chosen)
        yield connection
        answers = responses or {}
        reports = [report_of(o, answers.get(o.id, Response())) for c in chosen for o in c.orders]
        keep_s = chosen[0].keep_s
        # In the same transaction: who is told of the end finds its effects.
        await connection.exec_driver_sql(statements.FINISH, (*columns_of(reports), keep_s))
    # Only now: had the commit failed, the worker would still have to report how these orders ended.
    for claim in chosen:
        claim.closed = True


async def _hold(connection: AsyncConnection, claims: Sequence[Claim]) -> None:
    """Make sure of every order and lock its row until the transaction ends, all by one statement."""
    ids = [order_id for claim in claims for order_id in claim.order_ids]
    rows = (await connection.exec_driver_sql(statements.HOLD_ALL, (ids,))).all()
    # One that lost its claim must not make the others lose theirs: each is marked for itself.
    held = {(row.id, row.fence) for row in rows}
    for claim in claims:
        claim.lost = claim.lost or not held.issuperset((order.id, order.fence) for order in claim.orders)
    if lost := [claim for claim in claims if claim.lost]:
        raise lost[0].lose()


def _uncounted(order: Order, delay_s: float = 0.0, reason: str = "") -> Report:
    return Report(
        order.id,
        order.fence,
        order.kind,
        State.QUEUED,
        error=reason or None,
        delay_s=delay_s,
        counted=False,
    )


def report_of(order: Order, response: Response) -> Report:
    """Return what to write about an order that ended with a response."""
    state = State.COMPLETED if response.ok else State.FAILED
    body = dump({"ok": response.ok, "error": response.error, "value": response.value})
    error = None if response.ok else response.error.replace("\x00", "\ufffd")
    return Report(order.id, order.fence, order.kind, state, body, error, code=response.code)


def failure_of(order: Order, error: BaseException) -> Report:
    """Return what to write about a failed run: the end, or another try whose delay is still open."""
    found = known(error, str(about(order)["file"]))
    message, code = message_of(found), code_of(found)
    if is_final(found):
        return report_of(order, Response.failure(message, code))
    if told(error):
        # What the server said is for the log alone.
        log.warning("database failed", **about(order), error=reason_of(error))
    if is_waiting(found):
        held, message = obstacle_of(order, found), f"{message} The order waits for that and is tried again."
        return Report(
            order.id,
            order.fence,
            order.kind,
            State.QUEUED,
            error=message,
            counted=False,
            held=held,
            code=code,
        )
    return Report(order.id, order.fence, order.kind, State.QUEUED, error=message, code=code)


def columns_of(reports: Iterable[Report]) -> tuple[list[object], ...]:
    """Return reports as the arrays that the statements take."""
    rows = [
        (r.id, r.fence, str(r.outcome), r.response, r.error, r.delay_s, r.counted, r.held, r.code)
        for r in reports
    ]
    return tuple(list(column) for column in zip(*rows, strict=True)) or tuple([] for _ in range(9))
