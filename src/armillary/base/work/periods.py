"""Orders that are due again and again: each time one of all workers submits them, whichever looks first."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import Database
from armillary.base.work.models import NewOrder
from armillary.base.work.store import submit

# A worker that waited for the row of another one reads its new time, which lies after the beginning of both
# transactions. What was due several times while no worker lived is due once.
TAKE = """
INSERT INTO work_period AS p (kind, due)
SELECT n.kind, now() + make_interval(secs => n.every_s)
FROM unnest($1::text[], $2::float8[]) AS n (kind, every_s) ORDER BY n.kind
ON CONFLICT (kind) DO UPDATE SET due = EXCLUDED.due WHERE p.due <= now()
RETURNING p.kind
"""

NEXT = """
SELECT CASE WHEN count(*) = cardinality($1::text[]) THEN extract(epoch FROM min(due) - now())::float8 ELSE 0 END
FROM work_period WHERE kind = ANY($1::text[])
"""
LONGEST_S = 60.0
PRIORITY = 1000
"""Before the work of others, however much of that waits: what comes rarely should not come late, too."""


@dataclass(frozen=True, slots=True)
class Period:
    """A kind of order without arguments that is due every so many seconds."""

    kind: str
    every_s: float


async def submit_due(connection: AsyncConnection, periods: Sequence[Period]) -> list[int]:
    """Submit one order of each kind that is due, in the caller's transaction; return their ids.

    A kind that nobody has looked at before is due at once. An order that has not begun when the next one is due
    is that one, too; while one runs, the next waits for its end.
    """
    columns = ([one.kind for one in periods], [one.every_s for one in periods])
    due = (await connection.exec_driver_sql(TAKE, columns)).scalars().all()
    orders = [
        NewOrder(kind=kind, args={}, unique_key=kind, priority=PRIORITY, actor="armillary")
        for kind in sorted(due)
    ]
    return await submit(connection, orders, keyed_fifo=False)


async def next_due_s(connection: AsyncConnection, periods: Sequence[Period]) -> float:
    """Return the seconds until one of the kinds is due, by the clock of the database; zero if one is."""
    found = await connection.exec_driver_sql(NEXT, ([one.kind for one in periods],))
    return max(0.0, float(found.scalar() or 0.0))


async def submit_on_time(database: Database, periods: Sequence[Period], stop: asyncio.Event) -> None:
    """Submit orders of the kinds whenever they are due, until told to stop."""
    while periods and not stop.is_set():
        async with database.begin() as connection:
            # Most looks find nothing, and need no lock on the rows of others to know that.
            seconds = await next_due_s(connection, periods)
            if seconds == 0.0:
                await submit_due(connection, periods)
        # The clock of this machine may be set meanwhile, and other workers may have other periods.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), min(seconds, LONGEST_S))
