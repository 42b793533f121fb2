"""Orders of one unique key: how they merge, that there is one more run, what a run leaves to the next."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from armillary.base.database import Database
from armillary.base.work import NO_LIMIT, Claim, Merging, NewOrder, Retry, State, ask, submit
from armillary.errors import BadRequest, Unavailable
from tests.support.orders import a_ledger, a_worker, an_order, claim_one, ends, queue, row
from tests.support.postgres import AContext

POLICY = Merging(sticky=("force",), optional=("owners",), keep=True)


def wish(policy: Merging = POLICY, **args: Any) -> NewOrder:
    """Return an order with the unique key `work:u`."""
    return NewOrder(kind="work", args=args, unique_key="work:u", merging=policy)


async def submitted(database: Database, *orders: NewOrder) -> list[int]:
    """Submit orders, each in a transaction of its own; return their ids."""
    return [(await queue(database, order))[0] for order in orders]


values = st.sampled_from([None, True, False, 0, 1, "", "a", [], ["a"], {}])
arguments = st.dictionaries(st.sampled_from(["force", "owners", "path"]), values)
names = st.lists(st.sampled_from(["force", "owners", "path"]), unique=True).map(tuple)


@given(st.lists(st.tuples(arguments, arguments, names, names), min_size=1, max_size=30))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_database_merges_as_the_model_does(
    worker_db: Database, cases: list[tuple[dict[str, Any], dict[str, Any], tuple[str, ...], tuple[str, ...]]]
) -> None:
    policies = [Merging(sticky=sticky, optional=optional) for _, _, sticky, optional in cases]
    query = """
    SELECT work_order_merged(f::jsonb, l::jsonb, m::jsonb) FROM
        unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS c (f, l, m, place) ORDER BY place
    """
    columns = (
        [json.dumps(former) for former, _, _, _ in cases],
        [json.dumps(later) for _, later, _, _ in cases],
        [json.dumps(policy.to_json()) for policy in policies],
    )
    async with worker_db.begin() as connection:
        found = (await connection.exec_driver_sql(query, columns)).scalars().all()
    assert list(found) == [
        policy.merged(case[0], case[1]) for policy, case in zip(policies, cases, strict=True)
    ]


async def test_what_waits_takes_what_is_said_keeps_what_is_sticky_and_ignores_what_is_not_said(
    context: AContext,
) -> None:
    ids = await submitted(
        context.database,
        wish(force=True, owners=["a"], path="x"),
        wish(force=False, owners=None, path="y"),
        wish(owners=[]),
    )
    assert len(set(ids)) == 1
    found = await row(context.database, ids[0])
    assert (found.args, found.revision) == ({"force": True, "owners": [], "path": "y"}, 3)


async def test_one_more_run_follows_however_often_an_order_is_submitted_meanwhile(context: AContext) -> None:
    seen: list[dict[str, Any]] = []
    later: list[int] = []

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        seen.append(dict(claims[0].order.args))
        if len(seen) == 1:
            later.extend(await submitted(context.database, wish(force=True), wish(path="y"), wish(owners=[])))

    (first,) = await submitted(context.database, wish(path="x", owners=["a"]))
    await a_worker(context, handler).drain()
    assert seen == [{"path": "x", "owners": ["a"]}, {"force": True, "path": "y", "owners": []}]
    assert len(set(later)) == 1
    assert first not in later
    assert {order: one.state for order, one in (await ends(context.database, [first, *later])).items()} == {
        first: State.COMPLETED,
        later[0]: State.COMPLETED,
    }
    assert (await row(context.database, later[0])).revision == 4
    (last,) = await submitted(context.database, wish())
    found = await row(context.database, last)
    assert (found.args, found.revision) == ({}, 5)


@pytest.mark.parametrize("keep", [True, False])
async def test_a_failed_run_leaves_its_arguments_to_the_next_if_they_are_to_be_kept(
    context: AContext, keep: bool
) -> None:
    seen: list[dict[str, Any]] = []
    policy = Merging(sticky=("force",), keep=keep)

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        seen.append(dict(claims[0].order.args))
        if len(seen) == 1:
            await submitted(context.database, wish(policy, force=False, path="y"))
        if len(seen) < 3:
            raise BadRequest("not this time")

    await submitted(context.database, wish(policy, force=True, owners=["a"]))
    await a_worker(context, handler).drain()
    await submitted(context.database, wish(policy, path="z"))
    await a_worker(context, handler).drain()
    await submitted(context.database, wish(policy))
    await a_worker(context, handler).drain()
    kept = {"force": True, "owners": ["a"]}
    assert seen == [
        kept,
        {**kept, "path": "y"} if keep else {"force": False, "path": "y"},
        {**kept, "path": "z"} if keep else {"path": "z"},
        {},
    ]


async def test_an_order_that_waits_for_another_try_takes_part_in_merging_and_runs_at_once(
    context: AContext,
) -> None:
    seen: list[dict[str, Any]] = []

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        seen.append(dict(claims[0].order.args))
        if len(seen) == 1:
            claims[0].postpone(3600.0)

    (first,) = await submitted(context.database, wish(path="x"))
    await a_worker(context, handler).drain()
    assert await submitted(context.database, wish(force=True)) == [first]
    await a_worker(context, handler).drain()
    assert seen == [{"path": "x"}, {"path": "x", "force": True}]
    assert len(await ends(context.database, [first])) == 1


async def test_a_run_that_goes_back_into_the_queue_finds_what_waits_behind_it_and_goes_first(
    context: AContext,
) -> None:
    ledger = a_ledger(context, "first")
    (first,) = await submitted(context.database, wish(path="x"))
    claim = await claim_one(ledger)
    (behind,) = await submitted(context.database, wish(path="y"))
    claim.interrupt()
    assert await ledger.exchange(list(claim.reports.values()), (), 0, {}) == []
    assert await submitted(context.database, wish(force=True)) == [behind]
    assert (await claim_one(ledger)).order.id == first
    await ledger.close()


async def test_two_orders_of_a_unique_key_never_run_at_once_even_without_a_key(context: AContext) -> None:
    ledger = a_ledger(context, "two")
    await submitted(context.database, wish())
    await claim_one(ledger)
    await submitted(context.database, wish())
    assert await ledger.exchange((), ["work"], 5, {}) == []
    await ledger.close()


async def test_the_web_merges_orders_of_the_kinds_that_it_may_and_no_others(
    web_db: Database, context: AContext
) -> None:
    async def ingest(**args: Any) -> int:
        order = NewOrder(kind="ingest", args=args, key="1:a", unique_key="ingest:1:a", merging=POLICY)
        async with web_db.begin() as connection:
            return (await submit(connection, [order], keyed_fifo=False))[0]

    first = await ingest(force=True)
    assert await ingest(force=False, path="x") == first
    found = await row(context.database, first)
    assert (found.args, found.revision, found.key) == ({"force": True, "path": "x"}, 2, "1:a")
    for order in (
        NewOrder(kind="digest", args={}, unique_key="digest:1"),
        NewOrder(kind="ingest", args={}, unique_key="digest:1"),
    ):
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
            async with web_db.begin() as connection:
                await submit(connection, [order], keyed_fifo=False)


async def test_those_who_ask_for_the_same_share_an_order_while_it_waits(
    web_db: Database, context: AContext
) -> None:
    async def asked(name: str) -> int:
        async with web_db.begin() as connection:
            args = {"destination": name}
            return await ask(connection, "retry_exports", args, actor="a", unique_key=f"retry_exports:{name}")

    first = await asked("mirror")
    assert await asked("mirror") == first
    assert await asked("tape") != first
    assert (await row(context.database, first)).response_required is True


async def test_attempts_without_limit_end_with_success_only(context: AContext) -> None:
    runs = 0

    async def handler(_context: AContext, _claims: Sequence[Claim]) -> None:
        nonlocal runs
        runs += 1
        if runs % 12:
            raise Unavailable

    stubborn, usual = await queue(context.database, an_order(max_attempts=NO_LIMIT), an_order())
    await a_worker(context, handler, retry=Retry(0.001, 0.002, 2)).run_until([stubborn, usual])
    found = await ends(context.database, [stubborn, usual])
    assert [found[one].state for one in (stubborn, usual)] == [State.COMPLETED, State.FAILED]
    assert found[usual].response.code == Unavailable.code
    runs = 0
    (order,) = await queue(context.database, an_order())
    await a_worker(context, handler, retry=Retry(0.001, 0.002, None)).run_until([order])
    assert ((await row(context.database, order)).attempts, runs) == (12, 12)


async def test_the_death_of_its_workers_ends_an_order_only_if_its_attempts_are_limited(
    context: AContext,
) -> None:
    endless, limited = await queue(
        context.database, an_order(key="a", max_attempts=NO_LIMIT), an_order(key="b", max_attempts=2)
    )
    for _ in range(5):
        ledger = a_ledger(context, "dead", lease_s=0.001)
        await ledger.exchange((), ["work"], 2, {})
        await ledger.close()
        other = a_ledger(context, "other")
        taken = 0
        while taken == 0 and (await row(context.database, endless)).state == "Started":
            taken = await other.sweep()
        await other.close()
    assert (await row(context.database, endless)).state == "Queued"
    found = await row(context.database, limited)
    assert (found.state, found.error_code) == ("Failed", "worker_lost")
