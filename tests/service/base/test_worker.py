"""Workers run each order once, in order within a key, and survive everything but bad work."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from armillary.base.database_errors import is_transient
from armillary.base.postgres.server import EmbeddedServer
from armillary.base.signals import PostgresSignals
from armillary.base.work import (
    Claim,
    Outcome,
    Response,
    Retry,
    State,
    purge,
    submit,
    wait_for,
)
from armillary.errors import BadRequest, Unavailable
from tests.support.orders import a_worker, an_order, ends, queue, row
from tests.support.postgres import AContext, end_sessions, work_settings

WAIT_S, POLL_S = 60.0, work_settings().work.poll_s


async def test_untouched_claims_complete_with_null(context: AContext) -> None:
    async def handler(_context: AContext, _claims: Sequence[Claim]) -> None:
        return None

    ids = await queue(context.database, *map(an_order, range(40)))
    await a_worker(context, handler).drain()
    assert await ends(context.database, ids) == {i: Outcome(State.COMPLETED, Response()) for i in ids}


async def test_sixteen_consumers_in_two_workers_run_every_order_once(context: AContext) -> None:
    seen: list[int] = []

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        seen.extend(claim.order.id for claim in claims)
        await asyncio.sleep(0)

    ids = await queue(context.database, *map(an_order, range(500)))
    await asyncio.gather(*(a_worker(context, handler, slots=8).drain() for _ in range(2)))
    assert sorted(seen) == ids


async def test_one_key_runs_in_order_and_never_twice_at_once_whatever_the_priority(context: AContext) -> None:
    seen: dict[str, list[int]] = {}
    busy: set[str] = set()

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        for claim in claims:
            key = str(claim.order.key)
            assert key not in busy
            busy.add(key)
            await asyncio.sleep(0.001)
            seen.setdefault(key, []).append(claim.order.id)
            busy.remove(key)

    ids = await queue(context.database, *(an_order(n, key=f"k{n % 7}", priority=n) for n in range(140)))
    workers = [a_worker(context, handler, slots=8) for _ in range(2)]
    await asyncio.gather(*(worker.run_until(ids) for worker in workers))
    assert {key: sorted(found) for key, found in seen.items()} == seen
    assert sorted(i for found in seen.values() for i in found) == ids


async def test_work_begins_on_orders_while_others_are_being_queued(context: AContext) -> None:
    ran: list[int] = []
    first_ran = asyncio.Event()

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        ran.extend(claim.order.id for claim in claims)
        first_ran.set()

    async def queued() -> Sequence[int]:
        ids = await queue(context.database, *map(an_order, range(3)))
        await first_ran.wait()
        return [*ids, *await queue(context.database, *map(an_order, range(3)))]

    queueing = asyncio.create_task(queued())
    async with asyncio.timeout(WAIT_S):
        await a_worker(context, handler).run_until(queueing)
    assert len(ran) == 6
    assert sorted(ran) == sorted(queueing.result())


async def test_work_ends_with_what_queues_if_that_fails(context: AContext) -> None:
    async def queued() -> Sequence[int]:
        await queue(context.database, an_order(0))
        raise BadRequest("no more")

    async def handler(_context: AContext, _claims: Sequence[Claim]) -> None:
        return None

    async with asyncio.timeout(WAIT_S):
        with pytest.raises(BadRequest, match="no more"):
            await a_worker(context, handler).run_until(asyncio.create_task(queued()))


async def test_a_stop_waits_for_what_was_begun_but_not_for_what_can_be_interrupted(context: AContext) -> None:
    begun, let_go = asyncio.Event(), asyncio.Event()
    ended: list[int] = []

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        claims[0].complete(Response(value="early"))
        begun.set()
        await let_go.wait()
        ended.extend(claim.order.id for claim in claims)

    async def stopped(**kind: Any) -> list[int]:
        ids = await queue(context.database, an_order(0), an_order(1))
        stop = asyncio.Event()
        running = asyncio.create_task(a_worker(context, handler, slots=1, batch=2, **kind).run(stop))
        await begun.wait()
        stop.set()
        if not kind:
            # It shall have every chance to go without its work, and must not take it.
            await asyncio.wait({running}, timeout=0.2)
            assert not running.done()
            let_go.set()
        await asyncio.wait_for(running, WAIT_S)
        return ids

    early, late = await stopped(interruptible=True)
    assert ended == []
    assert [row.state for row in (await row(context.database, early), await row(context.database, late))] == [
        "Completed",
        "Queued",
    ]
    found = await row(context.database, late)
    assert (found.attempts, found.lease_owner, found.error) == (0, None, None)
    let_go.set()
    await a_worker(context, handler).drain()
    assert ended == [late]
    begun.clear()
    let_go.clear()
    ids = await stopped()
    assert set(await ends(context.database, ids)) == set(ids)


async def test_draining_stops_when_told_and_finishes_what_was_begun(context: AContext) -> None:
    stop = asyncio.Event()
    seen: list[int] = []

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        stop.set()
        await asyncio.sleep(0.01)
        seen.extend(claim.order.id for claim in claims)

    first, *others = await queue(context.database, *map(an_order, range(5)))
    await asyncio.wait_for(a_worker(context, handler, slots=1).drain(stop), WAIT_S)
    assert seen == [first]
    assert set(await ends(context.database, [first, *others])) == {first}
    assert [(await row(context.database, one)).attempts for one in others] == [0] * 4


async def test_an_order_waiting_for_a_retry_holds_up_its_key_only(context: AContext) -> None:
    seen: list[int] = []

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        order = claims[0].order
        seen.append(int(order.args["n"]))  # type: ignore[arg-type]
        if order.args["n"] == 0 and order.attempts == 1:
            raise Unavailable

    ids = await queue(context.database, an_order(0, key="k"), an_order(1, key="k"), an_order(2, key="other"))
    await a_worker(context, handler, slots=1).run_until(ids)
    assert seen == [0, 2, 0, 1]


async def test_larger_priority_goes_first(context: AContext) -> None:
    seen: list[int] = []

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        seen.append(claims[0].order.priority)

    await queue(context.database, *(an_order(priority=p) for p in (1, 5, 3)))
    await a_worker(context, handler, slots=1).drain()
    assert seen == [5, 3, 1]


async def test_a_domain_error_fails_at_once_with_its_words(context: AContext) -> None:
    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        raise BadRequest("no such keyword")

    ids = await queue(context.database, an_order())
    await a_worker(context, handler).drain()
    assert await ends(context.database, ids) == {
        ids[0]: Outcome(State.FAILED, Response.failure("no such keyword"))
    }
    assert (await row(context.database, ids[0])).attempts == 1


async def test_an_unexpected_error_is_tried_again_until_attempts_run_out(context: AContext) -> None:
    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        raise ZeroDivisionError("oh\x00")

    ids = await queue(context.database, an_order(max_attempts=3), an_order())
    await a_worker(context, handler, retry=Retry(0.001, 0.002, 2)).run_until(ids)
    rows = [await row(context.database, i) for i in ids]
    assert [(r.state, r.attempts, r.error) for r in rows] == [
        ("Failed", 3, "ZeroDivisionError: oh\ufffd"),
        ("Failed", 2, "ZeroDivisionError: oh\ufffd"),
    ]


async def test_a_postponed_order_costs_no_attempt(context: AContext) -> None:
    attempts: list[int] = []

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        attempts.append(claims[0].order.attempts)
        if len(attempts) < 4:
            claims[0].postpone(0.001, "still growing")

    ids = await queue(context.database, an_order(max_attempts=1))
    await a_worker(context, handler).run_until(ids)
    assert attempts == [1, 1, 1, 1]
    assert (await ends(context.database, ids))[ids[0]].state is State.COMPLETED


async def test_completion_and_its_effects_are_one_transaction(context: AContext) -> None:
    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        (claim,) = claims
        async with claim.completing({claim.order.id: Response(value={"n": 1})}) as connection:
            await submit(connection, [an_order(kind="next")], keyed_fifo=False)
            if claim.order.attempts == 1:
                raise Unavailable

    ids = await queue(context.database, an_order())
    await a_worker(context, handler).run_until(ids)
    assert (await ends(context.database, ids))[ids[0]].response == Response(value={"n": 1})
    async with context.database.begin() as connection:
        found = await connection.exec_driver_sql("SELECT count(*) FROM work_order WHERE kind = 'next'")
        assert found.scalar_one() == 1


async def test_waiting_orders_of_one_key_fold_behind_the_first(context: AContext) -> None:
    groups: list[list[int]] = []

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        for claim in claims:
            groups.append([int(o.args["n"]) for o in claim.orders])  # type: ignore[arg-type]
            assert len({o.fence for o in claim.orders}) == 1
            bad = claim.orders[-1]
            answers = {o.id: Response(value=o.args["n"]) for o in claim.orders[:-1]}
            async with claim.completing(answers | {bad.id: Response.failure("left out")}):
                pass

    ids = await queue(
        context.database, *(an_order(n, key="k") for n in range(3)), an_order(9, key="k", kind="other"),
        *(an_order(n, key="k") for n in range(3, 5)),
    )  # fmt: skip
    await a_worker(context, handler, fold=10).drain()
    assert groups == [[0, 1, 2]]
    found = await ends(context.database, ids)
    assert [found[i].state for i in ids[:3]] == [State.COMPLETED, State.COMPLETED, State.FAILED]
    assert set(found) == set(ids[:3])


async def test_a_batch_takes_more_orders_than_slots(context: AContext) -> None:
    sizes: list[int] = []

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        sizes.append(len(claims))
        await claims[1].fail(BadRequest("not this one"))

    ids = await queue(context.database, *map(an_order, range(25)))
    await a_worker(context, handler, slots=1, batch=10).drain()
    found = await ends(context.database, ids)
    assert sizes == [10, 10, 5]
    assert [n for n, i in enumerate(ids) if found[i].state is State.FAILED] == [1, 11, 21]


async def test_a_resubmission_during_the_run_runs_once_more_with_its_args_only(context: AContext) -> None:
    seen: list[dict[str, Any]] = []

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        seen.append(dict(claims[0].order.args))
        if len(seen) == 1:
            for n in (2, 3):
                await queue(context.database, an_order(unique_key="u", args={f"a{n}": n}))

    ids = await queue(context.database, an_order(unique_key="u", args={"force": True}))
    await a_worker(context, handler).drain()
    assert seen == [{"force": True}, {"a2": 2, "a3": 3}]
    assert await queue(context.database, an_order(unique_key="u")) != ids


async def test_a_lost_database_connection_delays_work_only(
    context: AContext, postgres: EmbeddedServer, database_name: str
) -> None:
    stop, seen = asyncio.Event(), 0

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        nonlocal seen
        seen += 1

    signals = PostgresSignals(context.database)
    running = asyncio.create_task(a_worker(context, handler).run(stop))
    ids = await queue(context.database, an_order())
    await wait_for(context.database, signals, ids, WAIT_S)
    await end_sessions(postgres, database_name)
    ids = []
    while not ids:
        try:
            ids = await queue(context.database, an_order(), an_order())
        except sa.exc.DBAPIError as error:
            if not is_transient(error):
                raise
    found = await wait_for(context.database, signals, ids, WAIT_S)
    stop.set()
    await running
    await signals.close()
    assert len(found) == 2
    assert seen == 3


async def test_stop_finishes_what_was_begun_and_begins_nothing(context: AContext) -> None:
    stop, begun = asyncio.Event(), asyncio.Event()

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        begun.set()
        await stop.wait()

    ids = await queue(context.database, an_order(), an_order())
    running = asyncio.create_task(a_worker(context, handler, slots=1).run(stop))
    await begun.wait()
    stop.set()
    await running
    assert set(await ends(context.database, ids)) == {ids[0]}
    assert (await row(context.database, ids[1])).attempts == 0


async def test_a_waiting_worker_starts_at_once(context: AContext) -> None:
    stop = asyncio.Event()

    async def handler(_context: AContext, claims: Sequence[Claim]) -> None:
        return None

    running = asyncio.create_task(a_worker(context, handler).run(stop))
    signals = PostgresSignals(context.database)
    seconds = []
    for _ in range(10):
        began = time.perf_counter()
        ids = await queue(context.database, an_order())
        assert await wait_for(context.database, signals, ids, WAIT_S)
        seconds.append(time.perf_counter() - began)
    stop.set()
    await running
    await signals.close()
    assert sorted(seconds)[5] < POLL_S / 10, "it waits for its next look at the queue"


async def test_waiting_ends_when_the_time_is_up(context: AContext) -> None:
    signals = PostgresSignals(context.database)
    ids = await queue(context.database, an_order())
    assert await wait_for(context.database, signals, ids, 0.01) == {}
    await signals.close()


async def test_ended_orders_are_kept_until_they_expire(context: AContext) -> None:
    async def handler(_context: AContext, _claims: Sequence[Claim]) -> None:
        return None

    ids = await queue(context.database, an_order(), an_order())
    await a_worker(context, handler).drain()
    async with context.database.begin() as connection:
        assert await purge(connection) == 0
        await connection.exec_driver_sql(
            "UPDATE work_order SET expires = now() - interval '1 s' WHERE id = $1", (ids[0],)
        )
        assert await purge(connection) == 1
    assert set(await ends(context.database, ids)) == {ids[1]}
