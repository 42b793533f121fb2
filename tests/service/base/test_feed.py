"""Topics of the feed settle each by itself, and nothing is added behind a reader."""

from __future__ import annotations

import asyncio
import random
import time

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from armillary.base.database import Database
from armillary.base.feed import reader
from armillary.base.feed.errors import FeedCursorGone
from armillary.base.feed.models import BEGINNING, Cursor, Topic
from armillary.base.feed.writer import append
from tests.support.patience import in_time
from tests.support.postgres import AContext
from tests.support.topics import LOCK, id_of, keys, other, page, reading, somebody_waits, topic, write

__all__ = ["other", "topic"]

PATIENCE_S = 120.0
WRITERS, TRANSACTIONS = 6, 25
APPEND = "SELECT feed_append($1, $2::text[], array_fill('{}'::jsonb, ARRAY[cardinality($2::text[])]))"


async def test_entries_are_read_as_they_were_written(worker_db: Database, topic: Topic) -> None:
    async with worker_db.begin() as connection:
        await append(connection, topic, [("a", {"n": 1, "text": "ü"}), ("b", {"list": [1, None]})])
        await append(connection, topic, [])
        await append(connection, topic, [("a", {})])
    found = await page(worker_db, topic)
    assert [(one.key, one.payload) for one in found.entries] == [
        ("a", {"n": 1, "text": "ü"}),
        ("b", {"list": [1, None]}),
        ("a", {}),
    ]
    assert (found.more, found.unsettled, found.cursor) == (False, False, found.entries[-1].cursor)
    # One number, however many statements.
    assert len({one.cursor.number for one in found.entries}) == 1
    first, rest = await page(worker_db, topic, limit=1), await page(worker_db, topic, found.entries[0].cursor)
    assert (first.entries, first.more) == (found.entries[:1], True)
    assert rest.entries == found.entries[1:]


async def test_an_open_transaction_holds_back_the_topics_that_it_wrote_to_and_no_others(
    worker_db: Database, topic: Topic, other: Topic
) -> None:
    async with worker_db.begin() as slow:
        await append(slow, topic, [("first", {})])
        await write(worker_db, other, "at once")
        await write(worker_db, topic, "second")
        assert await keys(worker_db, other) == ["at once"]
        assert not (await page(worker_db, other)).unsettled
        held = await page(worker_db, topic)
        assert (held.entries, held.cursor, held.unsettled) == ([], BEGINNING, True)
        async with worker_db.begin() as connection:
            assert await reader.position(connection, topic, "now") == BEGINNING
    assert await keys(worker_db, topic) == ["first", "second"]


async def test_a_follower_of_one_topic_hears_at_once_what_another_one_waits_for(
    context: AContext, topic: Topic, other: Topic
) -> None:
    database, signals = context.database, context.signals

    def following(one: Topic) -> asyncio.Task[list[str]]:
        async def first() -> list[str]:
            found = await reader.next_page(
                database, signals, one, BEGINNING, reading(one), limit=10, wait_s=PATIENCE_S
            )
            return [entry.key for entry in found.entries]

        return asyncio.create_task(first())

    async with database.begin() as slow:
        await append(slow, topic, [("slow", {})])
        waiting, quick = following(topic), following(other)
        await write(database, other, "quick")
        await write(database, topic, "behind")
        assert await quick == ["quick"]
        assert not waiting.done()
        await slow.rollback()
    # That it was rolled back is not announced, and found all the same.
    assert await waiting == ["behind"]


async def test_a_long_transaction_that_writes_no_entry_delays_nothing(
    worker_db: Database, topic: Topic
) -> None:
    async with worker_db.begin() as long:
        await long.exec_driver_sql("SELECT pg_current_xact_id()")
        await append(long, topic, [])
        await write(worker_db, topic, "a")
        assert await keys(worker_db, topic) == ["a"]


async def test_a_writer_that_has_announced_itself_and_drawn_nothing_is_waited_for(
    worker_db: Database, topic: Topic
) -> None:
    await write(worker_db, topic, "before")
    number = await id_of(worker_db, topic)
    async with worker_db.begin() as slow:
        await slow.exec_driver_sql(LOCK.format(id=number))
        await write(worker_db, topic, "after")
        assert await keys(worker_db, topic) == ["before"]
    assert await keys(worker_db, topic) == ["before", "after"]


