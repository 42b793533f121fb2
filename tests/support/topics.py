"""Topics of their own for tests of the feed: how they are made, written to and read."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import Database
from armillary.base.feed.models import BEGINNING, Cursor, Entry, Page, Topic
from armillary.base.feed.reader import Read, page_after
from armillary.base.feed.writer import append
from tests.support.patience import in_time

PATIENCE_S = 120.0
_numbers = itertools.count(10)
LOCK = """
SELECT pg_advisory_xact_lock_shared(((17920 + {id})::bigint << 48) | pg_sequence_last_value('feed_number'))
"""
"""What a writer does before it draws a number."""


async def make_topic(owner: Database) -> Topic:
    """Let the feed have another topic."""
    number = next(_numbers)
    topic = Topic(f"test_{number}")
    async with owner.begin() as connection:
        query = "INSERT INTO feed_topic (id, name) VALUES ($1, $2)"
        await connection.exec_driver_sql(query, (number, topic.name))
    return topic


async def id_of(database: Database, topic: Topic) -> int:
    """Return the number that the locks of a topic bear."""
    async with database.begin() as connection:
        query = "SELECT id FROM feed_topic WHERE name = $1"
        return int((await connection.exec_driver_sql(query, (topic.name,))).scalar_one())


@pytest.fixture
async def topic(owner: Database) -> Topic:
    """Make a topic."""
    return await make_topic(owner)


@pytest.fixture
async def other(owner: Database) -> Topic:
    """Make another one."""
    return await make_topic(owner)


async def write(database: Database, topic: Topic, *keys: str) -> None:
    """Write entries with these keys in a transaction of their own."""
    async with database.begin() as connection:
        await append(connection, topic, [(key, {"said": key}) for key in keys])


async def page(
    database: Database, topic: Topic, cursor: Cursor = BEGINNING, limit: int = 1000
) -> Page[Entry]:
    """Return what can be read behind a position."""
    async with database.begin() as connection:
        return await page_after(connection, topic, cursor, limit)


async def keys(database: Database, topic: Topic) -> list[str]:
    """Return the keys of all entries that can be read."""
    return [one.key for one in (await page(database, topic)).entries]


def reading(topic: Topic) -> Read[Entry]:
    """Return what followers of a topic read with."""

    async def read(connection: AsyncConnection, cursor: Cursor, limit: int) -> Page[Entry]:
        return await page_after(connection, topic, cursor, limit)

    return read


async def somebody_waits(database: Database) -> None:
    """Wait until a session waits for the lock of another one."""
    query = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
    end = time.monotonic() + PATIENCE_S
    while True:
        async with database.begin() as connection:
            if (await connection.exec_driver_sql(query)).scalar():
                return
        in_time(end, "nobody waits")
        await asyncio.sleep(0.01)
