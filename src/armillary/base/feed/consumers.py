"""Named consumers: who must learn of every entry of a topic, however often it is killed.

What a consumer has acknowledged is kept in the database, and everything behind it is kept for it and delivered
again, until it acknowledges that, too. Who acknowledges in the transaction of what it did with the entries does
that exactly once; who does it afterwards, at least once.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import Database
from armillary.base.feed import store
from armillary.base.feed.errors import UnknownConsumer
from armillary.base.feed.models import Cursor, Entry, Page, Topic
from armillary.base.feed.reader import NOW, follow, page_after, position
from armillary.base.signals import Signals


async def register(connection: AsyncConnection, topic: Topic, name: str, *, from_now: bool = False) -> Cursor:
    """Let a consumer be known from now on, and return where it stands.

    It begins with the oldest entry that is kept, or ``from_now`` with the next one. One that is registered already
    stays where it is.
    """
    # Nothing is forgotten between the look at the horizon and the end of this transaction.
    await store.share_horizon(connection, topic.name)
    start = await position(connection, topic, NOW if from_now else None)
    await store.register(connection, topic.name, name, start.position)
    return await acknowledged(connection, topic, name)


async def acknowledged(connection: AsyncConnection, topic: Topic, name: str) -> Cursor:
    """Return what a consumer has acknowledged.

    Raises
    ------
    UnknownConsumer
        If it is not registered.
    """
    found = await store.acknowledged(connection, topic.name, name)
    if found is None:
        raise UnknownConsumer(f"No consumer '{name}' is registered for the topic '{topic.name}'.")
    return Cursor(*found)


async def deliver(connection: AsyncConnection, topic: Topic, name: str, limit: int) -> Page[Entry]:
    """Return up to ``limit`` entries behind what a consumer has acknowledged: the same until it acknowledges.

    Raises
    ------
    UnknownConsumer
        If it is not registered.
    FeedCursorGone
        If entries are forgotten that it has not acknowledged; let it register anew.
    """
    start = await acknowledged(connection, topic, name)
    await store.see(connection, topic.name, name)
    return await page_after(connection, topic, start, limit)


async def acknowledge(connection: AsyncConnection, topic: Topic, name: str, cursor: Cursor) -> Cursor:
    """Take everything up to a cursor as dealt with, and return what is: of several calls the furthest counts.

    Raises
    ------
    UnknownConsumer
        If it is not registered.
    FeedCursorGone
        If there is no entry at the cursor.
    """
    start = await acknowledged(connection, topic, name)
    if cursor <= start:
        return start
    # Nothing can be delivered any more that somebody acknowledged before it was there.
    if not await store.is_known(connection, topic.name, cursor.position):
        raise topic.refusal()
    await store.acknowledge(connection, topic.name, name, cursor.position)
    return await acknowledged(connection, topic, name)


async def unregister(connection: AsyncConnection, topic: Topic, name: str) -> bool:
    """Forget a consumer, for which nothing is kept any more; tell whether it was registered."""
    return await store.unregister(connection, topic.name, name)


async def deliveries(
    database: Database, signals: Signals, topic: Topic, name: str, *, limit: int
) -> AsyncGenerator[Page[Entry], None]:
    """Yield what is to be delivered to a consumer for ever: before each page it acknowledges the one before.

    What it does not acknowledge comes again. An empty page comes at least every second.
    """

    async def read(connection: AsyncConnection, _cursor: Cursor, most: int) -> Page[Entry]:
        return await deliver(connection, topic, name, most)

    async with database.begin() as connection:
        start = await acknowledged(connection, topic, name)
    async for page in follow(database, signals, topic, start, read, limit=limit):
        yield page
