"""The place of an order among those of its key, which one that is tried again by hand takes over.

Later orders that only wait go after it. Once one of them has been carried out it is too late: the older request
would undo the newer one.
"""

from __future__ import annotations

from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import Database
from armillary.base.work import statements
from armillary.base.work.claim import Claim
from armillary.base.work.models import State
from armillary.errors import Conflict


class Overtaken(Conflict):
    """A later order of the same file has been carried out; send the request anew if it is still wanted."""

    code = "order_overtaken"


class Placed(Protocol):
    """An order, as it is claimed or looked at."""

    @property
    def id(self) -> int:
        """Its number."""

    @property
    def key(self) -> str | None:
        """What it excludes others from."""

    @property
    def unique_key(self) -> str | None:
        """What it merges by."""

    @property
    def place(self) -> int | None:
        """Its place, if the number does not tell it."""


def place_of(order: Placed) -> int | None:
    """Return the place that a new attempt of an order takes over, if the order of its kind matters."""
    if order.key is None or order.unique_key is not None:
        return None
    return order.id if order.place is None else order.place


async def check_place(connection: AsyncConnection, order: Placed) -> None:
    """Refuse an order whose turn is over.

    Raises
    ------
    Overtaken
        If a later order of its key has been carried out, is at it, or may have done something.
    """
    if (place := place_of(order)) is None:
        return
    # Of equal places the one with the higher number came later: it is the retry of a retry.
    found = await connection.exec_driver_sql(statements.LATER, (order.key, place, order.id))
    if (later := found.first()) is None:
        return
    doing = {State.COMPLETED: "has been carried out", State.STARTED: "is being carried out"}
    raise Overtaken(
        f"Order {later.id} of the same file, accepted after order {place}, {doing.get(later.state, 'has begun')}:"
        " the older request would undo the newer one. Send it anew if it is still wanted."
    )


async def retried_by(connection: AsyncConnection, order: Placed) -> int | None:
    """Return the unfinished order that takes the place of this one already, if there is one."""
    values = (order.key, place_of(order), order.id)
    found: int | None = (await connection.exec_driver_sql(statements.RETRYING, values)).scalar()
    return found


async def refuse_late(database: Database, claim: Claim) -> bool:
    """End the order of a claim that came into its place too late; tell whether it did.

    When it was put there a later one may just have been claimed. Now that the key is ours that cannot change.
    """
    # Almost no order has one, and so almost none costs a statement.
    if claim.order.place is None:
        return False
    try:
        async with database.begin() as connection:
            await check_place(connection, claim.order)
    except Overtaken as error:
        await claim.fail(error)
        return True
    return False
