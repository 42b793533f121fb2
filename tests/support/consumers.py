"""Consumers that die: a process that deals with entries and notes it (``python -m tests.support.consumers``).

It prints the keys of each page that is delivered to it. ``hang`` then waits for its end; ``work`` notes them in
the table ``dealt`` and acknowledges them in the same transaction, whatever becomes of the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import Database, Role
from armillary.base.database_errors import is_transient
from armillary.base.feed import consumers
from armillary.base.feed.models import Entry, Page, Topic
from armillary.base.signals import PostgresSignals
from armillary.errors import ArmillaryError
from tests.support.patience import in_time

TABLE = """
CREATE TABLE dealt (
    place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, topic text, consumer text, key text,
    UNIQUE (topic, consumer, key)
)
"""
GRANT = "GRANT SELECT, INSERT ON dealt TO armillary_worker"
LIMIT, PATIENCE_S = 5, 300.0


async def note(connection: AsyncConnection, topic: Topic, name: str, page: Page[Entry]) -> None:
    """Deal with a page and acknowledge it: what is done twice violates a constraint."""
    query = "INSERT INTO dealt (topic, consumer, key) SELECT $1, $2, k FROM unnest($3::text[]) AS k"
    await connection.exec_driver_sql(query, (topic.name, name, [one.key for one in page.entries]))
    await consumers.acknowledge(connection, topic, name, page.cursor)


async def _live(dsn: str, database_name: str, topic: Topic, name: str, how: str) -> None:
    database = await _connected(dsn, database_name, name)
    signals = PostgresSignals(database)
    while True:
        try:
            pages = consumers.deliveries(database, signals, topic, name, limit=LIMIT)
            async with aclosing(pages):
                async for page in pages:
                    print(*(one.key for one in page.entries), flush=True)
                    if how == "hang":
                        await asyncio.Event().wait()
                    await asyncio.sleep(0.01)
                    async with database.begin() as connection:
                        await note(connection, topic, name, page)
        except Exception as error:
            if not is_transient(error):
                raise
        await asyncio.sleep(0.05)


async def _connected(dsn: str, database_name: str, name: str) -> Database:
    """Connect as soon as the server is there: it may have been killed while this process started."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await Database.connect(dsn, Role.WORKER, name=database_name, application=name, pool_size=2)
        except ArmillaryError as error:
            in_time(end, error.message)
        await asyncio.sleep(0.05)


@contextlib.contextmanager
def a_consumer(database: Database, topic: Topic, name: str, how: str) -> Iterator[subprocess.Popen[str]]:
    """Run such a process, on connections of its own to the same database, until the end of the block."""
    source, chosen = database.source, database.name
    assert not isinstance(source, str)
    module = [sys.executable, "-m", "tests.support.consumers", source.dsn.url(Role.WORKER), str(chosen)]
    process = subprocess.Popen(
        [*module, topic.name, name, how],
        cwd=Path(__file__).parents[2],
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


def delivered(process: subprocess.Popen[str]) -> list[str]:
    """Wait until entries are delivered to a process; return their keys."""
    assert process.stdout
    while line := process.stdout.readline():
        if found := line.split():
            return found
    raise AssertionError("the consumer ended")


if __name__ == "__main__":
    asyncio.run(_live(sys.argv[1], sys.argv[2], Topic(sys.argv[3]), *sys.argv[4:]))
