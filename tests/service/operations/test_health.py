"""Health is what somebody can rely on: workers that live, a database that answers."""

from __future__ import annotations

import asyncio

import pytest

from armillary.base.work import NewOrder, submit
from armillary.operations import heartbeat
from armillary.operations.health import DatabaseAway, Health, Verdict, health_of
from tests.support.archive import Archive


async def health(archive: Archive) -> Health:
    """Return how it goes, however long a busy machine takes to tell."""
    return await health_of(archive.context, patience_s=60.0)


async def test_without_a_worker_an_archive_is_degraded(archive: Archive) -> None:
    async with archive.context.database.begin() as connection:
        await submit(connection, [NewOrder(kind="echo", args={})], keyed_fifo=False)
    found = await health(archive)
    assert (found.status, found.workers, found.waiting, found.started) == (Verdict.DEGRADED, 0, 1, 0)
    assert found.oldest_waiting_s is not None
    stop = asyncio.Event()
    beating = asyncio.create_task(
        heartbeat.beat(archive.context, stop, owners=["test"], name="test", slots=1, every_s=0.05)
    )
    try:
        while found.workers == 0:
            found = await health(archive)
        assert found.status is Verdict.OK
    finally:
        stop.set()
        await beating
    assert (await health(archive)).status is Verdict.DEGRADED
    await archive.drain()
    assert (await health(archive)).oldest_waiting_s is None


async def test_a_database_that_does_not_answer_is_said_to_be_away_soon(archive: Archive) -> None:
    other = await archive.context.database.dedicated()
    try:
        await other.execute("BEGIN; LOCK TABLE work_order IN ACCESS EXCLUSIVE MODE")
        # The lock stays until the end of the test: without patience this would wait for ever.
        with pytest.raises(DatabaseAway):
            await health_of(archive.context, patience_s=0.2)
    finally:
        await other.close()
    assert (await health(archive)).waiting == 0
