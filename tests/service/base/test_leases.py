"""What a worker claimed is its own while it lives, and somebody else's afterwards."""

from __future__ import annotations

import pytest

from armillary.base.work import LostLease, Response, State, submit
from armillary.base.work.intents import record_intents
from tests.support.orders import a_ledger, an_order, claim_one, ends, queue
from tests.support.postgres import AContext, work_settings

SHORT_S = 1e-6
"""Over before the claim has been committed."""


async def test_a_paused_worker_that_wakes_late_changes_nothing(context: AContext) -> None:
    (order_id,) = await queue(context.database, an_order(key="k"))
    paused, other = a_ledger(context, "paused", lease_s=SHORT_S), a_ledger(context, "other")
    late = await claim_one(paused)
    assert await other.sweep() == 1
    claim = await claim_one(other)
    assert (claim.order.id, claim.order.attempts) == (order_id, 2)
    assert claim.order.fence > late.order.fence

    async def complete_late() -> None:
        async with late.completing() as connection:
            await submit(connection, [an_order(kind="effect")], keyed_fifo=False)

    for attempt in (late.check, lambda: record_intents([(late, {})]), complete_late):
        with pytest.raises(LostLease):
            await attempt()
    late.settle()
    assert await paused.exchange(list(late.reports.values()), ["work"], 5, {}) == []
    async with claim.completing({order_id: Response(value="kept")}):
        pass
    assert (await ends(context.database, [order_id]))[order_id].response.value == "kept"
    await paused.close()
    await other.close()


async def test_renewed_leases_are_not_taken_back_and_lost_ones_are_noticed(context: AContext) -> None:
    await queue(context.database, an_order(key="a"), an_order(key="b"))
    ledger, other = a_ledger(context, "slow", lease_s=SHORT_S), a_ledger(context, "other")
    kept, lost = await ledger.exchange((), ["work"], 2, {})
    ledger.settings = work_settings().work
    del ledger.held[lost.order.id]
    await ledger.renew()
    assert await other.sweep() == 1
    ledger.held[lost.order.id] = lost
    await ledger.renew()
    assert (kept.lost, lost.lost) == (False, True)
    await ledger.close()
    await other.close()


async def test_orders_whose_workers_keep_dying_fail(context: AContext) -> None:
    (order_id,) = await queue(context.database, an_order(max_attempts=2))
    ledger = a_ledger(context, "dying", lease_s=SHORT_S)
    for _ in range(2):
        await claim_one(ledger)
        await ledger.sweep()
    found = (await ends(context.database, [order_id]))[order_id]
    assert (found.state, found.response.ok) == (State.FAILED, False)
    assert "dying stopped during attempt 2" in found.response.error
    await ledger.close()


async def test_the_intent_survives_the_worker(context: AContext) -> None:
    await queue(context.database, an_order(key="k"))
    first, second = a_ledger(context, "first", lease_s=SHORT_S), a_ledger(context, "second")
    await record_intents([(await claim_one(first), {"sha": "abc"})])
    await second.sweep()
    assert (await claim_one(second)).order.intent == {"sha": "abc"}
    await first.close()
    await second.close()


async def test_claims_whose_answer_was_lost_are_given_back(context: AContext) -> None:
    (order_id,) = await queue(context.database, an_order())
    ledger = a_ledger(context, "us")
    await claim_one(ledger)
    ledger.held.clear()
    ledger.doubtful = True
    again = await claim_one(ledger)
    assert (again.order.id, again.order.attempts) == (order_id, 1)
    await ledger.close()
