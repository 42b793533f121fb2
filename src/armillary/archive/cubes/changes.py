"""The feed of cubes: which files are called otherwise now, whether or not their bytes have changed.

Triggers on the table of cubes write an entry per cube that is recorded, belongs to another file, is to be
published or not any more, or is forgotten, in the transaction that does it. The key is the oid; the payload names
the file.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.feed import horizon
from armillary.base.feed.models import Topic

CUBES = Topic("cubes")


async def forget_changes(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Forget the oldest entries, up to ``limit``, if they were noted before an instant; return how many."""
    return await horizon.forget(connection, CUBES, before=before, limit=limit)
