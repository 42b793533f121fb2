"""A failed order that is tried again by hand keeps its place among the orders of its file, or is refused."""

from __future__ import annotations

import pytest

from armillary.base.work import Worker, outcomes
from armillary.context import Context
from armillary.operations import orders
from armillary.operations.kinds import CANCEL, KINDS, RETRY
from armillary.operations.orders import NotRetryable
from tests.crash.night import frame_bytes
from tests.support.archive import ORIGIN, Archive, put
from tests.support.edits import accept_one
from tests.support.headers import a_file

NAME = "x.fits"


async def taken_in(archive: Archive) -> None:
    put(archive.directory / "night" / NAME, a_file())
    assert not (await archive.ingest(archive.directory / "night")).failed
    await archive.drain()


async def accept(archive: Archive, value: str) -> int:
    accepted = await accept_one(archive.context, {"generic": {"OBJECT": value}}, NAME, ORIGIN)
    return accepted.order_ids[0]


async def ask(archive: Archive, kind: str, order: int) -> int | None:
    """Have an order cancelled or tried again, and no other work done; return the order that it leads to."""
    context: Context = archive.context
    async with context.database.begin() as connection:
        asking = await orders.ask_for(connection, kind, order, actor="operator", address="")
    await Worker(context, KINDS, name="operator").run_until([asking])
    async with context.database.begin() as connection:
        response = (await outcomes(connection, [asking]))[asking].response
    if not response.ok:
        raise NotRetryable(response.error)
    assert isinstance(response.value, dict)
    return int(str(response.value["order"]))


async def in_order(archive: Archive) -> list[int]:
    """Return the orders whose edits changed the file, as they were carried out."""
    return [edit.order_id for edit in (await archive.history(NAME)).edits if edit.outcome == "changed"]


async def test_later_orders_that_wait_go_after_it(archive: Archive) -> None:
    await taken_in(archive)
    first, second, third, last = [await accept(archive, value) for value in ("one", "two", "three", "four")]
    for failed in (third, first):
        await ask(archive, CANCEL, failed)
    third_again = await ask(archive, RETRY, third)
    first_again = await ask(archive, RETRY, first)
    await archive.drain()
    assert await in_order(archive) == [first_again, second, third_again, last]
    assert await archive.verify() == {NAME: ""}


async def test_one_that_failed_again_is_tried_in_the_same_place(archive: Archive) -> None:
    await taken_in(archive)
    first, second = await accept(archive, "one"), await accept(archive, "two")
    await ask(archive, CANCEL, first)
    again = await ask(archive, RETRY, first)
    assert again is not None
    await ask(archive, CANCEL, again)
    once_more = await ask(archive, RETRY, again)
    await archive.drain()
    assert await in_order(archive) == [once_more, second]


async def test_it_is_refused_when_a_later_order_was_carried_out(archive: Archive) -> None:
    await taken_in(archive)
    first, second = await accept(archive, "one"), await accept(archive, "two")
    await ask(archive, CANCEL, first)
    await archive.drain()
    with pytest.raises(NotRetryable, match=f"Order {second} of the same file.*has been carried out"):
        await ask(archive, RETRY, first)
    assert await archive.unfinished() == 0
    assert await in_order(archive) == [second]


async def test_it_is_refused_while_a_later_order_may_have_done_something(archive: Archive) -> None:
    await taken_in(archive)
    first, second = await accept(archive, "one"), await accept(archive, "two")
    await ask(archive, CANCEL, first)
    async with archive.context.database.begin() as connection:
        await connection.exec_driver_sql("UPDATE work_order SET intent = '{}' WHERE id = $1", (second,))
    with pytest.raises(NotRetryable, match=f"Order {second} of the same file.*has begun"):
        await ask(archive, RETRY, first)


async def test_it_is_tried_again_once_at_a_time(archive: Archive) -> None:
    await taken_in(archive)
    first = await accept(archive, "one")
    await ask(archive, CANCEL, first)
    again = await ask(archive, RETRY, first)
    with pytest.raises(NotRetryable, match=f"Order {again} tries order {first} again already"):
        await ask(archive, RETRY, first)
    await archive.drain()
    with pytest.raises(NotRetryable, match=f"Order {again} of the same file.*has been carried out"):
        await ask(archive, RETRY, first)


async def test_orders_of_other_files_and_of_no_order_are_in_nobodys_way(archive: Archive) -> None:
    await taken_in(archive)
    first = await accept(archive, "one")
    await ask(archive, CANCEL, first)
    # To take the file in again is not to change it.
    await archive.ingest(archive.directory / "night", force=True)
    put(archive.directory / "night" / "y.fits", frame_bytes(1))
    await archive.ingest(archive.directory / "night" / "y.fits")
    await archive.edit("y.fits", {"generic": {"OBJECT": "another"}})
    again = await ask(archive, RETRY, first)
    await archive.drain()
    assert await in_order(archive) == [again]
