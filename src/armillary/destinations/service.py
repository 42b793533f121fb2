"""What clients of other servers may ask of destinations: who is there, who rests, who is back."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.log import get_logger
from armillary.context import Context
from armillary.destinations import store
from armillary.destinations.models import Peer, Sort
from armillary.destinations.store import come_back, every, mark_back, resting

log = get_logger(__name__)
__all__ = ["come_back", "every", "leave_alone", "mark_back", "register", "resting"]


async def register(
    connection: AsyncConnection, sort: Sort, known: Sequence[Peer], *, alone: bool = False
) -> None:
    """Make destinations of a sort known to the database; ``alone`` retires all others of it."""
    if known:
        await store.put(connection, sort, known)
    if alone:
        await store.retire(connection, sort, [one.name for one in known])


async def leave_alone(context: Context, name: str, pause_s: float, error: str) -> None:
    """Let everything that is meant for a destination wait, since it does not answer."""
    log.warning("destination away", destination=name, again_s=pause_s, error=error)
    async with context.database.begin() as connection:
        await store.mark_away(connection, name, pause_s, error)
