"""Every statement on exports that have ended."""

from __future__ import annotations

import json
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.exports.documents import EndedExport
from armillary.exports.models import Cargo, How, Sent

# Another look at a version that is there, as when it was recorded after its export had begun, leaves what brought
# it, and when.
RECORD = """
INSERT INTO export (destination, path, name, version_id, data_md5, how, sent_bytes, header_update,
    md5_before_header_update, md5_after_header_update, exported)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::json, $9, $10, $11)
ON CONFLICT (destination, path, name) DO UPDATE SET
    version_id = EXCLUDED.version_id, data_md5 = EXCLUDED.data_md5, how = EXCLUDED.how,
    sent_bytes = EXCLUDED.sent_bytes, header_update = EXCLUDED.header_update,
    md5_before_header_update = EXCLUDED.md5_before_header_update,
    md5_after_header_update = EXCLUDED.md5_after_header_update, exported = EXCLUDED.exported
WHERE NOT (EXCLUDED.how = 'already' AND export.version_id = EXCLUDED.version_id)
"""

ENDED = """
SELECT destination, path, name, version_id, data_md5, how, sent_bytes, header_update, md5_before_header_update,
    md5_after_header_update, exported
FROM export WHERE $1::text IS NULL OR destination = $1
ORDER BY exported DESC, destination, path, name LIMIT $2
"""


async def record_export(
    connection: AsyncConnection, destination: str, cargo: Cargo, sent: Sent, *, now: datetime
) -> None:
    """Record that a destination has a version, and how it got it."""
    first, last = (sent.updates[0], sent.updates[-1]) if sent.updates else (None, None)
    update = json.dumps([one.item(cargo.name) for one in sent.updates]) if sent.updates else None
    values = (
        destination,
        cargo.path,
        cargo.name,
        sent.version_id,
        sent.data_md5,
        str(sent.how),
        sent.sent_bytes,
        update,
        first.md5_before if first else None,
        last.md5_after if last else None,
        now,
    )
    await connection.exec_driver_sql(RECORD, values)


async def ended(connection: AsyncConnection, destination: str | None, limit: int) -> list[EndedExport]:
    """Return what destinations have, the latest first."""
    rows = (await connection.exec_driver_sql(ENDED, (destination, limit))).mappings()
    return [EndedExport(**{**row, "how": How(row["how"])}) for row in rows]
