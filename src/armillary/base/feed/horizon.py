"""Where a topic begins: old entries may be forgotten, always a first part of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.feed import store
from armillary.base.feed.models import Cursor, Topic


async def beginning(connection: AsyncConnection, topic: Topic) -> Cursor:
    """Return the position before the oldest entry that is kept: ``BEGINNING`` if none is forgotten."""
    return Cursor(*await store.horizon(connection, topic.name))


async def forget(connection: AsyncConnection, topic: Topic, *, before: datetime, limit: int) -> int:
    """Forget the oldest entries, up to ``limit``; return how many.

    Those go that were noted before an instant, that are settled, and that every consumer has acknowledged.
    """
    # Whoever registers a consumer from the beginning waits for this transaction, or this for him.
    await store.lock_horizon(connection, topic.name)
    bound = await store.settled(connection, topic.name)
    return await store.forget(connection, topic.name, bound, before=before, limit=limit)
