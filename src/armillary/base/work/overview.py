"""Figures about the whole queue, for those who run the archive."""

# What is put into these texts are constants of this module.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import AnyRow
from armillary.base.work.models import State
from armillary.base.work.store import decoded

_UNFINISHED = "state IN ('Queued', 'Started')"

KINDS = f"""
SELECT kind,
    count(*) FILTER (WHERE state = 'Queued') AS waiting,
    count(*) FILTER (WHERE state = 'Queued' AND attempts > 0) AS again,
    count(*) FILTER (WHERE held IS NOT NULL) AS held,
    count(*) FILTER (WHERE state = 'Started') AS started,
    extract(epoch FROM now() - min(added) FILTER (WHERE state = 'Queued'))::float8 AS oldest_waiting_s,
    extract(epoch FROM clock_timestamp() - min(started) FILTER (WHERE state = 'Started'))::float8
        AS oldest_started_s
FROM work_order WHERE {_UNFINISHED} GROUP BY kind ORDER BY kind
"""

COUNTS = f"""
SELECT kind, count(*) AS orders FROM work_order WHERE {_UNFINISHED} AND kind = ANY($1::text[]) GROUP BY kind
"""

HELD = """
SELECT held AS place, count(*) AS orders, min(id) AS first,
    extract(epoch FROM now() - min(added))::float8 AS age_s,
    coalesce((array_agg(error ORDER BY id) FILTER (WHERE error IS NOT NULL))[1], '') AS reason
FROM work_order WHERE held IS NOT NULL GROUP BY held ORDER BY held
"""

_LINE = "id, kind, key, args, state, attempts, coalesce(error, '') AS error, finished"
_AGE = "extract(epoch FROM now() - added)::float8 AS age_s"
OLDEST = f"SELECT {_LINE}, {_AGE} FROM work_order WHERE {_UNFINISHED} ORDER BY id LIMIT 1"
FAILURES = f"SELECT {_LINE}, {_AGE} FROM work_order WHERE state = 'Failed' ORDER BY finished DESC LIMIT $1"
FAILED = "SELECT count(*) FROM work_order WHERE state = 'Failed'"
LEASES = """
SELECT lease_owner AS owner, count(*) AS leases FROM work_order WHERE state = 'Started' GROUP BY lease_owner
"""


@dataclass(frozen=True, slots=True)
class Line:
    """An order as one line of a report; ``age_s`` counts from when it was accepted."""

    id: int
    kind: str
    key: str | None
    args: dict[str, Any]
    state: State
    attempts: int
    error: str
    finished: datetime | None
    age_s: float


async def kinds(connection: AsyncConnection) -> list[AnyRow]:
    """Return the unfinished orders by kind: how many wait, run, and how old they are."""
    return list((await connection.exec_driver_sql(KINDS)).all())


async def counts(connection: AsyncConnection, kinds: Iterable[str]) -> dict[str, int]:
    """Return how many orders of some kinds are unfinished; kinds that have none are missing."""
    found = await connection.exec_driver_sql(COUNTS, (list(kinds),))
    return {row.kind: row.orders for row in found.all()}


async def held(connection: AsyncConnection) -> list[AnyRow]:
    """Return how many orders wait for each obstacle, since when, and why."""
    return list((await connection.exec_driver_sql(HELD)).all())


async def oldest(connection: AsyncConnection) -> Line | None:
    """Return the order that has been unfinished for longest."""
    row = (await connection.exec_driver_sql(OLDEST)).first()
    return _line(row) if row else None


async def failures(connection: AsyncConnection, limit: int) -> list[Line]:
    """Return the orders that failed last."""
    return [_line(row) for row in (await connection.exec_driver_sql(FAILURES, (limit,))).all()]


async def failed(connection: AsyncConnection) -> int:
    """Return how many orders that are kept have failed."""
    return int((await connection.exec_driver_sql(FAILED)).scalar() or 0)


async def leases(connection: AsyncConnection) -> dict[str, int]:
    """Return how many orders each worker holds."""
    return {row.owner: row.leases for row in (await connection.exec_driver_sql(LEASES)).all()}


def _line(row: AnyRow) -> Line:
    return Line(**{**row._mapping, "args": decoded(row.args), "state": State(row.state)})