async def test_a_writer_that_has_drawn_and_written_nothing_is_waited_for(
    worker_db: Database, topic: Topic
) -> None:
    number = await id_of(worker_db, topic)
    async with worker_db.begin() as slow:
        await slow.exec_driver_sql("SELECT feed_draw($1::smallint)", (number,))
        await write(worker_db, topic, "late")
        assert await keys(worker_db, topic) == []
        await append(slow, topic, [("early", {})])
    assert await keys(worker_db, topic) == ["early", "late"]


async def test_who_draws_while_a_reader_looks_is_above_its_bound(
    owner: Database, worker_db: Database, topic: Topic
) -> None:
    """A reader that stops after its look at the locks sees no lock of those who come now."""
    gate = await owner.dedicated()
    whole = str(await gate.fetchval("SELECT pg_get_functiondef('feed_settled'::regproc)"))
    looked = "datname = current_database());"
    assert whole.count(looked) == 1
    try:
        await gate.execute(whole.replace(looked, f"{looked} PERFORM pg_advisory_xact_lock(4242);"))
        await gate.execute("SELECT pg_advisory_lock(4242)")
        reader_waits = asyncio.create_task(keys(worker_db, topic))
        await somebody_waits(worker_db)
        async with worker_db.begin() as slow:
            await append(slow, topic, [("early", {})])
            await write(worker_db, topic, "late")
            await gate.execute("SELECT pg_advisory_unlock(4242)")
            assert await reader_waits == []
    finally:
        await gate.execute(whole)
        await gate.close()
    assert await keys(worker_db, topic) == ["early", "late"]


async def test_a_savepoint_takes_lock_and_number_back_with_what_was_written(
    worker_db: Database, topic: Topic
) -> None:
    async with worker_db.begin() as slow:
        savepoint = await slow.begin_nested()
        await append(slow, topic, [("undone", {})])
        await write(worker_db, topic, "meanwhile")
        assert await keys(worker_db, topic) == []
        await savepoint.rollback()
        assert await keys(worker_db, topic) == ["meanwhile"]
        await append(slow, topic, [("done", {})])
        await write(worker_db, topic, "later")
        assert await keys(worker_db, topic) == ["meanwhile"]
    assert await keys(worker_db, topic) == ["meanwhile", "done", "later"]


async def test_lock_and_number_outlive_savepoints_that_began_after_them(
    worker_db: Database, topic: Topic
) -> None:
    async with worker_db.begin() as slow:
        await append(slow, topic, [("a", {})])
        savepoint = await slow.begin_nested()
        await append(slow, topic, [("undone", {})])
        await savepoint.rollback()
        await write(worker_db, topic, "late")
        async with slow.begin_nested():
            await append(slow, topic, [("b", {})])
        await append(slow, topic, [("c", {})])
        assert await keys(worker_db, topic) == []
    found = (await page(worker_db, topic)).entries
    assert [one.key for one in found] == ["a", "b", "c", "late"]
    assert len({one.cursor.number for one in found}) == 2


async def test_each_transaction_of_a_session_draws_anew(worker_db: Database, topic: Topic) -> None:
    connection = await worker_db.dedicated()
    try:
        for key in "abc":
            await connection.execute(APPEND, topic.name, [key])
    finally:
        await connection.close()
    found = (await page(worker_db, topic)).entries
    assert [one.key for one in found] == ["a", "b", "c"]
    assert len({one.cursor.number for one in found}) == 3


async def test_entries_of_one_key_come_as_they_were_written_whoever_drew_first(
    worker_db: Database, topic: Topic
) -> None:
    async with worker_db.begin() as early:
        await append(early, topic, [("mine", {})])
        await write(worker_db, topic, "ours")
        await append(early, topic, [("ours", {"last": True}), ("mine", {})])
    found = (await page(worker_db, topic)).entries
    assert [one.key for one in found] == ["mine", "mine", "ours", "ours"]
    assert [one.payload for one in found[2:]] == [{"said": "ours"}, {"last": True}]


async def test_a_snapshot_cannot_read_the_feed(worker_db: Database, topic: Topic) -> None:
    with pytest.raises(DBAPIError, match="cannot be read in a snapshot"):
        async with worker_db.begin(snapshot=True) as connection:
            await reader.page_after(connection, topic, BEGINNING, 1)


