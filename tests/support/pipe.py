"""Queues in the hands of tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from armillary.context import Context
from armillary.pipe.models import Claim, Item, NewItem, Wanted
from armillary.pipe.service import Exchange, claims, payload_of, queues

QUEUE = "sq001"


def a_new(
    value: object = None, *, queue: str = QUEUE, sender: str = "sq001", key: str | None = None
) -> NewItem:
    """Return an item to send."""
    return NewItem(queue, sender, payload_of(msgspec.json.encode(value)), key)


def wanted(queue: str = QUEUE, *, is_gone: Callable[[], bool] = lambda: False) -> Wanted:
    """Return somebody who wants an item, and waits for it unless said otherwise."""
    return Wanted(queue, is_gone)


def value_of(item: Item | None) -> Any:
    """Return the value of a payload, None if there is no item."""
    return None if item is None else msgspec.json.decode(item.payload)


async def make(context: Context, queue: str = QUEUE, **options: object) -> None:
    """Create a queue, with options."""
    async with context.database.begin() as connection:
        await queues.create(connection, queue)
        if options:
            await queues.set_options(connection, queue, options)


async def drained(exchange: Exchange, queue: str = QUEUE) -> list[Any]:
    """Take everything out of a queue, and return its values in the order in which they came."""
    found = []
    while (item := await exchange.dequeue(wanted(queue))) is not None:
        found.append(value_of(item))
    return found


async def claimed(context: Context, queue: str = QUEUE, **options: Any) -> list[Claim]:
    """Claim items of a queue."""
    chosen = {"worker": "w", "count": 1, "lease_s": 300.0, "wait_s": 0.0} | options
    return await claims.claim(context, queue, **chosen)
