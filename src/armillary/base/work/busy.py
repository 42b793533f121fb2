"""Which of many keys have work before them."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

MANY = 1000
ALL_BUSY = """
SELECT key FROM work_order
WHERE state IN ('Queued', 'Started') AND key IS NOT NULL AND kind <> ALL($1::text[]) LIMIT $2
"""
BUSY = """
SELECT DISTINCT key FROM work_order
WHERE state IN ('Queued', 'Started') AND key = ANY($1::text[]) AND kind <> ALL($2::text[])
"""


async def busy_keys(
    connection: AsyncConnection, keys: Iterable[str], *, besides: Iterable[str] = ()
) -> set[str]:
    """Return those of the keys for which an order is queued or started, of any kind but some.

    Most of the time little is in work: then all of that is read, which costs less than to send the keys.
    """
    wanted, others = set(keys), list(besides)
    if len(wanted) > MANY:
        found = (await connection.exec_driver_sql(ALL_BUSY, (others, MANY + 1))).scalars().all()
        if len(found) <= MANY:
            return wanted.intersection(found)
    return set((await connection.exec_driver_sql(BUSY, (sorted(wanted), others))).scalars())