async def test_a_topic_that_is_not_there_is_refused(worker_db: Database) -> None:
    nothing = Topic("nothing")
    with pytest.raises(DBAPIError, match="the feed has no topic 'nothing'"):
        await write(worker_db, nothing, "a")
    async with worker_db.begin() as connection:
        with pytest.raises(LookupError, match="no topic 'nothing'"):
            await reader.position(connection, nothing, None)


async def test_topics_do_not_know_each_other_s_cursors(
    worker_db: Database, topic: Topic, other: Topic
) -> None:
    await write(worker_db, topic, "a")
    (entry,) = (await page(worker_db, topic)).entries
    async with worker_db.begin() as connection:
        assert await reader.position(connection, topic, entry.cursor.token) == entry.cursor
        with pytest.raises(FeedCursorGone):
            await reader.position(connection, other, entry.cursor.token)


async def test_the_web_reads_topics_and_writes_to_none(
    worker_db: Database, web_db: Database, topic: Topic
) -> None:
    await write(worker_db, topic, "a")
    assert await keys(web_db, topic) == ["a"]
    with pytest.raises(DBAPIError, match="permission denied"):
        await write(web_db, topic, "b")


class Writer:
    """A session that writes to topics at random, with pauses, savepoints and changes of mind."""

    def __init__(self, name: str, topics: tuple[Topic, ...], seed: int) -> None:
        self.name, self.topics, self.chance = name, topics, random.Random(seed)
        self.written: dict[str, list[str]] = {one.name: [] for one in topics}
        self._count = 0

    async def run(self, database: Database) -> None:
        """Do all its transactions."""
        connection = await database.dedicated()
        try:
            for _ in range(TRANSACTIONS):
                await self._transact(connection)
        finally:
            await connection.close()

    async def _transact(self, connection: asyncpg.Connection) -> None:
        kept: list[tuple[str, str]] = []
        transaction = connection.transaction()
        await transaction.start()
        for _ in range(self.chance.randrange(1, 4)):
            kept += await self._write(connection)
            await asyncio.sleep(self.chance.choice([0, 0, 0.002, 0.02]))
        if self.chance.random() < 0.2:
            await transaction.rollback()
            return
        await transaction.commit()
        for name, key in kept:
            self.written[name].append(key)

    async def _write(self, connection: asyncpg.Connection) -> list[tuple[str, str]]:
        name, fate = self.chance.choice(self.topics).name, self.chance.random()
        self._count += 1
        mine = [f"{self.name}-{self._count}-{number}" for number in range(self.chance.randrange(1, 4))]
        savepoint = connection.transaction()
        if fate < 0.4:
            await savepoint.start()
        await connection.execute(APPEND, name, mine)
        if fate < 0.2:
            await savepoint.rollback()
            return []
        if fate < 0.4:
            await savepoint.commit()
        return [(name, key) for key in mine]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_readers_beside_many_writers_see_every_entry_once_and_in_order(
    worker_db: Database, topic: Topic, other: Topic, seed: int
) -> None:
    topics = (topic, other)
    writers = [Writer(f"w{number}", topics, 100 * seed + number) for number in range(WRITERS)]
    writing = asyncio.gather(*(one.run(worker_db) for one in writers))
    end = time.monotonic() + PATIENCE_S

    async def read(one: Topic) -> list[tuple[Cursor, str]]:
        seen: list[tuple[Cursor, str]] = []
        cursor, done = BEGINNING, False
        while not done:
            in_time(end, f"{one.name} is read up to {cursor}")
            # Looked at first: what is committed afterwards is read by the next round.
            done = writing.done()
            found = await page(worker_db, one, cursor, limit=7)
            seen += [(entry.cursor, entry.key) for entry in found.entries]
            cursor, done = found.cursor, done and not (found.more or found.unsettled)
            await asyncio.sleep(0)
        return seen

    for one, seen in zip(topics, await asyncio.gather(*map(read, topics)), strict=True):
        expected = [key for writer in writers for key in writer.written[one.name]]
        assert len(expected) > 50
        assert sorted(key for _, key in seen) == sorted(expected)
        assert [cursor for cursor, _ in seen] == sorted(cursor for cursor, _ in seen)
        assert seen == [(entry.cursor, entry.key) for entry in (await page(worker_db, one)).entries]
        # What one session wrote comes as it was written.
        for writer in writers:
            mine = [key for _, key in seen if key.startswith(f"{writer.name}-")]
            assert mine == writer.written[one.name]
    await writing
