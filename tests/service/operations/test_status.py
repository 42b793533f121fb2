"""Status tells what is, workers that are dead are not alive, and metrics hold what workers counted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from armillary.archive.catalog.store import list_roots
from armillary.archive.products.registry import BY_NAME
from armillary.base import migrate
from armillary.base.work import NewOrder, submit
from armillary.operations import heartbeat, store
from armillary.operations.exposition import exposition
from armillary.operations.status import status_of, status_to_json
from tests.support.archive import Archive, put

OWNER = "worker-1-17-abcd"
PATIENCE_S = 60.0


@contextlib.asynccontextmanager
async def beating(archive: Archive, owner: str = OWNER) -> AsyncIterator[asyncio.Task[None]]:
    """Let a worker give signs of life while the block runs."""
    stop = asyncio.Event()
    beat = heartbeat.beat(archive.context, stop, owners=[owner], name="worker-1", slots=4, every_s=0.01)
    task = asyncio.create_task(beat)
    try:
        await until_registered(archive, owner)
        yield task
    finally:
        stop.set()
        await asyncio.gather(task, return_exceptions=True)


async def until_registered(archive: Archive, owner: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if owner in await alive(archive):
                return
            await asyncio.sleep(0.005)


async def until_nobody_is_alive(archive: Archive) -> None:
    """Wait for the end of a session that was told to go: it says so first, and lets go of its locks then."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if not await alive(archive):
                return
            await asyncio.sleep(0.005)


async def worker_metrics(archive: Archive) -> str:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            page = (await exposition(archive.context)).decode()
            if 'worker="worker-1"' in page:
                return page
            await asyncio.sleep(0.005)


async def alive(archive: Archive) -> list[str]:
    return [one.owner for one in (await status_of(archive.context)).workers if one.alive]


async def sql(archive: Archive, statement: str) -> None:
    async with archive.context.database.begin() as connection:
        await connection.execute(text(statement))


async def test_an_empty_archive_has_an_empty_status(archive: Archive) -> None:
    found = await status_of(archive.context)
    assert (found.schema, found.schema_known) == (migrate.head(), migrate.head())
    assert (found.queues, found.oldest, found.workers, found.failures) == ((), None, (), ())
    assert (found.totals.files, found.totals.versions, found.totals.bytes) == (0, 0, 0)
    assert found.totals.exact
    assert found.postgresql.startswith("16")
    assert found.database_bytes > 1_000_000


async def test_files_versions_and_bytes_are_counted(archive: Archive) -> None:
    night = archive.directory / "night"
    sizes = [put(night / f"n{number}.fits").stat().st_size for number in range(3)]
    await archive.ingest(night)
    await archive.set("n1.fits", OBJECT="M 31")
    totals = (await status_of(archive.context)).totals
    assert (totals.files, totals.versions) == (3, 4)
    assert totals.bytes == sum(sizes)
    assert totals.exact


async def test_estimates_say_so_and_come_near(archive: Archive) -> None:
    night = archive.directory / "night"
    size = sum(put(night / f"n{number}.fits").stat().st_size for number in range(20))
    await archive.ingest(night)
    await archive.context.database.refresh("file", "version")
    async with archive.context.database.begin() as connection:
        whole = {"files": 20, "versions": 20, "bytes": size}
        assert await store.totals(connection, counted_rows=10) == (whole, False)
        assert await store.totals(connection, counted_rows=20) == (whole, True)


async def test_queues_tell_depths_and_ages_by_kind_and_state(archive: Archive) -> None:
    async with archive.context.database.begin() as connection:
        orders = [NewOrder(kind="echo", args={"filename": f"n{n}.fits"}) for n in range(3)]
        await submit(connection, [*orders, NewOrder(kind="sleep", args={})], keyed_fifo=False)
    await sql(archive, "UPDATE work_order SET added = now() - interval '1 hour', attempts = 1 WHERE id = 1")
    started = (
        "state = 'Started', started = now(), lease_owner = 'cli-5-ab', lease_until = now() + interval '1 h'"
    )
    await sql(archive, f"UPDATE work_order SET {started} WHERE id = 2")
    found = await status_of(archive.context)
    echo, sleep = found.queues
    assert (echo.kind, echo.waiting, echo.again, echo.started) == ("echo", 2, 1, 1)
    assert echo.oldest_waiting_s == pytest.approx(3600, abs=60)
    assert (sleep.kind, sleep.waiting, sleep.oldest_started_s) == ("sleep", 1, None)
    assert found.oldest is not None
    assert (found.oldest.id, found.oldest.file, found.oldest.attempts) == (1, "n0.fits", 1)
    (helper,) = found.workers
    assert (helper.name, helper.leases, helper.alive) == ("cli", 1, None)


