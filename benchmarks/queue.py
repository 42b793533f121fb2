"""Benchmark 5: leased jobs per second with 16 consumers, against procrastinate and pgqueuer.

All three use the same server with the same durability (fsync, synchronous_commit on, logged tables), each its
own database. Jobs do nothing; queueing them is not timed, claiming, running and acknowledging them is.
pgqueuer claims 16 jobs at a time and is not held to 16 running ones, which favours it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import asyncpg
import pgqueuer
import procrastinate
from pgqueuer.types import QueueExecutionMode

from armillary.base import migrate
from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from armillary.base.signals import PostgresSignals, Signals
from armillary.base.work import Claim, Kind, NewOrder, Worker, submit
from armillary.settings import Settings
from benchmarks.scratch import scratch
from benchmarks.table import Row, finish

CONSUMERS, ROUNDS = 16, 5
JOBS = {"armillary": 8000, "pgqueuer": 8000, "procrastinate": 2000}
"""Enough for a second or two each, so that starting up does not count."""
ACCOUNT = "daemon"
OWNER = str(Role.OWNER)


@dataclass
class Counter:
    """How many jobs ran."""

    jobs: int = 0


@dataclass(frozen=True)
class Variant:
    """One queue: how it is filled, and how it is worked off."""

    fill: Callable[[int], Awaitable[object]]
    drain: Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Surroundings:
    """What our worker needs."""

    database: Database
    settings: Settings
    signals: Signals


@asynccontextmanager
async def ours(server: EmbeddedServer, counter: Counter) -> AsyncIterator[Variant]:
    """Prepare the work orders of this program."""
    database = await Database.connect(server, Role.OWNER)
    await migrate.upgrade(database)

    async def count(_context: Surroundings, claims: Sequence[Claim]) -> None:
        counter.jobs += len(claims)

    async def fill(jobs: int) -> None:
        async with database.begin() as connection:
            orders = [NewOrder(kind="count", args={"n": n}) for n in range(jobs)]
            await submit(connection, orders, keyed_fifo=False)

    signals = PostgresSignals(database)
    context = Surroundings(database, Settings(data=server.top.parent), signals)
    kinds = [Kind("count", count)]
    yield Variant(fill, lambda: Worker(context, kinds, slots=CONSUMERS).drain())
    await signals.close()
    await database.close()


@asynccontextmanager
async def procrastinates(server: EmbeddedServer, counter: Counter) -> AsyncIterator[Variant]:
    """Prepare procrastinate in a database of its own."""
    await _create_database(server, "bench_procrastinate")
    where = {"host": server.dsn.host, "user": OWNER, "dbname": "bench_procrastinate"}
    connector = procrastinate.PsycopgConnector(kwargs=where, min_size=CONSUMERS, max_size=CONSUMERS + 4)
    app = procrastinate.App(connector=connector)

    @app.task(name="count")
    async def count(n: int) -> None:
        counter.jobs += 1

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        yield Variant(
            lambda jobs: count.batch_defer_async(*({"n": n} for n in range(jobs))),
            lambda: app.run_worker_async(concurrency=CONSUMERS, wait=False, install_signal_handlers=False),
        )


@asynccontextmanager
async def pgqueuers(server: EmbeddedServer, counter: Counter) -> AsyncIterator[Variant]:
    """Prepare pgqueuer in a database of its own."""
    await _create_database(server, "bench_pgqueuer")
    async with asyncpg.create_pool(
        host=server.dsn.host, user=OWNER, database="bench_pgqueuer", min_size=4, max_size=CONSUMERS
    ) as pool:
        queries = pgqueuer.Queries(pgqueuer.AsyncpgPoolDriver(pool))
        await queries.install()

        async def drain() -> None:
            queue = pgqueuer.PgQueuer(pgqueuer.AsyncpgPoolDriver(pool))

            @queue.entrypoint("count")
            async def count(_job: pgqueuer.Job) -> None:
                counter.jobs += 1

            await queue.run(batch_size=CONSUMERS, mode=QueueExecutionMode.drain)

        yield Variant(lambda jobs: queries.enqueue(["count"] * jobs, [b""] * jobs, [0] * jobs), drain)


async def _create_database(server: EmbeddedServer, name: str) -> None:
    connection = await asyncpg.connect(host=server.dsn.host, user=OWNER, database=server.dsn.database)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()


async def _assert_durable(server: EmbeddedServer) -> None:
    for name in (server.dsn.database, "bench_procrastinate", "bench_pgqueuer"):
        connection = await asyncpg.connect(host=server.dsn.host, user=OWNER, database=name)
        unlogged = await connection.fetchval("SELECT count(*) FROM pg_class WHERE relpersistence = 'u'")
        synchronous = await connection.fetchval("SHOW synchronous_commit")
        await connection.close()
        if unlogged or synchronous != "on":
            raise AssertionError(f"{name} is less durable than the others")


async def _seconds_per_job(variant: Variant, counter: Counter, jobs: int) -> float:
    await variant.fill(jobs)
    counter.jobs = 0
    start = time.perf_counter()
    await variant.drain()
    seconds = time.perf_counter() - start
    if counter.jobs != jobs:
        raise AssertionError(f"{counter.jobs} of {jobs} jobs ran")
    return seconds / jobs


async def _measure(folder: Path) -> dict[str, float]:
    counter = Counter()
    makers = {"armillary": ours, "procrastinate": procrastinates, "pgqueuer": pgqueuers}
    times: dict[str, list[float]] = {name: [] for name in makers}
    async with AsyncExitStack() as stack:
        server = await EmbeddedServer.acquire(folder, account=ACCOUNT)
        stack.push_async_callback(server.release)
        variants = {
            name: await stack.enter_async_context(make(server, counter)) for name, make in makers.items()
        }
        await _assert_durable(server)
        for number in range(ROUNDS + 1):
            for name, variant in variants.items():
                seconds = await _seconds_per_job(variant, counter, JOBS[name])
                if number:
                    times[name].append(seconds)
    return {name: median(found) for name, found in times.items()}


def rows() -> list[Row]:
    """Measure and return the row of benchmark 5, in seconds per job."""
    logging.getLogger().setLevel(logging.ERROR)
    with scratch() as folder:
        per_job = asyncio.run(_measure(folder / "postgres"))
    mine = per_job.pop("armillary")
    work = f"leased job, {CONSUMERS} consumers"
    return [Row("5", work, mine, per_job, {"procrastinate": 5.0, "pgqueuer": 2.0})]


if __name__ == "__main__":
    finish(rows())
