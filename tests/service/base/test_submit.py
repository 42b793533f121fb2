"""Orders enter in the caller's transaction, in order, and merge when told to."""

import asyncio
import json
from uuid import uuid4

import pytest
import sqlalchemy as sa

from armillary.base.database import Database
from armillary.base.work import NewOrder, submit, unfinished
from tests.support.postgres import AContext


def an_order(**changes: object) -> NewOrder:
    return NewOrder(**({"kind": "echo", "args": {}} | changes))  # type: ignore[arg-type]


async def column(database: Database, name: str) -> list[object]:
    async with database.begin() as connection:
        found = await connection.exec_driver_sql(f"SELECT {name} FROM work_order ORDER BY id")
        return [row[0] for row in found]


async def test_ids_rise_in_the_order_given(worker_db: Database) -> None:
    orders = [an_order(args={"n": n}) for n in range(50)]
    async with worker_db.begin() as connection:
        ids = await submit(connection, orders, keyed_fifo=False)
    assert ids == sorted(set(ids))
    assert await column(worker_db, "args") == [{"n": n} for n in range(50)]


async def test_every_field_is_stored(worker_db: Database) -> None:
    request_id = uuid4()
    order = an_order(
        args={"café": "λ\x00"}, key="k", priority=3, max_attempts=2, request_id=request_id, item_index=7,
        actor="odb", batch="night", response_required=True,
    )  # fmt: skip
    async with worker_db.begin() as connection:
        await submit(connection, [order], keyed_fifo=True)
        (found,) = await unfinished(connection, "echo", ["k", "other"])
    assert found.args == {"café": "λ\ufffd", "batch": "night"}
    assert (found.priority, found.max_attempts, found.request_id, found.item_index) == (3, 2, request_id, 7)
    assert (found.actor, found.batch, found.response_required) == ("odb", "night", True)


async def test_nothing_is_queued_when_the_transaction_fails(worker_db: Database) -> None:
    async def break_off() -> None:
        async with worker_db.begin() as connection:
            await submit(connection, [an_order()], keyed_fifo=False)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await break_off()
    assert await column(worker_db, "id") == []


async def test_orders_of_one_key_get_ids_in_order_of_commit(worker_db: Database) -> None:
    first_has_its_id, may_commit = asyncio.Event(), asyncio.Event()
    ids: list[int] = []

    async def slow() -> None:
        async with worker_db.begin() as connection:
            ids.extend(await submit(connection, [an_order(key="k")], keyed_fifo=True))
            first_has_its_id.set()
            await may_commit.wait()

    async def quick() -> None:
        await first_has_its_id.wait()
        async with worker_db.begin() as connection:
            ids.extend(await submit(connection, [an_order(key="k")], keyed_fifo=True))

    tasks = asyncio.gather(slow(), quick())
    await first_has_its_id.wait()
    async with worker_db.raw() as raw:
        async with asyncio.timeout(60):
            while not await raw.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                pass
    assert len(ids) == 1
    may_commit.set()
    await tasks
    assert ids == sorted(ids)


async def test_a_waiting_order_of_the_same_unique_key_takes_the_new_args(worker_db: Database) -> None:
    async with worker_db.begin() as connection:
        (first,) = await submit(
            connection, [an_order(unique_key="u", args={"a": 1, "b": 1}, priority=5)], keyed_fifo=False
        )
        (second,) = await submit(
            connection, [an_order(unique_key="u", args={"b": 2}, priority=1)], keyed_fifo=False
        )
    assert first == second
    assert await column(worker_db, "args") == [{"a": 1, "b": 2}]
    assert await column(worker_db, "revision") == [2]
    assert await column(worker_db, "priority") == [5]


async def test_equal_unique_keys_of_one_call_become_one_order(worker_db: Database) -> None:
    orders = [an_order(unique_key=key, args={key: n}) for n, key in enumerate("uvu")]
    async with worker_db.begin() as connection:
        first, other, again = await submit(connection, [*orders], keyed_fifo=False)
    assert first == again != other
    assert sorted(json.dumps(args) for args in await column(worker_db, "args")) == ['{"u": 2}', '{"v": 1}']


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE work_order SET state = 'Failed'",
        "DELETE FROM work_order",
        "TRUNCATE work_order",
        "INSERT INTO work_order (kind, args, state, finished) VALUES ('x', '{}', 'Completed', now())",
        "CREATE TABLE mine (a integer)",
        "SELECT * FROM work_order_merge('[]')",
    ],
)
async def test_the_web_role_can_only_submit_and_look(web_db: Database, statement: str) -> None:
    with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
        async with web_db.begin() as connection:
            await connection.exec_driver_sql(statement)


async def test_the_web_role_submits_and_reads(web_db: Database, context: AContext) -> None:
    async with web_db.begin() as connection:
        ids = await submit(connection, [an_order(key="k")], keyed_fifo=True)
    assert await column(web_db, "id") == ids
