"""Announcing headers again that have been announced: for a consumer that has lost what it took."""

from __future__ import annotations

import json
from typing import Any

from armillary.base.feed.writer import append
from armillary.headers.delivery import queries
from armillary.headers.delivery.models import HEADERS
from armillary.headers.services.instance import Instance

MOST = 10_000


async def reannounce(instance: Instance, arguments: dict[str, Any]) -> dict[str, Any]:
    """Announce the latest revisions of an image, a night, or all, again; they bear the numbers that they had."""
    image, night = arguments.get("image_id"), arguments.get("night")
    async with instance.context.database.begin() as connection:
        found = await queries.latest(
            connection,
            instance.instrument,
            image_id=str(image) if image else None,
            night=str(night) if night else None,
            limit=MOST,
        )
        entries = [(f"{one.instrument}/{one.image_id}", json.loads(one.announcement)) for one in found]
        await append(connection, HEADERS, entries)
    return {"reannounced": len(entries)}
