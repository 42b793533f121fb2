"""Writing to a topic where no trigger does it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.feed import store
from armillary.base.feed.models import Topic


def appending(topic: str, keys: str, payloads: str) -> str:
    """Return the expression by which a statement of others writes entries, from expressions for its arguments."""
    return f"feed_append({topic}, {keys}, {payloads})"


async def append(
    connection: AsyncConnection, topic: Topic, entries: Sequence[tuple[str, Mapping[str, Any]]]
) -> None:
    """Write entries, each a key and a payload, in this order; they are told when the transaction commits."""
    keys, payloads = [key for key, _ in entries], [json.dumps(payload) for _, payload in entries]
    await store.append(connection, topic.name, keys, payloads)
