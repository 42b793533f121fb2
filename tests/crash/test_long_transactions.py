"""A transaction of ten seconds that has written to one topic of the feed delays nobody who follows another."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from contextlib import aclosing

from armillary.base.database import Database, Role
from armillary.base.feed import consumers
from armillary.base.feed.models import Topic
from armillary.base.feed.writer import append
from armillary.base.postgres.server import EmbeddedServer
from armillary.base.signals import PostgresSignals, Signals
from tests.support.patience import in_time
from tests.support.postgres import fresh_database
from tests.support.topics import PATIENCE_S, keys, make_topic, write

LONG_S, EVERY_S = 10.0, 0.05
USUAL_S = 0.5
"""From the commit of an entry to its delivery: usually. Single ones may take longer on a busy machine."""
NAME = "mirror"


async def follow(database: Database, signals: Signals, topic: Topic, heard: dict[str, float]) -> None:
    """Be a consumer, and note when each entry is delivered, until cancelled."""
    async with aclosing(consumers.deliveries(database, signals, topic, NAME, limit=100)) as pages:
        async for page in pages:
            heard.update((one.key, time.monotonic()) for one in page.entries)
            async with database.begin() as connection:
                await consumers.acknowledge(connection, topic, NAME, page.cursor)


async def play(database: Database, slow: Topic, quick: Topic) -> tuple[dict[str, float], dict[str, float]]:
    """Write to one topic while a transaction on the other is open; return when entries were written and heard."""
    written: dict[str, float] = {}
    heard: dict[str, float] = {}
    signals = PostgresSignals(database)
    following = asyncio.create_task(follow(database, signals, quick, heard))
    async with database.begin() as long:
        await append(long, slow, [("long", {})])
        await write(database, slow, "behind")
        end = time.monotonic() + LONG_S
        for number in itertools.count():
            await write(database, quick, str(number))
            written[str(number)] = time.monotonic()
            await asyncio.sleep(EVERY_S)
            if time.monotonic() > end:
                break
        # However long the last of them take, the transaction is open until they are delivered.
        while heard.keys() != written.keys():
            in_time(end + PATIENCE_S, written.keys() - heard.keys())
            await asyncio.sleep(EVERY_S)
        assert await keys(database, slow) == []
    assert await keys(database, slow) == ["long", "behind"]
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await signals.close()
    return written, heard


async def test_ten_seconds_on_one_topic_are_nothing_to_another(postgres: EmbeddedServer) -> None:
    async with fresh_database(postgres) as name:
        owner = await Database.connect(postgres, Role.OWNER, name=name, pool_size=1)
        slow, quick = [await make_topic(owner) for _ in range(2)]
        await owner.close()
        database = await Database.connect(postgres, Role.WORKER, name=name, pool_size=4)
        async with database.begin() as connection:
            await consumers.register(connection, quick, NAME)
        written, heard = await play(database, slow, quick)
        await database.close()
    delays = [heard[key] - written[key] for key in written]
    assert statistics.median(delays) < USUAL_S
