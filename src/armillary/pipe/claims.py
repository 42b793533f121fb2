"""Leased items: a worker that dies loses none, since its lease ends and the item is there again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.metrics import PIPE_HANDED_OUT
from armillary.context import Context
from armillary.pipe import claim_store, store
from armillary.pipe.errors import ClaimLost, UnknownQueue
from armillary.pipe.models import Claim, ClaimId

SLACK_S = 0.01
"""So long after a lease has ended it is looked for: a look at the very instant might be before it."""


async def claim(
    context: Context,
    queue: str,
    *,
    worker: str,
    count: int,
    lease_s: float,
    wait_s: float,
    is_gone: Callable[[], bool] = lambda: False,
) -> list[Claim]:
    """Lease up to ``count`` of the oldest items, waiting up to ``wait_s`` for the first.

    Raises
    ------
    UnknownQueue
        If there is no such queue, or not any more.
    """
    if not wait_s:
        return (await _claimed(context, queue, worker, count, lease_s))[1]
    clock = context.clock
    end = clock.monotonic() + wait_s
    async with context.signals.subscribe(store.ITEM_CHANNEL) as subscription:
        async with context.database.begin() as connection:
            await store.watch(connection, queue, wait_s)
        while True:
            found, claims = await _claimed(context, queue, worker, count, lease_s)
            left_s = end - clock.monotonic()
            if claims or left_s <= 0 or is_gone():
                return claims
            async with context.database.begin() as connection:
                next_s = await store.next_free_s(connection, found)
            await subscription.wait(left_s if next_s is None else min(left_s, max(0.0, next_s) + SLACK_S))


async def _claimed(
    context: Context, queue: str, worker: str, count: int, lease_s: float
) -> tuple[int, list[Claim]]:
    async with context.database.begin() as connection:
        found = await claim_store.claim_items(connection, queue, worker=worker, count=count, lease_s=lease_s)
    if found is None:
        raise UnknownQueue(f"Queue does not exist: {queue}")
    PIPE_HANDED_OUT.inc(len(found[1]))
    return found


async def queue_of(connection: AsyncConnection, claim_id: str) -> str | None:
    """Return the queue of the item that a claim holds, None if it holds none."""
    known = ClaimId.of_text(claim_id)
    return None if known is None else await claim_store.queue_of_claim(connection, known)


async def acknowledge(connection: AsyncConnection, claim_id: str) -> None:
    """Remove the item of a claim, which is done; to repeat that changes nothing.

    Raises
    ------
    ClaimLost
        If the lease has ended, or the item is not that claim's any more.
    """
    if not await claim_store.acknowledge(connection, _known(claim_id)):
        raise ClaimLost


async def give_back(
    connection: AsyncConnection, claim_id: str, *, delay_s: float, reason: str | None, dead: bool
) -> bool:
    """Give an item back to its old place, after a delay; tell whether it is a dead letter now.

    It is if that is asked for, or if this was the last attempt.

    Raises
    ------
    ClaimLost
        If the lease has ended, or the item is not that claim's any more.
    """
    found = await claim_store.give_back(
        connection, _known(claim_id), delay_s=delay_s, reason=reason, dead=dead
    )
    if found is None:
        raise ClaimLost
    is_dead, queue = found
    if not is_dead:
        # With a delay, too: those who wait have to know until when.
        await store.tell_free(connection, queue)
    return is_dead


async def extend(connection: AsyncConnection, claim_id: str, lease_s: float) -> datetime:
    """Let the lease of a claim end in ``lease_s`` from now; return when that is.

    Raises
    ------
    ClaimLost
        If the lease has ended, or the item is not that claim's any more.
    """
    until = await claim_store.extend(connection, _known(claim_id), lease_s)
    if until is None:
        raise ClaimLost
    return until


def _known(claim_id: str) -> ClaimId:
    found = ClaimId.of_text(claim_id)
    if found is None:
        raise ClaimLost("There is no claim with that id, or not any more.")
    return found
