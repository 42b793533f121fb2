"""Notice that the server is another one than that which wrote the feed: its numbers were given elsewhere, too.

A dump carries the transaction ids of the server it was made on; the server that it is restored to begins lower.
So recorded ids that lie in the future tell of a restore. Whoever starts with the right to write looks, before
anything is written, and begins a new generation, by which the feed is ordered first.
"""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import Database
from armillary.base.feed import store
from armillary.base.log import get_logger

log = get_logger(__name__)


async def notice_restore(database: Database) -> bool:
    """Begin a new generation if recorded transactions lie in the future of this server; tell whether."""
    async with database.begin() as connection:
        begun = await store.notice_restore(connection)
    if begun:
        log.warning("restored from a dump: a new generation of changes begins")
    return begun


async def begin_generation(connection: AsyncConnection, leap: int) -> None:
    """Begin a generation that is so many above the last one."""
    await store.begin_generation(connection, leap)
