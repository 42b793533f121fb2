"""Consumers get what they have not acknowledged, again and again, and nothing of it is forgotten."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from armillary.base.database import Database
from armillary.base.database_errors import is_transient
from armillary.base.feed import consumers, horizon, reader
from armillary.base.feed.errors import FeedCursorGone, UnknownConsumer
from armillary.base.feed.models import BEGINNING, Cursor, Topic
from armillary.base.feed.writer import append
from armillary.base.postgres.server import EmbeddedServer
from tests.support.consumers import a_consumer, delivered
from tests.support.patience import in_time
from tests.support.postgres import AContext, end_sessions
from tests.support.topics import keys, other, page, somebody_waits, topic, write

__all__ = ["other", "topic"]

PATIENCE_S = 120.0
NAME = "mirror"


async def register(database: Database, topic: Topic, name: str = NAME, *, from_now: bool = False) -> Cursor:
    async with database.begin() as connection:
        return await consumers.register(connection, topic, name, from_now=from_now)


async def deliver(database: Database, topic: Topic, name: str = NAME, *, limit: int = 100) -> list[str]:
    async with database.begin() as connection:
        return [one.key for one in (await consumers.deliver(connection, topic, name, limit)).entries]


async def acknowledge(database: Database, topic: Topic, cursor: Cursor, name: str = NAME) -> Cursor:
    async with database.begin() as connection:
        return await consumers.acknowledge(connection, topic, name, cursor)


async def cursors(database: Database, topic: Topic) -> list[Cursor]:
    return [one.cursor for one in (await page(database, topic)).entries]


async def forget(database: Database, topic: Topic) -> int:
    async with database.begin() as connection:
        soon = datetime.now(UTC) + timedelta(days=1)
        return await horizon.forget(connection, topic, before=soon, limit=1000)


async def test_what_is_not_acknowledged_is_delivered_again(worker_db: Database, topic: Topic) -> None:
    await write(worker_db, topic, "a", "b", "c")
    assert await register(worker_db, topic) == BEGINNING
    first, second, _ = await cursors(worker_db, topic)
    for _ in range(2):
        assert await deliver(worker_db, topic, limit=2) == ["a", "b"]
    assert await acknowledge(worker_db, topic, first) == first
    for _ in range(2):
        assert await deliver(worker_db, topic) == ["b", "c"]
    assert await acknowledge(worker_db, topic, second) == second
    # Only forward.
    assert await acknowledge(worker_db, topic, first) == second
    assert await deliver(worker_db, topic) == ["c"]


async def test_consumers_of_topics_stand_each_for_itself(
    worker_db: Database, topic: Topic, other: Topic
) -> None:
    await write(worker_db, topic, "a")
    await register(worker_db, topic)
    await register(worker_db, topic, "late", from_now=True)
    await register(worker_db, other)
    await write(worker_db, topic, "b")
    await write(worker_db, other, "c")
    assert await deliver(worker_db, topic) == ["a", "b"]
    assert await deliver(worker_db, topic, "late") == ["b"]
    assert await deliver(worker_db, other) == ["c"]
    last = (await cursors(worker_db, topic))[-1]
    await acknowledge(worker_db, topic, last)
    assert await deliver(worker_db, topic) == []
    assert await deliver(worker_db, topic, "late") == ["b"]
    assert await deliver(worker_db, other) == ["c"]


async def test_an_open_transaction_on_one_topic_holds_back_no_consumer_of_another(
    context: AContext, topic: Topic, other: Topic
) -> None:
    database, signals = context.database, context.signals
    for one in (topic, other):
        await register(database, one)
    async with database.begin() as slow:
        await append(slow, topic, [("slow", {})])
        await write(database, topic, "behind")
        async with aclosing(consumers.deliveries(database, signals, other, NAME, limit=10)) as pages:
            for number in range(20):
                await write(database, other, str(number))
                while not (page := await anext(pages)).entries:
                    assert not page.unsettled
                assert [one.key for one in page.entries] == [str(number)]
                await acknowledge(database, other, page.cursor)
        assert await deliver(database, topic) == []
    assert await deliver(database, topic) == ["slow", "behind"]


async def test_who_is_registered_stays_where_it_is(worker_db: Database, topic: Topic) -> None:
    await register(worker_db, topic)
    await write(worker_db, topic, "a")
    assert await register(worker_db, topic, from_now=True) == BEGINNING
    assert await deliver(worker_db, topic) == ["a"]


async def test_who_is_not_registered_is_refused(worker_db: Database, topic: Topic) -> None:
    with pytest.raises(UnknownConsumer, match="'mirror' is registered"):
        await deliver(worker_db, topic)
    with pytest.raises(UnknownConsumer):
        await acknowledge(worker_db, topic, BEGINNING)
    await register(worker_db, topic)
    for there in (True, False):
        async with worker_db.begin() as connection:
            assert await consumers.unregister(connection, topic, NAME) is there
    with pytest.raises(UnknownConsumer):
        await deliver(worker_db, topic)


async def test_nothing_is_acknowledged_that_was_never_written(worker_db: Database, topic: Topic) -> None:
    await write(worker_db, topic, "a")
    await register(worker_db, topic)
    (last,) = await cursors(worker_db, topic)
    for wrong in (Cursor(last.generation, last.number, last.id + 1), Cursor(last.generation + 1)):
        with pytest.raises(FeedCursorGone):
            await acknowledge(worker_db, topic, wrong)
    assert await deliver(worker_db, topic) == ["a"]


@pytest.mark.parametrize("order", [1, -1])
async def test_of_acknowledgements_at_once_the_furthest_counts(
    worker_db: Database, topic: Topic, order: int
) -> None:
    await write(worker_db, topic, "a", "b")
    await register(worker_db, topic)
    one, two = (await cursors(worker_db, topic))[::order]
    async with worker_db.begin() as connection:
        await consumers.acknowledge(connection, topic, NAME, one)
        waiting = asyncio.create_task(acknowledge(worker_db, topic, two))
        await somebody_waits(worker_db)
    assert await waiting == max(one, two)
    async with worker_db.begin() as connection:
        assert await consumers.acknowledged(connection, topic, NAME) == max(one, two)


async def test_entries_are_kept_until_every_consumer_has_acknowledged_them(
    worker_db: Database, topic: Topic, other: Topic
) -> None:
    await write(worker_db, topic, "a", "b", "c")
    await write(worker_db, other, "x")
    await register(worker_db, topic)
    await register(worker_db, topic, "slow")
    first, second, _ = await cursors(worker_db, topic)
    assert await forget(worker_db, topic) == 0
    await acknowledge(worker_db, topic, second)
    await acknowledge(worker_db, topic, first, "slow")
    assert await forget(worker_db, topic) == 1
    assert await deliver(worker_db, topic, "slow") == ["b", "c"]
    assert await deliver(worker_db, topic) == ["c"]
    # Who follows without a name is told that the beginning is gone; who has seen that goes on.
    async with worker_db.begin() as connection:
        with pytest.raises(FeedCursorGone):
            await reader.page_after(connection, topic, BEGINNING, 1)
        assert (await reader.page_after(connection, topic, first, 1)).entries[0].key == "b"
    async with worker_db.begin() as connection:
        await consumers.unregister(connection, topic, "slow")
    assert await forget(worker_db, topic) == 1
    assert await keys(worker_db, other) == ["x"]
    # Who registers now begins behind what is gone.
    assert await register(worker_db, topic, "new") == second
    assert await deliver(worker_db, topic, "new") == ["c"]


async def test_what_is_held_back_is_not_forgotten(worker_db: Database, topic: Topic, other: Topic) -> None:
    async with worker_db.begin() as slow:
        await slow.exec_driver_sql(
            "SELECT feed_append($1, ARRAY['early'], ARRAY['{}'::jsonb])", (topic.name,)
        )
        await write(worker_db, topic, "late")
        await write(worker_db, other, "x")
        assert await forget(worker_db, topic) == 0
        assert await forget(worker_db, other) == 1
    assert await keys(worker_db, topic) == ["early", "late"]


async def test_who_registers_beside_forgetting_begins_behind_it(worker_db: Database, topic: Topic) -> None:
    await write(worker_db, topic, "a")
    (last,) = await cursors(worker_db, topic)
    async with worker_db.begin() as connection:
        soon = datetime.now(UTC) + timedelta(days=1)
        assert await horizon.forget(connection, topic, before=soon, limit=10) == 1
        registering = asyncio.create_task(register(worker_db, topic))
        await somebody_waits(worker_db)
    assert await registering == last
    assert await deliver(worker_db, topic) == []


async def test_a_consumer_that_is_killed_before_it_acknowledges_gets_the_same_again(
    worker_db: Database, topic: Topic
) -> None:
    await write(worker_db, topic, *"abcdefg")
    await register(worker_db, topic)
    for _ in range(2):
        with a_consumer(worker_db, topic, NAME, "hang") as process:
            assert await asyncio.to_thread(delivered, process) == list("abcde")
            process.kill()
    assert await deliver(worker_db, topic) == list("abcdefg")


async def test_deliveries_go_on_when_sessions_are_lost(
    postgres: EmbeddedServer, context: AContext, topic: Topic
) -> None:
    database, name = context.database, context.database.name
    assert name
    await register(database, topic)
    seen: list[str] = []
    lost = 0
    end = time.monotonic() + PATIENCE_S
    await write(database, topic, "0")
    while len(seen) < 4:
        in_time(end, seen)
        try:
            pages = consumers.deliveries(database, context.signals, topic, NAME, limit=10)
            async with aclosing(pages):
                async for found in pages:
                    if not found.entries:
                        continue
                    await acknowledge(database, topic, found.cursor)
                    seen += [one.key for one in found.entries]
                    if len(seen) == 4:
                        break
                    lost += 1
                    await end_sessions(postgres, name)
                    await retried(database, topic, str(lost), end)
        except Exception as error:
            if not is_transient(error):
                raise
    assert (seen, lost) == (["0", "1", "2", "3"], 3)


async def retried(database: Database, topic: Topic, key: str, end: float) -> None:
    """Write an entry when there is a session again."""
    while True:
        try:
            return await write(database, topic, key)
        except Exception as error:
            if not is_transient(error):
                raise
        in_time(end, key)
        await asyncio.sleep(0.02)