async def test_failures_name_order_file_and_reason_newest_first(archive: Archive) -> None:
    night = archive.directory / "night"
    put(night / "bad.fits", b"no FITS at all" * 300)
    put(night / "worse.fits", b"")
    await archive.ingest(night)
    found = await status_of(archive.context, failures=1)
    (last,) = found.failures
    assert found.failed == 2
    assert last.kind == "ingest"
    assert last.file in ("bad.fits", "worse.fits")
    assert last.reason
    assert last.finished <= found.at


@pytest.mark.parametrize("kind", ["digest", *BY_NAME])
async def test_failed_products_are_told_by_the_name_of_their_file(archive: Archive, kind: str) -> None:
    await archive.ingest(put(archive.directory / "night" / "a.fits"))
    await archive.drain()
    failed = "SET kind = '{0}', key = '{0}:' || (args ->> 'version_id'), state = 'Failed', error = 'full'"
    await sql(archive, f"UPDATE work_order {failed.format(kind)} WHERE kind = 'preview'")
    (last,) = (await status_of(archive.context)).failures
    assert (last.kind, last.file, last.reason) == (kind, "a.fits", "full")


async def test_a_worker_is_alive_while_it_is(archive: Archive) -> None:
    async with beating(archive):
        (one,) = (await status_of(archive.context)).workers
        assert (one.name, one.slots, one.alive) == ("worker-1", 4, True)
    assert (await status_of(archive.context)).workers == ()


async def test_a_worker_that_died_without_a_word_is_not_alive(archive: Archive) -> None:
    async with beating(archive) as task:
        await sql(
            archive,
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            f" AND classid = {store.PRESENCE}::bigint::oid"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        with pytest.raises(Exception):  # noqa: B017, PT011  (whatever the driver says of a lost connection)
            await task
        await until_nobody_is_alive(archive)
        await sql(archive, "UPDATE worker_process SET seen = now() - interval '1 hour'")
        assert await heartbeat.forget_dead(archive.context) == 1


async def test_the_dead_are_forgotten_and_the_living_are_not(archive: Archive) -> None:
    async with beating(archive):
        await sql(
            archive,
            "INSERT INTO worker_process (owners, name, host, pid, slots, seen)"
            " VALUES ('{dead}', 'worker-9', 'h', 9, 1, now() - interval '1 day')",
        )
        assert await alive(archive) == [OWNER]
        assert await heartbeat.forget_dead(archive.context) == 1
        assert await heartbeat.forget_dead(archive.context) == 0
        assert await alive(archive) == [OWNER]


async def test_leases_of_a_dead_worker_are_shown_as_its_own(archive: Archive) -> None:
    await sql(
        archive,
        "INSERT INTO worker_process (owners, name, host, pid, slots) VALUES ('{w-1-ab}', 'w', 'h', 9, 1)",
    )
    await sql(
        archive,
        "INSERT INTO work_order (kind, args, state, lease_owner, lease_until)"
        " VALUES ('echo', '{}', 'Started', 'w-1-ab', now() + interval '1 minute')",
    )
    (one,) = (await status_of(archive.context)).workers
    assert (one.leases, one.alive) == (1, False)


async def test_disks_show_room_and_say_so_where_nobody_can_look(archive: Archive) -> None:
    night = archive.directory / "night"
    put(night / "n1.fits")
    await archive.ingest(night)
    shutil.rmtree(night)
    async with archive.context.database.begin() as connection:
        root = next(one for one in await list_roots(connection) if one.path == night)
    found = {disk.path: disk for disk in (await status_of(archive.context)).disks}
    assert found[str(root.path)].free is None
    private = found[str(archive.context.stores.private)]
    assert private.size is not None
    assert private.free is not None
    assert 0 < private.free <= private.size


async def test_status_is_json_with_utc_instants(archive: Archive) -> None:
    document = json.loads(json.dumps(status_to_json(await status_of(archive.context))))
    assert document["at"].endswith("Z")
    assert {"version", "schema", "queues", "workers", "failures", "disks", "totals"} <= set(document)


async def test_metrics_hold_what_workers_counted_and_how_the_queue_stands(archive: Archive) -> None:
    async with archive.context.database.begin() as connection:
        await submit(connection, [NewOrder(kind="echo", args={})], keyed_fifo=False)
    async with beating(archive):
        page = await worker_metrics(archive)
    assert 'armillary_queue_orders{kind="echo",state="Queued"} 1.0' in page
    assert "armillary_workers 1.0" in page
    assert "armillary_failed_orders 0.0" in page
    assert 'armillary_work_leases_lost_total{worker="worker-1"}' in page
    assert re.search(r"^armillary_work_leases_lost_total \d", page, re.MULTILINE)
