"""An order that takes over the place of another one goes before all that were accepted later, or not at all."""

from __future__ import annotations

from collections.abc import Sequence

from armillary.base.work import Claim, Response, State
from tests.support.orders import a_ledger, a_worker, an_order, claim_one, ends, queue
from tests.support.postgres import AContext


async def test_it_goes_before_later_ones_however_they_fold(context: AContext) -> None:
    groups: list[list[int]] = []

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        groups.extend([int(str(order.args["n"])) for order in claim.orders] for claim in claims)

    first, *_, fourth = await queue(context.database, *(an_order(n, key="k") for n in range(4)))
    async with context.database.begin() as connection:
        await connection.exec_driver_sql("DELETE FROM work_order WHERE id IN ($1, $2)", (first, first + 2))
    await queue(context.database, an_order(2, key="k", place=first + 2), an_order(0, key="k", place=first))
    await queue(context.database, an_order(4, key="k"))
    await a_worker(context, handler, fold=10).drain()
    assert [n for group in groups for n in group] == [0, 1, 2, 3, 4]
    assert fourth == first + 3
    # What comes later folds again.
    assert groups[-1] == [3, 4]


async def test_it_is_refused_once_a_later_one_was_claimed_under_its_eyes(context: AContext) -> None:
    done: list[int] = []

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        done.extend(int(str(claim.order.args["n"])) for claim in claims)

    first, second = await queue(context.database, an_order(0, key="k"), an_order(1, key="k"))
    async with context.database.begin() as connection:
        await connection.exec_driver_sql("DELETE FROM work_order WHERE id = $1", (first,))
    ledger = a_ledger(context, "quick")
    claim = await claim_one(ledger)
    assert claim.order.id == second
    (late,) = await queue(context.database, an_order(0, key="k", place=first))
    async with claim.completing({second: Response()}):
        pass
    await a_worker(context, handler).drain()
    await ledger.close()
    ended = (await ends(context.database, [late]))[late]
    assert ended.state is State.FAILED
    assert f"Order {second} of the same file" in ended.response.error
    assert "has been carried out" in ended.response.error
    assert done == []


async def test_the_end_of_a_later_one_that_failed_is_in_nobodys_way(context: AContext) -> None:
    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        return None

    first, second = await queue(context.database, an_order(0, key="k"), an_order(1, key="k"))
    async with context.database.begin() as connection:
        await connection.exec_driver_sql("DELETE FROM work_order WHERE id = $1", (first,))
        await connection.exec_driver_sql(
            "UPDATE work_order SET state = 'Failed', finished = now() WHERE id = $1", (second,)
        )
    (again,) = await queue(context.database, an_order(0, key="k", place=first))
    await a_worker(context, handler).drain()
    assert (await ends(context.database, [again]))[again].state is State.COMPLETED
