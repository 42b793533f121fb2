"""How the archive stood, minute by minute: taken by one worker of all, kept for some days, told as curves.

It is a chore and no work order: what is waited for in a queue that does not move is seen here only if the look
itself does not wait in that queue.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.clock import Instant
from armillary.base.database import AnyRow
from armillary.base.feed import store as feed
from armillary.base.work import overview
from armillary.context import Context
from armillary.operations import store
from armillary.operations.models import Disk
from armillary.operations.status import disks_of, queues

EVERY_S = 60.0
POINTS = 720
"""Points of a curve, at most: more than a screen shows of it."""
MOST_HOURS = 24 * 366

TAKE = """
INSERT INTO status_sample (
    at, workers, waiting, started, held, failed, oldest_waiting_s, database_bytes, events, disks)
SELECT $1::timestamptz, $2::int, $3::int, $4::int, $5::int, $6::int, $7::float8,
    pg_database_size(current_database()), $8::bigint, $9::text::jsonb
ON CONFLICT (at) DO NOTHING
"""
FORGET = "DELETE FROM status_sample WHERE at < $1::timestamptz"

# Of samples that share a point, the worst: a peak of a minute is what somebody looks for.
HISTORY = """
SELECT max(at) AS at, min(workers) AS workers, max(waiting) AS waiting, max(started) AS started,
    max(held) AS held, max(failed) AS failed, max(oldest_waiting_s) AS oldest_waiting_s,
    max(database_bytes) AS database_bytes, max(events) AS events,
    (array_agg(disks ORDER BY at DESC))[1]::text AS disks
FROM status_sample WHERE at > $1::timestamptz
GROUP BY date_bin(make_interval(secs => $2::float8), at, 'epoch') ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class DiskCurve:
    """The room on the file system of a directory, in bytes; null where nobody could look."""

    name: str
    free: tuple[int | None, ...]
    size: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class StatusHistory:
    """How an archive stood, as columns of equal length, oldest first.

    A point tells the worst of ``step_s`` seconds. Where ``at`` leaves a gap, no worker lived. ``events_per_min``
    is null at the first point, and wherever the database was restored.
    """

    step_s: float
    at: tuple[Instant, ...]
    workers: tuple[int, ...]
    waiting: tuple[int, ...]
    started: tuple[int, ...]
    held: tuple[int, ...]
    failed: tuple[int, ...]
    oldest_waiting_s: tuple[float | None, ...]
    database_bytes: tuple[int, ...]
    events_per_min: tuple[float | None, ...]
    disks: tuple[DiskCurve, ...]


async def take_sample(context: Context) -> None:
    """Write down how the archive stands now, and forget what is older than the settings say."""
    now = context.clock.now()
    before = now - timedelta(days=context.settings.retention.status_days)
    async with context.database.begin() as connection:
        room = await disks_of(context, connection)
        found = await queues(connection)
        values = (
            now,
            len(await store.living(connection)),
            sum(one.waiting for one in found),
            sum(one.started for one in found),
            sum(one.held for one in found),
            await overview.failed(connection),
            max((round(one.oldest_waiting_s or 0.0, 1) for one in found if one.waiting), default=None),
            await feed.last_number(connection),
            _to_json(room),
        )
        await connection.exec_driver_sql(TAKE, values)
        await connection.exec_driver_sql(FORGET, (before,))


async def history_of(context: Context, connection: AsyncConnection, *, hours: float) -> StatusHistory:
    """Return how the archive stood in the last ``hours``."""
    step_s = math.ceil(hours * 3600 / EVERY_S / POINTS) * EVERY_S
    since = context.clock.now() - timedelta(hours=hours)
    rows = await store.rows(connection, HISTORY, since, step_s)
    told = [msgspec.json.decode(row.disks) for row in rows]
    plain = {
        name: tuple(getattr(row, name) for row in rows)
        for name in ("at", "workers", "waiting", "started", "held", "failed", "oldest_waiting_s")
    }
    return StatusHistory(
        step_s=step_s,
        **plain,
        database_bytes=tuple(row.database_bytes for row in rows),
        events_per_min=_rates(rows),
        disks=tuple(_curve(name, told) for name in dict.fromkeys(name for one in told for name in one)),
    )


def _to_json(room: Sequence[Disk]) -> str:
    return msgspec.json.encode({one.name: [one.free, one.size] for one in room}).decode()


def _curve(name: str, told: Sequence[dict[str, Any]]) -> DiskCurve:
    pairs = [one.get(name, (None, None)) for one in told]
    return DiskCurve(name, tuple(free for free, _ in pairs), tuple(size for _, size in pairs))


def _rates(rows: Sequence[AnyRow]) -> tuple[float | None, ...]:
    first: list[float | None] = [None] if rows else []
    return (*first, *(_rate(*pair) for pair in pairwise(rows)))


def _rate(before: AnyRow, after: AnyRow) -> float | None:
    minutes = (after.at - before.at).total_seconds() / 60
    return round((after.events - before.events) / minutes, 2) if after.events >= before.events else None
