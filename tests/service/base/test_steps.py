"""Work that is made in steps tells of each when it is made, and can be cancelled between two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from armillary.base.work import Claim, LostLease, OrderCancelled, State, step
from armillary.base.work.admin import OrderView, cancel, find_orders
from armillary.base.work.intents import record_intents
from armillary.base.work.steps import Steps
from armillary.errors import BadRequest, Unavailable
from tests.support.orders import a_ledger, a_worker, an_order, claim_one, queue
from tests.support.postgres import AContext

KEEP_S = 3600.0


async def view(context: AContext, order_id: int) -> OrderView:
    """Return an order as others see it."""
    async with context.database.begin() as connection:
        return (await find_orders(connection, [order_id]))[order_id]


async def cancelled(context: AContext, order_id: int) -> State | None:
    """Cancel an order; return its state then, None if that cannot be."""
    async with context.database.begin() as connection:
        return await cancel(connection, order_id, "Cancelled by observer.", keep_s=KEEP_S)


def told(order: OrderView) -> list[tuple[Any, ...]]:
    """Return the steps of an order without their durations."""
    return [
        (one["name"], one["outcome"], one["why"], *[v for k, v in one.items() if k == "hdu"])
        for one in order.steps or ()
    ]


async def test_steps_are_seen_as_they_are_made_with_outcomes_and_reasons(context: AContext) -> None:
    seen: list[OrderView] = []

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        (claim,) = claims
        async with step(claim, "read"):
            seen.append(await view(context, claim.order.id))
        async with step(claim, "header", hdu=1) as one:
            one.skip("it is the same")
            seen.append(await view(context, claim.order.id))
        steps = Steps(claim)
        async with context.database.begin() as connection:
            async with steps.step("metadata", connection):
                pass
            steps.note("tags", hdu=0).skip("there are none")
            await steps.store(connection)
            seen.append(await view(context, claim.order.id))

    (order,) = await queue(context.database, an_order())
    await a_worker(context, handler).drain()
    assert [(one.step, told(one)) for one in seen] == [
        ("read", []),
        ("header", [("read", "done", "")]),
        # The step of a transaction is told when that is committed.
        ("header", [("read", "done", ""), ("header", "skipped", "it is the same", 1)]),
    ]
    found = await view(context, order)
    assert (found.state, found.step) == (State.COMPLETED, None)
    assert told(found)[-2:] == [("metadata", "done", ""), ("tags", "skipped", "there are none", 0)]
    assert all(one["ms"] >= 0 for one in found.steps or ())  # type: ignore[operator]


async def test_of_a_transaction_that_fails_only_the_failed_step_is_stored(context: AContext) -> None:
    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        (claim,) = claims
        steps = Steps(claim)
        try:
            async with steps.step("read"):
                pass
            async with claim.completing() as connection:
                async with steps.step("product", connection):
                    pass
                async with steps.step("tags", connection):
                    raise BadRequest("no such word")
        except BadRequest as error:
            await steps.store_failed()
            await claim.fail(error)

    (order,) = await queue(context.database, an_order())
    await a_worker(context, handler).drain()
    found = await view(context, order)
    assert (found.state, found.error) == (State.FAILED, "no such word")
    assert told(found) == [("read", "done", ""), ("tags", "failed", "no such word")]


async def test_an_error_is_stored_with_its_code_and_the_step_and_the_next_try_begins_anew(
    context: AContext,
) -> None:
    errors: list[Exception] = [Unavailable("the host is away"), ValueError("odd"), BadRequest("no HDU")]
    seen: list[OrderView] = []

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        seen.append(await view(context, claims[0].order.id))
        async with step(claims[0], "read"):
            pass
        async with step(claims[0], "parse"):
            raise errors[len(seen) - 1]

    (order,) = await queue(context.database, an_order())
    await a_worker(context, handler).run_until([order])
    assert [(one.steps, one.error_code) for one in seen] == [(None, None)] * 3
    found = await view(context, order)
    assert (found.state, found.error_code, found.step, found.error) == (
        State.FAILED,
        "bad_request",
        "parse",
        "no HDU",
    )
    assert told(found) == [("read", "done", ""), ("parse", "failed", "no HDU")]
    assert found.response
    assert found.response.code == "bad_request"


async def test_an_unexpected_error_has_a_code_too(context: AContext) -> None:
    async def handler(_context: AContext, _claims: Sequence[Claim]) -> None:
        raise ValueError("odd")

    (order,) = await queue(context.database, an_order(max_attempts=1))
    await a_worker(context, handler).drain()
    assert (await view(context, order)).error_code == "internal"


async def test_running_work_is_cancelled_before_its_next_step(context: AContext) -> None:
    answers: list[State | None] = []

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        answers.append(await cancelled(context, claims[0].order.id))
        async with step(claims[0], "one"):
            answers.append(await cancelled(context, claims[0].order.id))
        async with step(claims[0], "two"):
            raise AssertionError("cancelled before")

    (order,) = await queue(context.database, an_order())
    await a_worker(context, handler).drain()
    assert answers == [None, State.STARTED]
    found = await view(context, order)
    assert (found.state, found.error, found.error_code) == (
        State.FAILED,
        "Cancelled by observer.",
        OrderCancelled.code,
    )
    assert told(found) == [("one", "done", "")]


async def test_what_was_cancelled_is_not_tried_again_unless_it_is_in_doubt(context: AContext) -> None:
    runs = 0

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        nonlocal runs
        runs += 1
        (claim,) = claims
        async with step(claim, "write"):
            if runs <= 2:
                assert await cancelled(context, claim.order.id) is State.STARTED
            if runs == 2:
                await record_intents([(claim, {"to": "write"})])
            if runs < 3:
                raise Unavailable

    plain, doubtful = await queue(context.database, an_order(key="a"), an_order(key="a"))
    await a_worker(context, handler, slots=1).run_until([plain, doubtful])
    found = await view(context, plain)
    assert (found.state, found.error_code, found.response and found.response.ok) == (
        State.FAILED,
        OrderCancelled.code,
        False,
    )
    assert ((await view(context, doubtful)).state, runs) == (State.COMPLETED, 3)


async def test_waiting_work_is_cancelled_at_once(context: AContext) -> None:
    (order,) = await queue(context.database, an_order())
    assert await cancelled(context, order) is State.FAILED
    assert (await view(context, order)).error_code == OrderCancelled.code
    assert await cancelled(context, order) is None


async def test_a_run_that_lost_its_order_writes_no_step(context: AContext) -> None:
    (order,) = await queue(context.database, an_order())
    ledger = a_ledger(context, "slow", lease_s=0.001)
    claim = await claim_one(ledger)
    other = a_ledger(context, "quick")
    while not await other.sweep():
        pass
    with pytest.raises(LostLease):
        async with step(claim, "late"):
            raise AssertionError("not ours")
    found = await view(context, order)
    assert (found.steps, found.state) == (None, State.QUEUED)
    await ledger.close()
    await other.close()
