"""Samples for consumers that acknowledge, in transactions of their own: each is dealt with exactly once.

Who acknowledges in the transaction of what it did with the samples has done that once, however often it is killed.
Announcements are those of the feed: an entry for each piece of a published batch.
"""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.bus import store
from armillary.base.bus.models import EVERYTHING, Filter, Stored
from armillary.base.feed import consumers
from armillary.base.feed.models import Cursor, Entry, Page, Topic

TOPIC = Topic(
    "samples",
    gone="Samples behind this position are forgotten, or it was never given; begin at `earliest` or `latest`.",
)
MOST_AT_ONCE = 5000
"""Offsets that are read at once, at least a piece of a batch."""


async def register_consumer(connection: AsyncConnection, consumer: str, *, from_now: bool = False) -> Cursor:
    """Let a consumer be known from now on, and return where it stands; one that is known stays there."""
    return await consumers.register(connection, TOPIC, consumer, from_now=from_now)


async def deliver_samples(
    connection: AsyncConnection, consumer: str, limit: int, *, wanted: Filter = EVERYTHING
) -> Page[Stored]:
    """Return wanted samples behind what a consumer has acknowledged: the same until it acknowledges.

    Parameters
    ----------
    limit
        The most pieces of batches that are read; all samples of a piece come together.

    Raises
    ------
    UnknownConsumer
        If it is not registered.
    FeedCursorGone
        If samples are forgotten that it has not acknowledged.
    """
    page = await consumers.deliver(connection, TOPIC, consumer, limit)
    return await pieces_of(connection, page, wanted)


async def acknowledge_samples(connection: AsyncConnection, consumer: str, cursor: Cursor) -> None:
    """Take all samples up to the cursor of a delivery as dealt with."""
    await consumers.acknowledge(connection, TOPIC, consumer, cursor)


async def pieces_of(
    connection: AsyncConnection, page: Page[Entry], wanted: Filter, *, behind: int = -1
) -> Page[Stored]:
    """Return the wanted samples that a page of announcements is about, or of the first of them."""
    ends, total, cursor = list[tuple[int, int]](), 0, page.cursor
    for entry in page.entries:
        ends.append((entry.payload["first"], entry.payload["last"]))
        cursor, total = entry.cursor, total + ends[-1][1] - ends[-1][0] + 1
        if total >= MOST_AT_ONCE:
            break
    more = page.more or len(ends) < len(page.entries)
    found = await store.pieces(connection, ends, wanted, behind=behind) if ends else []
    return Page(found, cursor, more, page.unsettled)
