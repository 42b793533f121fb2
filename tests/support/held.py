"""Orders that wait for room: watched while a worker works beside the test."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from sqlalchemy import text

from armillary.base.work import State
from armillary.base.work.admin import OrderView, find_orders
from tests.support.archive import ORIGIN, Archive
from tests.support.edits import accept_one
from tests.support.patience import in_time

PATIENCE_S = 300.0
"""Longer than anything takes that ends at all, on a slow and busy machine too."""
MORE_THAN_ATTEMPTS = 6
"""More attempts than an order has that fails."""


@asynccontextmanager
async def working(archive: Archive) -> AsyncIterator[None]:
    """Let a worker of all kinds work until the end of the block."""
    stop = asyncio.Event()
    running = asyncio.create_task(archive.worker().run(stop))
    try:
        yield
    finally:
        stop.set()
        await running


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not await condition():
        in_time(end, "it never became so")
        await asyncio.sleep(0.02)


async def look(archive: Archive, order_id: int) -> OrderView:
    """Return how an order stands."""
    async with archive.context.database.begin() as connection:
        return (await find_orders(connection, [order_id]))[order_id]


async def accept(archive: Archive, name: str, **cards: object) -> int:
    """Accept an edit and return its order."""
    return (await accept_one(archive.context, {"generic": cards}, name, ORIGIN)).order_ids[0]


async def until_held(archive: Archive, *order_ids: int, tries: int = MORE_THAN_ATTEMPTS) -> None:
    """Wait until orders have been tried in vain so often, one of them for all, and still wait."""

    async def so_often() -> bool:
        # Every claim raises the fence.
        query = "SELECT coalesce(max(fence), 0), count(held) FROM work_order WHERE id = ANY(:ids)"
        async with archive.context.database.begin() as connection:
            row = (await connection.execute(text(query), {"ids": list(order_ids)})).one()
        return bool(row[0] >= tries and row[1] == len(order_ids))

    await until(so_often)


async def until_ended(archive: Archive, order_ids: Sequence[int]) -> None:
    """Wait until orders have ended, and see that all ended well."""

    async def ended() -> bool:
        found = [await look(archive, order_id) for order_id in order_ids]
        assert not [one.error for one in found if one.state is State.FAILED]
        return all(one.state is State.COMPLETED for one in found)

    await until(ended)
