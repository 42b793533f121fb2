"""What people may ask of a work order: not to run, or to run once more.

The web may not change orders, so it submits an order of its own that says what to do; a worker does it. What ran
once is never run again under its number: it stays on record, and a new order takes its place among those of its
file, before all that were accepted later. If one of these has been carried out, that is refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base import work
from armillary.base.work import (
    Claim,
    JsonObject,
    JsonValue,
    NewOrder,
    Response,
    State,
    completing_all,
    submit,
)
from armillary.base.work.admin import OrderView, cancel, find_orders, run_now
from armillary.base.work.places import Overtaken, check_place, place_of, retried_by
from armillary.context import Context
from armillary.edits.service import record_failures
from armillary.errors import ArmillaryError
from armillary.operations.errors import NotCancellable, NotRetryable, OrderNotFound
from armillary.operations.kinds import CANCEL, RETRY

AT_ONCE = 2_000_000_000
"""A priority before all others: such orders take a millisecond, and somebody waits."""
DAY_S, PATIENCE_S = 86_400.0, 10.0
_Act = Callable[[Context, AsyncConnection, OrderView, str], Awaitable[JsonValue]]


async def find_order(connection: AsyncConnection, order_id: int) -> OrderView:
    """Return an order.

    Raises
    ------
    OrderNotFound
        If there is none.
    """
    found = (await find_orders(connection, [order_id])).get(order_id)
    if found is None:
        raise OrderNotFound(f"There is no work order {order_id}, or its record has expired.")
    return found


async def ask_for(connection: AsyncConnection, kind: str, order_id: int, *, actor: str, address: str) -> int:
    """Queue a cancellation or a retry and return the order that asks for it.

    Raises
    ------
    OrderNotFound, NotCancellable, NotRetryable
        If it is plain already that it will fail.
    """
    order = await find_order(connection, order_id)
    if kind == CANCEL:
        _check_cancel(order)
    else:
        await _check_retry(connection, order)
    args: JsonObject = {"order": order_id, "address": address}
    return await work.ask(connection, kind, args, actor=actor, priority=AT_ONCE)


async def carry_out(
    context: Context, kind: str, order_id: int, *, actor: str, address: str
) -> tuple[int, JsonValue]:
    """Have a worker cancel or retry an order; return the order that asks for it, and what that brought.

    That is None if no worker has done it within ten seconds.

    Raises
    ------
    OrderNotFound, NotCancellable, NotRetryable
        If it is not possible.
    """
    async with context.database.begin() as connection:
        asking = await ask_for(connection, kind, order_id, actor=actor, address=address)
    ended = (await work.wait_for(context.database, context.signals, [asking], PATIENCE_S)).get(asking)
    if ended is None:
        return asking, None
    if not ended.response.ok:
        raise (NotCancellable if kind == CANCEL else NotRetryable)(ended.response.error)
    return asking, ended.response.value


def _check_cancel(order: OrderView) -> None:
    if order.in_doubt:
        raise NotCancellable(
            f"Order {order.id} may have changed its file already; wait for its end, then revert the edit."
        )
    if order.state is State.STARTED and order.steps is not None:
        return
    if order.state is not State.QUEUED:
        raise NotCancellable(
            f"Order {order.id} is {order.state}; only one that is {State.QUEUED} can be cancelled."
        )


async def _check_retry(connection: AsyncConnection, order: OrderView) -> None:
    if order.kind in (CANCEL, RETRY):
        raise NotRetryable(f"Order {order.id} asked about another order; ask again.")
    if order.state not in (State.FAILED, State.QUEUED):
        raise NotRetryable(
            f"Order {order.id} is {order.state}; only one that is {State.FAILED} can be tried again."
        )
    if order.state is State.FAILED and place_of(order) is not None:
        if (again := await retried_by(connection, order)) is not None:
            raise NotRetryable(f"Order {again} tries order {order.id} again already.")
        try:
            await check_place(connection, order)
        except Overtaken as error:
            raise NotRetryable(error.message) from None


async def cancel_order(context: Context, claims: Sequence[Claim]) -> None:
    """Take orders out of the queue that have not begun; each goes on record as failed."""
    for claim in claims:
        await _answered(claim, _cancel, context)
    # The permanent record of edits holds those that never ran, too.
    await record_failures(context)


async def retry_order(context: Context, claims: Sequence[Claim]) -> None:
    """Queue failed orders once more, and let those run now that wait for their time."""
    for claim in claims:
        await _answered(claim, _retry, context)


async def _answered(claim: Claim, act: _Act, context: Context) -> None:
    responses: dict[int, Response] = {}
    try:
        async with completing_all([claim], responses) as connection:
            order = await find_order(connection, int(str(claim.order.args["order"])))
            value = await act(context, connection, order, claim.order.actor)
            responses[claim.order.id] = Response(value=value)
    except ArmillaryError as error:
        await claim.fail(error)


async def _cancel(context: Context, connection: AsyncConnection, order: OrderView, actor: str) -> JsonValue:
    _check_cancel(order)
    keep_s = context.settings.work.keep_days * DAY_S
    state = await cancel(connection, order.id, f"Cancelled by {actor}.", keep_s=keep_s)
    if state is None:
        # A worker claimed it since the look above.
        _check_cancel(await find_order(connection, order.id))
        raise NotCancellable
    return {"order": order.id, "state": str(state)}


async def _retry(context: Context, connection: AsyncConnection, order: OrderView, actor: str) -> JsonValue:
    await _check_retry(connection, order)
    if order.state is State.QUEUED:
        await run_now(connection, order.id)
        return {"order": order.id}
    again = NewOrder(
        kind=order.kind,
        args={**order.args, "retries": order.id, "retried_by": actor},
        key=order.key,
        priority=order.priority,
        max_attempts=order.max_attempts,
        unique_key=order.unique_key,
        actor=order.actor,
        batch=order.batch,
        place=place_of(order),
    )
    return {"order": (await submit(connection, [again], keyed_fifo=True))[0]}
