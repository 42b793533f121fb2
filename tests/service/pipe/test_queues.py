"""Items go in and come out in order, each once; queues come and go; what may be repeated is stored once."""

from __future__ import annotations

import asyncio
import re
import time

import asyncpg
import pytest

from armillary.base.postgres.server import EmbeddedServer
from armillary.context import Context
from armillary.operations.exposition import exposition
from armillary.pipe.errors import BadOption, QueueExists, UnknownQueue
from armillary.pipe.models import PriorityRule
from armillary.pipe.service import Exchange, forget, machines, opened, queues
from tests.support.patience import in_time
from tests.support.pipe import QUEUE, a_new, claimed, drained, make, value_of, wanted

PATIENCE_S = 120.0


async def counts(context: Context) -> dict[str, int]:
    async with context.database.begin() as connection:
        return await queues.counts(connection)


async def test_items_come_out_in_the_order_in_which_they_were_acknowledged(
    context: Context, exchange: Exchange
) -> None:
    await make(context)
    for number in range(20):
        await exchange.enqueue(a_new(number))
    assert await counts(context) == {QUEUE: 20}
    assert await drained(exchange) == list(range(20))
    assert await counts(context) == {QUEUE: 0}


async def test_requests_that_come_together_are_one_batch_and_keep_their_places(
    context: Context, exchange: Exchange
) -> None:
    await make(context)
    items = await asyncio.gather(*(exchange.enqueue(a_new(number)) for number in range(100)))
    assert [value_of(one) for one in items] == list(range(100))
    assert len({one.id for one in items}) == 100
    async with context.database.raw() as connection:
        assert await connection.fetchval("SELECT max(batch) FROM pipe_writer") <= 2
    taken = await asyncio.gather(*(exchange.dequeue(wanted()) for _ in range(101)))
    assert [value_of(one) for one in taken] == [*range(100), None]


async def test_consumers_of_two_processes_get_each_item_once(context: Context) -> None:
    await make(context)
    async with opened(context) as one, opened(context) as other:
        await asyncio.gather(*(one.enqueue(a_new(n)) for n in range(600)))
        found = await asyncio.gather(*(drained(one) for _ in range(8)), *(drained(other) for _ in range(8)))
    assert sorted(value for values in found for value in values) == list(range(600))
    # What one caller gets is in order, whoever else takes items.
    assert all(values == sorted(values) for values in found)


async def test_no_item_becomes_visible_in_front_of_one_that_was_there(
    context: Context, exchange: Exchange
) -> None:
    """A transaction that has drawn its numbers and not committed holds the others of its queue back."""
    await make(context)
    async with context.database.raw() as slow:
        await slow.execute("BEGIN")
        columns = ([QUEUE], ["1_a"], [1], ["s"], ['"first"'], [None], [None], ["d"])
        await slow.execute(
            "SELECT * FROM pipe_enqueue(gen_random_uuid(), 1, $1, $2, $3, $4, $5, $6, $7, $8, 1, false)",
            *columns,
        )
        later = asyncio.create_task(exchange.enqueue(a_new("second")))
        await _until_blocked(context)
        assert await exchange.dequeue(wanted()) is None
        await slow.execute("COMMIT")
        await later
    assert await drained(exchange) == ["first", "second"]


async def _until_blocked(context: Context) -> None:
    end = time.monotonic() + PATIENCE_S
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    while True:
        async with context.database.raw() as connection:
            if await connection.fetchval(query):
                return
        in_time(end, "nobody waits for the lock")
        await asyncio.sleep(0.02)


async def test_queues_are_created_once_and_deleted_with_their_items(
    context: Context, exchange: Exchange
) -> None:
    await make(context)
    with pytest.raises(QueueExists, match=f"Queue already exists: {QUEUE}"):
        await make(context)
    await exchange.enqueue(a_new(1, key="k"))
    async with context.database.begin() as connection:
        await queues.delete(connection, QUEUE)
        with pytest.raises(UnknownQueue):
            await queues.delete(connection, QUEUE)
    with pytest.raises(UnknownQueue):
        await exchange.dequeue(wanted())
    await make(context)
    assert await drained(exchange) == []
    # The key went with the queue.
    assert value_of(await exchange.enqueue(a_new(2, key="k"))) == 2


async def test_an_item_that_is_being_added_goes_with_the_queue(context: Context, exchange: Exchange) -> None:
    await make(context)
    async with context.database.raw() as slow:
        await slow.execute("BEGIN")
        columns = ([QUEUE], ["1_a"], [1], ["s"], ["1"], [None], [None], ["d"])
        await slow.execute(
            "SELECT * FROM pipe_enqueue(gen_random_uuid(), 1, $1, $2, $3, $4, $5, $6, $7, $8, 1, false)",
            *columns,
        )

        async def delete() -> None:
            async with context.database.begin() as connection:
                await queues.delete(connection, QUEUE)

        deleting = asyncio.create_task(delete())
        await _until_blocked(context)
        await slow.execute("COMMIT")
        await deleting
        assert await slow.fetchval("SELECT count(*) FROM pipe_item") == 0


