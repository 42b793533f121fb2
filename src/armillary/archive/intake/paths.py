"""The paths of ingestion roots: each has a number, by which its orders are called, and may be retired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog.models import Location
from armillary.base.database import driver

# DO NOTHING returns no row for what is there, and writes none.
_NUMBER = """
INSERT INTO ingestion (root_id, path) SELECT * FROM unnest($1::smallint[], $2::text[]) ON CONFLICT DO NOTHING
"""
_NUMBERS = """
SELECT i.id, i.root_id, i.path FROM ingestion AS i
JOIN unnest($1::smallint[], $2::text[]) AS w (root_id, path) ON i.root_id = w.root_id AND i.path = w.path
"""
_BY_NUMBER = "SELECT id, root_id, path FROM ingestion WHERE id = $1"
_RETIRE = """
INSERT INTO retirement (root_id, path, size, mtime_ns, retired, actor) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (root_id, path) DO UPDATE SET size = EXCLUDED.size, mtime_ns = EXCLUDED.mtime_ns,
    retired = EXCLUDED.retired, actor = EXCLUDED.actor
"""
_RETURN = "DELETE FROM retirement WHERE root_id = $1 AND path = $2"
_RETIRED = "SELECT path, size, mtime_ns FROM retirement WHERE root_id = $1"


async def numbers(connection: AsyncConnection, places: Iterable[Location]) -> dict[Location, int]:
    """Return the numbers of paths, giving one to each that has none."""
    wanted = {(place.root_id, place.key): place for place in places}
    columns = [[root_id for root_id, _ in wanted], [path for _, path in wanted]]
    below = await driver(connection)
    await below.execute(_NUMBER, *columns)
    rows = await below.fetch(_NUMBERS, *columns)
    return {wanted[row["root_id"], row["path"]]: row["id"] for row in rows}


async def numbered(connection: AsyncConnection, number: int) -> tuple[int, str] | None:
    """Return root and path of a number, None if there is no such number."""
    row = await (await driver(connection)).fetchrow(_BY_NUMBER, number)
    return (row["root_id"], row["path"]) if row else None


async def retire(
    connection: AsyncConnection, place: Location, state: tuple[int, int], *, now: datetime, actor: str
) -> None:
    """Remember that a file was taken out as it is, by size and time stamp: so it does not come back by itself."""
    values = (place.root_id, place.key, *state, now, actor)
    await (await driver(connection)).execute(_RETIRE, *values)


async def unretire(connection: AsyncConnection, place: Location) -> None:
    """Forget that a file was taken out: somebody wants it in again."""
    await (await driver(connection)).execute(_RETURN, place.root_id, place.key)


async def retired_of(connection: AsyncConnection, root_id: int) -> Mapping[str, tuple[int, int]]:
    """Return size and time stamp of the files of a root that were taken out, by path below it."""
    rows = await (await driver(connection)).fetch(_RETIRED, root_id)
    return {row["path"]: (row["size"], row["mtime_ns"]) for row in rows}
