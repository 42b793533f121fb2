"""Which of many keys have work before them."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

BUSY = """
SELECT DISTINCT key FROM work_order
WHERE state IN ('Queued', 'Started') AND key = ANY($1::text[]) AND kind <> ALL($2::text[])
"""


async def busy_keys(
    connection: AsyncConnection, keys: Iterable[str], *, besides: Iterable[str] = ()
) -> set[str]:
    """Return those of the keys for which an order is queued or started, of any kind but some."""
    found = await connection.exec_driver_sql(BUSY, (sorted(set(keys)), list(besides)))
    return set(found.scalars())
