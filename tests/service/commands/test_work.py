"""Commands help with the queue while they wait for orders of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from armillary.base.work import NewOrder, State, submit, wait_for
from armillary.commands.work import finish
from armillary.errors import BadRequest
from tests.support.archive import Archive

PATIENCE_S = 300.0


async def queue(archive: Archive, count: int) -> list[int]:
    """Queue orders of which each is answered with its number."""
    orders = [NewOrder(kind="echo", args={"echo": number}) for number in range(count)]
    async with archive.context.database.begin() as connection:
        return await submit(connection, orders, keyed_fifo=False)


async def test_a_command_helps_before_all_of_its_orders_are_queued(archive: Archive) -> None:
    async def queued() -> Sequence[int]:
        first = await queue(archive, 3)
        # Nobody else is there to carry them out.
        assert len(await wait_for(archive.context.database, archive.context.signals, first, PATIENCE_S)) == 3
        return [*first, *await queue(archive, 2)]

    shown: list[int] = []
    async with asyncio.timeout(PATIENCE_S):
        ended = await finish(archive.context, asyncio.create_task(queued()), show=shown.append)
    assert [one.state for one in ended.values()] == [State.COMPLETED] * 5
    assert sorted(one.response.value for one in ended.values()) == [0, 0, 1, 1, 2]


async def test_a_command_fails_with_what_keeps_its_orders_from_being_queued(archive: Archive) -> None:
    async def queued() -> Sequence[int]:
        await queue(archive, 1)
        raise BadRequest("no more")

    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(BadRequest, match="no more"):
            await finish(archive.context, asyncio.create_task(queued()))
    helping = [one for one in asyncio.all_tasks() if "run_until" in str(one.get_coro())]
    assert helping == []
