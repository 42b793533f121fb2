"""Leases: what is claimed is invisible, comes back when its lease ends, and dies after so many attempts."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from armillary.context import Context
from armillary.pipe.errors import ClaimLost, UnknownDeadLetter, UnknownQueue
from armillary.pipe.models import Claim, QueueState
from armillary.pipe.service import Exchange, claims, queues
from tests.support.patience import in_time
from tests.support.pipe import QUEUE, a_new, claimed, drained, make, value_of, wanted

PATIENCE_S = 120.0


async def state(context: Context) -> QueueState:
    async with context.database.begin() as connection:
        return await queues.state(connection, QUEUE)


async def acknowledge(context: Context, claim: Claim) -> None:
    async with context.database.begin() as connection:
        await claims.acknowledge(connection, claim.claim_id)


async def give_back(
    context: Context, claim: Claim, *, delay_s: float = 0, reason: str | None = None, dead: bool = False
) -> bool:
    async with context.database.begin() as connection:
        return await claims.give_back(connection, claim.claim_id, delay_s=delay_s, reason=reason, dead=dead)


async def let_leases_end(context: Context) -> None:
    """Bring the end of all leases and delays forward, so that nobody has to wait for it."""
    async with context.database.raw() as connection:
        await connection.execute(
            "UPDATE pipe_item SET free_at = now() - interval '1 ms' WHERE free_at > now()"
        )


async def fill(exchange: Exchange, count: int) -> None:
    for number in range(count):
        await exchange.enqueue(a_new(number))


async def test_what_is_claimed_is_seen_by_nobody_else(context: Context, exchange: Exchange) -> None:
    await make(context)
    await fill(exchange, 4)
    found = await claimed(context, count=2, lease_s=60)
    assert [(value_of(one.item), one.attempt) for one in found] == [(0, 1), (1, 1)]
    left = found[0].lease_expires_at - datetime.now(UTC)
    assert timedelta(0) < left <= timedelta(seconds=61)
    assert (await state(context)).waiting == 2
    assert (await state(context)).leased == 2
    async with context.database.begin() as connection:
        assert await queues.counts(connection) == {QUEUE: 2}
        assert [value_of(one) for one in await queues.peek(connection, QUEUE, 10)] == [2, 3]
    assert await drained(exchange) == [2, 3]
    assert await claimed(context) == []


async def test_what_is_done_is_gone_however_often_that_is_said(context: Context, exchange: Exchange) -> None:
    await make(context)
    await fill(exchange, 1)
    (found,) = await claimed(context)
    await asyncio.gather(*(acknowledge(context, found) for _ in range(4)))
    await acknowledge(context, found)
    assert (await state(context)).leased == 0
    with pytest.raises(ClaimLost):
        await give_back(context, found)


async def test_a_lease_that_ends_frees_the_item_at_its_place(context: Context, exchange: Exchange) -> None:
    await make(context)
    await fill(exchange, 2)
    (first,) = await claimed(context)
    await let_leases_end(context)
    assert (await state(context)).waiting == 2
    (second,) = await claimed(context)
    assert (second.item, second.attempt) == (first.item, 2)
    # The first one is superseded, whatever it says.
    for late in (acknowledge(context, first), give_back(context, first)):
        with pytest.raises(ClaimLost):
            await late
    async with context.database.begin() as connection:
        with pytest.raises(ClaimLost):
            await claims.extend(connection, first.claim_id, 60)
    await acknowledge(context, second)
    assert await drained(exchange) == [1]


async def test_a_lapsed_claim_is_lost_although_nobody_has_the_item_yet(
    context: Context, exchange: Exchange
) -> None:
    await make(context)
    await fill(exchange, 1)
    (found,) = await claimed(context)
    await let_leases_end(context)
    with pytest.raises(ClaimLost):
        await acknowledge(context, found)
    assert await drained(exchange) == [0]


async def test_what_is_given_back_returns_after_its_delay(context: Context, exchange: Exchange) -> None:
    await make(context)
    await fill(exchange, 3)
    (first,) = await claimed(context)
    assert not await give_back(context, first, delay_s=3600, reason="no flat yet")
    assert [(s.waiting, s.delayed, s.leased) for s in [await state(context)]] == [(2, 1, 0)]
    (second,) = await claimed(context)
    assert value_of(second.item) == 1
    assert not await give_back(context, second)
    await let_leases_end(context)
    assert await drained(exchange) == [0, 1, 2]


async def test_a_longer_lease(context: Context, exchange: Exchange) -> None:
    await make(context)
    await fill(exchange, 1)
    (found,) = await claimed(context, lease_s=5)
    async with context.database.begin() as connection:
        until = await claims.extend(connection, found.claim_id, 600)
    assert until > found.lease_expires_at + timedelta(seconds=500)


async def test_after_the_last_attempt_an_item_is_a_dead_letter(context: Context, exchange: Exchange) -> None:
    await make(context, max_attempts=2)
    await fill(exchange, 3)
    for attempt in (1, 2):
        found = await claimed(context, count=2, worker=f"w{attempt}")
        assert [(value_of(one.item), one.attempt) for one in found] == [(0, attempt), (1, attempt)]
        assert await give_back(context, found[0], reason="no flat") == (attempt == 2)
        await let_leases_end(context)
    now = await state(context)
    assert (now.waiting, now.leased, now.dead) == (1, 0, 2)
    async with context.database.begin() as connection:
        dead = (await queues.dead_letters(connection, QUEUE, after=0, limit=10)).dead
        assert [(value_of(one.item), one.attempts, one.worker, one.reason) for one in dead] == [
            (0, 2, "w2", "no flat"),
            (1, 2, "w2", "The lease of the last attempt ended."),
        ]
        # They return to their places, with all attempts.
        assert await queues.requeue(connection, QUEUE, dead[1].item.id) == 1
        with pytest.raises(UnknownDeadLetter):
            await queues.requeue(connection, QUEUE, dead[1].item.id)
        await queues.discard(connection, QUEUE, dead[0].item.id)
        with pytest.raises(UnknownDeadLetter):
            await queues.discard(connection, QUEUE, dead[0].item.id)
    (again,) = await claimed(context)
    assert (value_of(again.item), again.attempt) == (1, 1)
    assert await drained(exchange) == [2]


async def test_dead_letters_come_in_pages(context: Context, exchange: Exchange) -> None:
    await make(context)
    await fill(exchange, 5)
    for one in await claimed(context, count=5):
        assert await give_back(context, one, dead=True)
    pages, after = [], 0
    while True:
        async with context.database.begin() as connection:
            page = await queues.dead_letters(connection, QUEUE, after=after, limit=2)
        pages.append([value_of(one.item) for one in page.dead])
        if page.next is None:
            break
        after = page.next
    assert pages == [[0, 1], [2, 3], [4]]
    async with context.database.begin() as connection:
        assert await queues.requeue(connection, QUEUE, None) == 5
    assert await drained(exchange) == list(range(5))


async def test_more_attempts_do_not_raise_the_dead(context: Context, exchange: Exchange) -> None:
    await make(context, max_attempts=1)
    await fill(exchange, 1)
    await claimed(context)
    await let_leases_end(context)
    async with context.database.begin() as connection:
        assert (await queues.set_options(connection, QUEUE, {"max_attempts": 5})).dead == 1
    assert await claimed(context) == []


async def test_whoever_waits_gets_an_item_when_it_comes(context: Context, exchange: Exchange) -> None:
    await make(context)
    waiting = [asyncio.create_task(claimed(context, wait_s=30.0)) for _ in range(3)]
    end = time.monotonic() + PATIENCE_S
    async with context.database.raw() as connection:
        while not await connection.fetchval("SELECT watched_until > now() FROM pipe_queue"):
            in_time(end, "nobody waits")
            await asyncio.sleep(0.01)
    await fill(exchange, 3)
    found = [one for task in waiting for one in await task]
    assert sorted(value_of(one.item) for one in found) == [0, 1, 2]


async def test_whoever_waits_gets_what_is_given_back_and_what_lapses(
    context: Context, exchange: Exchange
) -> None:
    await make(context)
    await fill(exchange, 1)
    (first,) = await claimed(context)
    waiting = asyncio.create_task(claimed(context, wait_s=30.0, lease_s=1.0))
    await asyncio.sleep(0)
    await give_back(context, first)
    (second,) = await waiting
    assert second.attempt == 2
    # Nobody tells of the end of a lease.
    (third,) = await claimed(context, wait_s=30.0)
    assert third.attempt == 3


async def test_waiting_ends_with_nothing(context: Context) -> None:
    await make(context)
    assert await claimed(context, wait_s=0.05) == []
    with pytest.raises(UnknownQueue):
        await claimed(context, "another")


async def test_claims_of_a_deleted_queue_are_lost(context: Context, exchange: Exchange) -> None:
    await make(context)
    await fill(exchange, 1)
    (found,) = await claimed(context)
    async with context.database.begin() as connection:
        await queues.delete(connection, QUEUE)
    with pytest.raises(ClaimLost):
        await acknowledge(context, found)


@pytest.mark.parametrize(
    "claim_id", ["", "x", "1", "1-2", "-1-" + "0" * 32, "9" * 30 + "-" + "0" * 32, "1-" + "g" * 32]
)
async def test_no_claim_has_such_an_id(context: Context, claim_id: str) -> None:
    async with context.database.begin() as connection:
        with pytest.raises(ClaimLost):
            await claims.acknowledge(connection, claim_id)


async def test_claims_and_takers_share_the_items(context: Context, exchange: Exchange) -> None:
    await make(context)
    await asyncio.gather(*(exchange.enqueue(a_new(n)) for n in range(200)))

    async def work() -> list[int]:
        done = []
        while found := await claimed(context, count=3):
            for one in found:
                await acknowledge(context, one)
                done.append(value_of(one.item))
        return done

    found = await asyncio.gather(*(work() for _ in range(3)), *(drained(exchange) for _ in range(3)))
    assert sorted(value for values in found for value in values) == list(range(200))
    assert await exchange.dequeue(wanted()) is None