async def test_a_missing_queue_is_remembered_until_somebody_makes_it(
    context: Context, exchange: Exchange
) -> None:
    with pytest.raises(UnknownQueue, match="Queue does not exist: sq001"):
        await exchange.enqueue(a_new(1))
    async with opened(context) as other:
        # Another process makes it, and this one hears of that.
        async with context.database.begin() as connection:
            await connection.exec_driver_sql("INSERT INTO pipe_queue (name) VALUES ('sq001')")
        await other.enqueue(a_new(2))
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            await exchange.enqueue(a_new(3))
            break
        except UnknownQueue:
            in_time(end, "the queue is still missing")
            await asyncio.sleep(0.01)
    assert await drained(exchange) == [2, 3]


async def test_whoever_makes_a_queue_may_send_to_it_at_once(context: Context) -> None:
    # Nobody hears of anything here.
    exchange = Exchange(context)
    with pytest.raises(UnknownQueue):
        await exchange.enqueue(a_new(1))
    await make(context)
    assert value_of(await exchange.enqueue(a_new(2))) == 2
    await exchange.close()


async def test_sending_makes_queues_where_that_is_set(context: Context) -> None:
    pipe = context.settings.pipe.model_copy(update={"auto_create_queues": True})
    object.__setattr__(context, "settings", context.settings.model_copy(update={"pipe": pipe}))
    async with opened(context) as exchange:
        await asyncio.gather(*(exchange.enqueue(a_new(n, queue=f"q{n % 3}")) for n in range(9)))
        assert await counts(context) == {"q0": 3, "q1": 3, "q2": 3}
        with pytest.raises(UnknownQueue):
            await exchange.dequeue(wanted("q3"))


async def test_a_key_that_is_repeated_stores_nothing(context: Context, exchange: Exchange) -> None:
    await make(context)
    first = await exchange.enqueue(a_new({"a": 1}, key="k"))
    again = await asyncio.gather(*(exchange.enqueue(a_new({"b": 2}, key="k")) for _ in range(5)))
    assert again == [first] * 5
    assert await drained(exchange) == [{"a": 1}]
    # Also when it has been taken.
    assert await exchange.enqueue(a_new({"c": 3}, key="k")) == first
    assert await drained(exchange) == []
    # Keys are those of a queue.
    await make(context, "other")
    assert (await exchange.enqueue(a_new(4, key="k", queue="other"))).id != first.id


async def test_one_key_of_many_at_once_is_one_item(context: Context) -> None:
    await make(context)
    async with opened(context) as one, opened(context) as other:
        stored = await asyncio.gather(
            *((one, other)[n % 2].enqueue(a_new(n, key=f"k{n % 4}")) for n in range(80))
        )
        assert len({item.id for item in stored}) == 4
        assert len(await drained(one)) == 4


async def test_keys_are_forgotten_after_their_time(context: Context, exchange: Exchange) -> None:
    await make(context)
    first = await exchange.enqueue(a_new(1, key="k"))
    async with context.database.raw() as connection:
        await connection.execute("UPDATE pipe_key SET until = now() - interval '1 s'")
    second = await exchange.enqueue(a_new(2, key="k"))
    assert second.id != first.id
    assert await exchange.enqueue(a_new(3, key="k")) == second
    assert await drained(exchange) == [1, 2]


async def test_equal_items_of_a_sender_are_one_within_the_window(
    context: Context, exchange: Exchange
) -> None:
    await make(context, dedupe_window_s=3600)
    first = await exchange.enqueue(a_new({"a": 1, "b": [2.5]}))
    again = await exchange.enqueue(a_new({"b": [2.5], "a": 1}))
    assert again == first
    await exchange.enqueue(a_new({"a": 1, "b": [2.5]}, sender="another"))
    await exchange.enqueue(a_new({"a": 2}))
    assert await drained(exchange) == [{"a": 1, "b": [2.5]}, {"a": 1, "b": [2.5]}, {"a": 2}]
    async with context.database.begin() as connection:
        await queues.set_options(connection, QUEUE, {"dedupe_window_s": 0})
    await exchange.enqueue(a_new({"a": 2}))
    assert await drained(exchange) == [{"a": 2}]


async def test_without_a_window_equal_items_are_several(context: Context, exchange: Exchange) -> None:
    await make(context)
    await asyncio.gather(*(exchange.enqueue(a_new("same")) for _ in range(5)))
    assert await drained(exchange) == ["same"] * 5


