"""Every statement on the records that the virtual observatory has acknowledged."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.publish.svo.models import Acknowledged

ACKNOWLEDGE = """
INSERT INTO svo_record (dataset, oid, file_id, digest, acknowledged)
SELECT $1, oid, file_id, digest, $2 FROM unnest($3::text[], $4::bigint[], $5::text[]) AS n (oid, file_id, digest)
ON CONFLICT (dataset, oid) DO UPDATE SET
    file_id = EXCLUDED.file_id, digest = EXCLUDED.digest, acknowledged = EXCLUDED.acknowledged
WHERE (svo_record.file_id, svo_record.digest) IS DISTINCT FROM (EXCLUDED.file_id, EXCLUDED.digest)
"""

FORGET = "DELETE FROM svo_record WHERE dataset = $1 AND oid = ANY ($2::text[])"

OF_FILE = "SELECT dataset, oid, file_id, digest FROM svo_record WHERE file_id = $1 ORDER BY dataset, oid"

OF_OID = "SELECT dataset, oid, file_id, digest FROM svo_record WHERE dataset = $1 AND oid = $2"


async def acknowledge(
    connection: AsyncConnection, dataset: str, known: Sequence[Acknowledged], *, now: datetime
) -> None:
    """Record what a dataset has; what is recorded so already is not written again."""
    if not known:
        return
    columns = ([one.oid for one in known], [one.file_id for one in known], [one.digest for one in known])
    await connection.exec_driver_sql(ACKNOWLEDGE, (dataset, now, *columns))


async def forget(connection: AsyncConnection, dataset: str, oids: Collection[str]) -> None:
    """Record that a dataset has records no more."""
    if oids:
        await connection.exec_driver_sql(FORGET, (dataset, list(oids)))


async def of_file(connection: AsyncConnection, file_id: int) -> list[Acknowledged]:
    """Return the records that were made of a file."""
    rows = (await connection.exec_driver_sql(OF_FILE, (file_id,))).mappings()
    return [Acknowledged(**row) for row in rows]


async def of_oid(connection: AsyncConnection, dataset: str, oid: str) -> Acknowledged | None:
    """Return what was acknowledged of an oid."""
    row = (await connection.exec_driver_sql(OF_OID, (dataset, oid))).mappings().first()
    return Acknowledged(**row) if row else None
