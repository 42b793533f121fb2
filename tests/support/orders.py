"""Work orders of tests: submitted, claimed, looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from armillary.base.database import Database
from armillary.base.work import Claim, Kind, NewOrder, Outcome, Worker, outcomes, submit
from armillary.base.work.ledger import Ledger
from tests.support.postgres import AContext, work_settings

Handler = Callable[[AContext, Sequence[Claim]], Awaitable[None]]


async def queue(database: Database, *orders: NewOrder) -> list[int]:
    """Submit orders and return their ids."""
    async with database.begin() as connection:
        return await submit(connection, orders, keyed_fifo=True)


def an_order(n: int = 0, **changes: Any) -> NewOrder:
    """Return an order of the kind `work`."""
    return NewOrder(**({"kind": "work", "args": {"n": n}} | changes))


async def ends(database: Database, ids: Sequence[int]) -> dict[int, Outcome]:
    """Return how orders ended, by id."""
    async with database.begin() as connection:
        return await outcomes(connection, ids)


async def row(database: Database, order_id: int) -> Any:
    """Return the row of an order."""
    async with database.begin() as connection:
        found = await connection.exec_driver_sql("SELECT * FROM work_order WHERE id = $1", (order_id,))
        return found.one()


def a_worker(context: AContext, handler: Handler, *, slots: int = 4, **kind: Any) -> Worker[AContext]:
    """Return a worker for the kind `work`."""
    return Worker(context, [Kind("work", handler, **kind)], slots=slots)


def a_ledger(context: AContext, owner: str, *, lease_s: float = 30.0) -> Ledger:
    """Return a ledger of one owner."""
    return Ledger(context.database, work_settings(lease_s=lease_s).work, owner)


async def claim_one(ledger: Ledger, **folds: int) -> Claim:
    """Claim the one order that is due."""
    (claim,) = await ledger.exchange((), ["work"], 1, folds)
    return claim
