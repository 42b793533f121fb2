"""Notice that the server is another one than that which wrote the data: its transaction ids count from anew.

Whatever is ordered by transaction ids is ordered by generation first. A dump carries the ids of the server it was
made on; the server that it is restored to begins lower. Whoever starts with the right to write looks, before
anything is written.
"""

from __future__ import annotations

from armillary.base.database import Database
from armillary.base.log import get_logger

log = get_logger(__name__)


async def notice_restore(database: Database) -> bool:
    """Begin a new generation if recorded transactions lie in the future of this server; tell whether."""
    async with database.begin() as connection:
        begun = bool((await connection.exec_driver_sql("SELECT change_notice_restore()")).scalar())
    if begun:
        log.warning("restored from a dump: a new generation of changes begins")
    return begun
