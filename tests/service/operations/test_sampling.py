"""How the archive stood is written down minute by minute, kept for some days, and told as curves."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from armillary.base.work import NewOrder, submit
from armillary.commands import upkeep
from armillary.context import Context
from armillary.operations.sampling import POINTS, StatusHistory, history_of, take_sample
from tests.support.archive import Archive, put
from tests.support.patience import in_time

PATIENCE_S = 300.0
SAMPLES = """
INSERT INTO status_sample
SELECT now() - n * interval '1 minute', 2, CASE n WHEN 777 THEN 50 ELSE 3 END, 1, 0, 4, NULL, 1000 + n,
    greatest(10000 - 5 * n, 0), '{"store": [7, 9]}'
FROM generate_series(1, $1::int) AS n
"""
MOVED = """
WITH old AS (DELETE FROM status_sample RETURNING *)
INSERT INTO status_sample
SELECT at - interval '90 seconds', workers, waiting, started, held, failed, oldest_waiting_s, database_bytes,
    events + $1::int, disks FROM old
"""


async def told(archive: Archive, hours: float = 1.0) -> StatusHistory:
    async with archive.context.database.begin() as connection:
        return await history_of(archive.context, connection, hours=hours)


async def run(archive: Archive, statement: str, *values: Any) -> None:
    async with archive.context.database.begin() as connection:
        await connection.exec_driver_sql(statement, values)


async def test_a_sample_is_what_the_status_tells(archive: Archive) -> None:
    await archive.ingest(put(archive.directory / "x.fits"))
    async with archive.context.database.begin() as connection:
        await submit(connection, [NewOrder(kind="nobody's", args={})] * 2, keyed_fifo=False)
    await take_sample(archive.context)
    found = await told(archive)
    assert (found.workers, found.waiting, found.started, found.held, found.failed) == (
        (0,),
        (2,),
        (0,),
        (0,),
        (0,),
    )
    assert found.oldest_waiting_s[0] is not None
    assert found.database_bytes[0] > 1_000_000
    assert found.events_per_min == (None,)
    disks = {one.name: (one.free, one.size) for one in found.disks}
    assert {"store", "private"} <= set(disks)
    ((free,), (size,)) = disks["store"]
    assert free is not None
    assert size is not None
    assert 0 < free < size


async def test_rates_are_those_of_what_happened_between_samples(archive: Archive) -> None:
    await take_sample(archive.context)
    await run(archive, MOVED, 0)
    await archive.ingest(*(put(archive.directory / f"{n}.fits") for n in range(3)))
    await take_sample(archive.context)
    first, second = (await told(archive)).events_per_min
    assert first is None
    assert second is not None
    # Three files in a minute and a half.
    assert 1.9 < second < 10
    # After a restore the numbers of the feed are smaller.
    await run(archive, MOVED, 1000)
    await take_sample(archive.context)
    assert (await told(archive)).events_per_min[2] is None


async def test_a_long_time_has_few_points_and_keeps_its_peaks(archive: Archive) -> None:
    await run(archive, SAMPLES, 3 * 1440)
    day = await told(archive, 24.0)
    assert len(day.at) <= POINTS + 1
    assert day.step_s == 120.0
    assert max(day.waiting) == 50
    assert {rate for rate in day.events_per_min if rate is not None} == {5.0}
    hour = await told(archive, 1.0)
    assert (hour.step_s, len(hour.at), max(hour.waiting)) == (60.0, 59, 3)
    assert list(hour.at) == sorted(hour.at)
    assert [one.free for one in hour.disks] == [(7,) * len(hour.at)]


async def test_old_samples_are_forgotten(archive: Archive) -> None:
    days = archive.context.settings.retention.status_days
    await run(archive, SAMPLES, round(days * 1440) + 10)
    await take_sample(archive.context)
    query = text("SELECT count(*), now() - min(at) FROM status_sample")
    async with archive.context.database.begin() as connection:
        kept, oldest = (await connection.execute(query)).one()
    assert abs(kept - days * 1440) < 3
    assert oldest < timedelta(days=days)


async def test_the_chores_take_samples_and_fold_counts(archive: Archive) -> None:
    await archive.ingest(put(archive.directory / "x.fits"))
    stop = asyncio.Event()

    async def watch(_context: Context, stop: asyncio.Event) -> None:
        await stop.wait()

    doing = asyncio.create_task(upkeep.run(archive.context, stop, watch=watch, periods=()))
    done = "SELECT count(*) FROM status_sample WHERE NOT EXISTS (SELECT FROM night_count WHERE NOT folded)"
    end = time.monotonic() + PATIENCE_S
    try:
        while True:
            async with archive.context.database.begin() as connection:
                if await connection.scalar(text(done)):
                    break
            in_time(end)
            await asyncio.sleep(0.02)
    finally:
        stop.set()
        await doing
