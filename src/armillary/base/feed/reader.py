"""Reading a topic: page by page, or as it grows."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import datetime
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import AnyRow, Database
from armillary.base.feed import store
from armillary.base.feed.horizon import beginning
from armillary.base.feed.models import Cursor, Entry, Page, Topic
from armillary.base.signals import Signals

MAX_PAGE = 10_000
NOW = "now"
SOON_S, LOOK_S = 0.02, 1.0
"""Shortest pause before looking for entries that wait for other transactions; longest pause of any kind."""
E = TypeVar("E")
Read = Callable[[AsyncConnection, Cursor, int], Awaitable[Page[E]]]
"""What reads up to so many entries behind a cursor, and completes them by what a follower is to know."""


async def position(connection: AsyncConnection, topic: Topic, after: str | None) -> Cursor:
    """Return where a follower stands: ``after`` is a token, `now`, or nothing for the oldest entry that is kept.

    Raises
    ------
    BadFeedCursor
        If it is neither.
    FeedCursorGone
        If there is no such entry, or entries behind it are forgotten.
    """
    if not after:
        return await beginning(connection, topic)
    if after == NOW:
        begun = await beginning(connection, topic)
        bound = await store.settled(connection, topic.name)
        row = await store.latest(connection, topic.name, bound)
        return Cursor(row.generation, row.number, row.id) if row else begun
    cursor = Cursor.parse(after)
    known, horizon = await store.place(connection, topic.name, cursor.position)
    begun = Cursor(*horizon)
    if cursor != begun and (cursor < begun or not known):
        raise topic.refusal()
    return cursor


async def position_before(connection: AsyncConnection, topic: Topic, number: int) -> Cursor:
    """Return where a follower stands that is told next what was written under a number.

    Raises
    ------
    FeedCursorGone
        If nothing is known to be written under it.
    """
    generation = await store.generation_of(connection, topic.name, number)
    found = Cursor(generation or 0, number)
    if generation is None or found < await beginning(connection, topic):
        raise topic.refusal()
    return found


async def position_since(connection: AsyncConnection, topic: Topic, instant: datetime) -> Cursor:
    """Return where a follower stands that is told next what was noted since an instant, or what is kept of it."""
    begun = await beginning(connection, topic)
    row = await store.before(connection, topic.name, instant)
    return max(Cursor(row.generation, row.number, row.id), begun) if row else begun


async def page_after(connection: AsyncConnection, topic: Topic, cursor: Cursor, limit: int) -> Page[Entry]:
    """Return up to ``limit`` entries behind a cursor; transactions are READ COMMITTED, or single statements.

    Raises
    ------
    FeedCursorGone
        If some of them are forgotten.
    """
    limit = max(1, min(limit, MAX_PAGE))
    # The bound comes first, and the entries by a statement of their own: see the package.
    bound = await store.settled(connection, topic.name)
    begun, unsettled, rows = await store.page(connection, topic.name, cursor.position, bound, limit + 1)
    if cursor < Cursor(*begun):
        raise topic.refusal()
    found = [_entry_of(row) for row in rows[:limit]]
    return Page(found, found[-1].cursor if found else cursor, len(rows) > limit, unsettled)


async def follow(
    database: Database,
    signals: Signals,
    topic: Topic,
    cursor: Cursor,
    read: Read[E],
    *,
    limit: int,
    timeout_s: float | None = None,
) -> AsyncGenerator[Page[E], None]:
    """Yield what ``read`` finds behind a cursor for ever, or until nothing has come for ``timeout_s`` seconds.

    An empty page is yielded at least every ``LOOK_S`` seconds: followers show there that they live. Nothing is
    read ahead, and no connection is held while the follower is busy. Statements of ``read`` are transactions of
    their own: one around them would double the trips to the server for each page.
    """
    silent_since, pause_s = time.monotonic(), SOON_S
    async with signals.subscribe(topic.channel) as news:
        while True:
            async with database.look() as connection:
                found = await read(connection, cursor, limit)
            yield found
            cursor = found.cursor
            if found.entries:
                silent_since, pause_s = time.monotonic(), SOON_S
            if found.more:
                continue
            left_s = silent_since + timeout_s - time.monotonic() if timeout_s is not None else LOOK_S
            if left_s <= 0:
                return
            # That a transaction which is waited for was rolled back is not announced.
            pause_s = min(2 * pause_s, LOOK_S) if found.unsettled else SOON_S
            await news.wait(min(left_s, pause_s if found.unsettled else LOOK_S))


async def next_page(
    database: Database,
    signals: Signals,
    topic: Topic,
    cursor: Cursor,
    read: Read[E],
    *,
    limit: int,
    wait_s: float,
) -> Page[E]:
    """Return what ``read`` finds behind a cursor, waiting up to ``wait_s`` seconds for the first entry."""
    found: Page[E] = Page([], cursor, more=False, unsettled=False)
    pages = follow(database, signals, topic, cursor, read, limit=limit, timeout_s=wait_s)
    async with aclosing(pages):
        async for found in pages:
            if found.entries:
                break
    return found


def _entry_of(row: AnyRow) -> Entry:
    return Entry(Cursor(row.generation, row.number, row.id), row.key, row.payload, row.noted)
