"""Every statement on destinations, and on exports that have ended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.exports.documents import Destination, EndedExport
from armillary.exports.models import Cargo, How, Sent
from armillary.settings import DestinationSettings

PUT_DESTINATIONS = """
INSERT INTO export_destination (name, url, pattern, active)
SELECT name, url, pattern, true FROM unnest($1::text[], $2::text[], $3::text[]) AS new (name, url, pattern)
ON CONFLICT (name) DO UPDATE SET url = EXCLUDED.url, pattern = EXCLUDED.pattern, active = true
"""

RETIRE_DESTINATIONS = "UPDATE export_destination SET active = false WHERE active AND name <> ALL ($1::text[])"

DESTINATIONS = """
SELECT name, url, pattern, active, away_until, error FROM export_destination ORDER BY name
"""

AWAY = """
SELECT extract(epoch FROM away_until - now())::float8 AS left_s, error
FROM export_destination WHERE name = $1 AND away_until > now()
"""

MARK_AWAY = """
UPDATE export_destination SET away_until = now() + make_interval(secs => $2::float8), error = $3
WHERE name = $1
"""

MARK_BACK = """
UPDATE export_destination SET away_until = NULL, error = NULL
WHERE name = $1 AND (away_until IS NOT NULL OR error IS NOT NULL)
"""

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

COME_BACK = "UPDATE export_destination SET away_until = NULL WHERE $1::text IS NULL OR name = $1"


async def put_destinations(connection: AsyncConnection, known: Sequence[DestinationSettings]) -> None:
    """Record destinations; from now on what is taken in or edited is exported to them."""
    columns = ([d.name for d in known], [d.url for d in known], [d.pattern for d in known])
    await connection.exec_driver_sql(PUT_DESTINATIONS, columns)


async def retire_destinations(connection: AsyncConnection, besides: Sequence[str]) -> None:
    """Queue nothing more for all destinations but some."""
    await connection.exec_driver_sql(RETIRE_DESTINATIONS, (list(besides),))


async def list_destinations(connection: AsyncConnection) -> list[Destination]:
    """Return every destination."""
    rows = (await connection.exec_driver_sql(DESTINATIONS)).mappings()
    return [Destination(**row) for row in rows]


async def away(connection: AsyncConnection, destination: str) -> tuple[float, str] | None:
    """Return for how many seconds a destination is left alone, and why; None if it is not."""
    row = (await connection.exec_driver_sql(AWAY, (destination,))).first()
    return (float(row.left_s), str(row.error)) if row else None


async def mark_away(connection: AsyncConnection, destination: str, seconds: float, error: str) -> None:
    """Leave a destination alone for a while."""
    await connection.exec_driver_sql(MARK_AWAY, (destination, seconds, error))


async def mark_back(connection: AsyncConnection, destination: str) -> None:
    """Record that a destination answers."""
    await connection.exec_driver_sql(MARK_BACK, (destination,))


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


async def come_back(connection: AsyncConnection, destination: str | None) -> None:
    """Leave a destination, or any, alone no longer."""
    await connection.exec_driver_sql(COME_BACK, (destination,))
