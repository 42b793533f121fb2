"""Every statement on destinations."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.destinations.models import Peer, Rest, Sort

PUT = """
INSERT INTO export_destination (name, url, pattern, active, sort)
SELECT name, url, pattern, true, $4 FROM unnest($1::text[], $2::text[], $3::text[]) AS new (name, url, pattern)
ON CONFLICT (name) DO UPDATE SET url = EXCLUDED.url, pattern = EXCLUDED.pattern, active = true
"""

RETIRE = """
UPDATE export_destination SET active = false WHERE active AND sort = $2 AND name <> ALL ($1::text[])
"""

LIST = """
SELECT name, url, pattern, active, away_until, error FROM export_destination WHERE sort = $1 ORDER BY name
"""

RESTING = """
SELECT extract(epoch FROM away_until - now())::float8 AS left_s, coalesce(error, '') AS why
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

COME_BACK = """
UPDATE export_destination SET away_until = NULL WHERE sort = $2 AND ($1::text IS NULL OR name = $1)
"""


async def put(connection: AsyncConnection, sort: Sort, known: Sequence[Peer]) -> None:
    """Record destinations of a sort, which are active from now on."""
    columns = ([one.name for one in known], [one.url for one in known], [one.pattern for one in known])
    await connection.exec_driver_sql(PUT, (*columns, str(sort)))


async def retire(connection: AsyncConnection, sort: Sort, besides: Sequence[str]) -> None:
    """Send nothing more to all destinations of a sort but some."""
    await connection.exec_driver_sql(RETIRE, (list(besides), str(sort)))


async def every(connection: AsyncConnection, sort: Sort) -> list[Peer]:
    """Return the destinations of a sort."""
    rows = (await connection.exec_driver_sql(LIST, (str(sort),))).mappings()
    return [Peer(**row) for row in rows]


async def resting(connection: AsyncConnection, name: str) -> Rest | None:
    """Return for how long a destination is left alone, and why; None if it is not."""
    row = (await connection.exec_driver_sql(RESTING, (name,))).first()
    return Rest(float(row.left_s), row.why) if row else None


async def mark_away(connection: AsyncConnection, name: str, seconds: float, error: str) -> None:
    """Leave a destination alone for a while."""
    await connection.exec_driver_sql(MARK_AWAY, (name, seconds, error))


async def mark_back(connection: AsyncConnection, name: str) -> None:
    """Record that a destination answers."""
    await connection.exec_driver_sql(MARK_BACK, (name,))


async def come_back(connection: AsyncConnection, sort: Sort, name: str | None) -> None:
    """Leave a destination, or any of a sort, alone no longer."""
    await connection.exec_driver_sql(COME_BACK, (name, str(sort)))