async def test_priorities_go_first_and_each_keeps_its_order(context: Context, exchange: Exchange) -> None:
    rules = [{"request": "focus", "priority": 5}, {"sender": "low", "priority": -1}]
    await make(context, priorities=rules)
    for n in range(3):
        await exchange.enqueue(a_new({"request": "reduce", "n": n}))
        await exchange.enqueue(a_new({"request": "reduce", "n": n}, sender="low"))
        await exchange.enqueue(a_new({"request": "focus", "n": n}, sender="low"))
    assert [(one.get("request"), one["n"]) for one in await drained(exchange)] == [
        *(("focus", n) for n in range(3)),
        *(("reduce", n) for n in range(3)),
        *(("reduce", n) for n in range(3)),
    ]
    async with context.database.begin() as connection:
        found = await queues.state(connection, QUEUE)
    assert found.priorities == [PriorityRule(5, request="focus"), PriorityRule(-1, sender="low")]


@pytest.mark.parametrize(
    "options",
    [
        {"max_attempts": 0},
        {"max_attempts": "5"},
        {"max_attempts": 10**30},
        {"dedupe_window_s": -1},
        {"dedupe_window_s": 1e30},
        {"priorities": [{"priority": 5000}]},
        {"priorities": [{"priority": 1, "colour": "red"}]},
        {"priorities": {}},
        {"colour": "red"},
        {"priorities": [{"priority": 1, "sender": "\x00"}]},
    ],
)
async def test_options_that_cannot_be_change_nothing(context: Context, options: dict[str, object]) -> None:
    await make(context)
    async with context.database.begin() as connection:
        with pytest.raises(BadOption):
            await queues.set_options(connection, QUEUE, options)
        found = await queues.state(connection, QUEUE)
    assert (found.max_attempts, found.dedupe_window_s, found.priorities) == (5, 0.0, [])


async def test_whoever_is_gone_gets_nothing_and_what_nobody_got_goes_back(
    context: Context, exchange: Exchange
) -> None:
    await make(context)
    for n in range(4):
        await exchange.enqueue(a_new(n))
    assert await exchange.dequeue(wanted(is_gone=lambda: True)) is None
    # One that goes while its item is taken, and one whose caller is cancelled then.
    looks = iter((False, True))
    assert await exchange.dequeue(wanted(is_gone=lambda: next(looks))) is None
    blocked = asyncio.create_task(exchange.dequeue(wanted()))
    await asyncio.sleep(0)
    blocked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await blocked
    end = time.monotonic() + PATIENCE_S
    while (await counts(context))[QUEUE] < 4:
        in_time(end, "items are not back")
        await asyncio.sleep(0.01)
    assert await drained(exchange) == [0, 1, 2, 3]


async def test_what_the_database_refuses_of_one_request_does_not_touch_the_others(
    context: Context, exchange: Exchange, postgres: EmbeddedServer
) -> None:
    await make(context)
    owner = await asyncpg.connect(
        host=postgres.dsn.host, user="armillary_owner", database=context.database.name
    )
    await owner.execute("ALTER TABLE pipe_item ADD CONSTRAINT no_pears CHECK (payload <> '\"pear\"')")
    await owner.close()
    results = await asyncio.gather(
        *(exchange.enqueue(a_new(fruit)) for fruit in ("apple", "pear", "plum")), return_exceptions=True
    )
    assert isinstance(results[1], asyncpg.CheckViolationError)
    assert await drained(exchange) == ["apple", "plum"]


async def test_metrics_tell_depths_ages_and_silence(context: Context, exchange: Exchange) -> None:
    await make(context)
    await make(context, 'a "quoted" name')
    for number in range(3):
        await exchange.enqueue(a_new(number))
    await claimed(context)
    async with context.database.begin() as connection:
        await machines.tell(connection, "pipe1", status=b'"idle"', details=b"{}", now=context.clock.now())
    page = (await exposition(context)).decode()
    assert 'armillary_pipe_items{queue="sq001",state="waiting"} 2.0' in page
    assert 'armillary_pipe_items{queue="sq001",state="leased"} 1.0' in page
    assert 'armillary_pipe_oldest_seconds{queue="a \\"quoted\\" name"} 0.0' in page
    assert re.search(r'armillary_pipe_oldest_seconds\{queue="sq001"\} [0-9.]+', page)
    assert re.search(r'armillary_pipe_machine_silent_seconds\{machine="pipe1"\} [0-9.]+', page)
    assert "armillary_pipe_enqueued_total" in page


async def test_what_has_had_its_time_is_forgotten(context: Context, exchange: Exchange) -> None:
    await make(context)
    await exchange.enqueue(a_new(1, key="old"))
    kept = await exchange.enqueue(a_new(2, key="new"))
    async with context.database.raw() as connection:
        await connection.execute("UPDATE pipe_key SET until = now() - interval '1 s' WHERE key = 'key:old'")
    async with context.database.begin() as connection:
        assert await forget(connection, limit=10) == 1
        assert await forget(connection, limit=10) == 0
    assert await exchange.enqueue(a_new(3, key="new")) == kept
