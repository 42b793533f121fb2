"""Consumers of two topics deal with every entry once and in order, whoever is killed and whatever is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from armillary.base.database import Database, Role
from armillary.base.database_errors import is_transient
from armillary.base.feed import consumers
from armillary.base.feed.models import Topic
from armillary.base.feed.writer import append
from armillary.base.postgres.server import EmbeddedServer
from tests.support.consumers import GRANT, TABLE, a_consumer
from tests.support.patience import in_time, insist
from tests.support.postgres import end_sessions, fresh_database, in_memory, start_server
from tests.support.topics import make_topic

NAMES = ("mirror", "index")
BLOWS = ("consumer", "sessions", "consumer", "postmaster", "consumer", "postmaster", "consumer")
WRITTEN, PATIENCE_S = 150, 900.0
ENTRIES = """
SELECT e.key FROM feed_entry AS e JOIN feed_topic AS t ON t.id = e.topic WHERE t.name = $1
ORDER BY e.generation, e.number, e.id
"""
DEALT = "SELECT key FROM dealt WHERE topic = $1 AND consumer = $2 ORDER BY place"


@dataclass
class Scene:
    """A server that dies, two topics, and the consumers of both."""

    server: EmbeddedServer
    database: Database
    topics: Sequence[Topic]
    chance: random.Random
    stack: contextlib.ExitStack
    alive: dict[tuple[str, str], Popen[str]] = field(default_factory=dict)
    promised: set[str] = field(default_factory=set)
    struck: bool = False
    end: float = field(default_factory=lambda: time.monotonic() + PATIENCE_S)

    async def keys(self, query: str, *values: object) -> list[str]:
        """Return the texts that a query finds."""

        async def ask() -> list[Any]:
            async with self.database.begin() as connection:
                return list((await connection.exec_driver_sql(query, values)).scalars())

        return await insist(ask, self.end)

    def start(self, topic: Topic, name: str) -> None:
        """Start a consumer, in the place of one that was killed or for the first time."""
        started = self.stack.enter_context(a_consumer(self.database, topic, name, "work"))
        self.alive[topic.name, name] = started

    async def write_on(self, topic: Topic) -> None:
        """Write entries until all blows have fallen."""
        number = 0
        while number < WRITTEN or not self.struck:
            number += 1
            await self._write(topic, f"{topic.name}-{number}")
            await asyncio.sleep(self.chance.choice([0, 0.01, 0.05]))

    async def _write(self, topic: Topic, key: str) -> None:
        try:
            async with self.database.begin() as connection:
                await append(connection, topic, [(key, {})])
                await asyncio.sleep(self.chance.choice([0, 0.005, 0.05]))
        except Exception as error:
            if not is_transient(error):
                raise
            return
        self.promised.add(key)

    async def strike(self) -> None:
        """Kill what there is to kill, one after the other."""
        for blow in BLOWS:
            await asyncio.sleep(self.chance.uniform(0.3, 1.5))
            if blow == "consumer":
                topic, name = self.chance.choice(self.topics), self.chance.choice(NAMES)
                self.alive[topic.name, name].kill()
                self.start(topic, name)
            elif blow == "sessions":
                assert self.database.name
                await end_sessions(self.server, self.database.name)
            else:
                pid = (self.server.top / "cluster" / "postmaster.pid").read_text().split()[0]
                os.kill(int(pid), signal.SIGKILL)
                await insist(self._look, self.end)
        self.struck = True

    async def _look(self) -> None:
        async with self.database.begin() as connection:
            await connection.exec_driver_sql("SELECT 1")


@contextlib.asynccontextmanager
async def a_scene(directory: Path) -> AsyncIterator[Scene]:
    """Set everything up, with all consumers at work."""
    server = await start_server(directory / "postgres")
    try:
        async with fresh_database(server) as name:
            owner = await Database.connect(server, Role.OWNER, name=name, pool_size=1)
            topics = [await make_topic(owner) for _ in range(2)]
            async with owner.begin() as connection:
                for statement in (TABLE, GRANT):
                    await connection.exec_driver_sql(statement)
            await owner.close()
            database = await Database.connect(server, Role.WORKER, name=name, pool_size=4)
            with contextlib.ExitStack() as stack:
                scene = Scene(server, database, topics, random.Random(5), stack)
                for topic in topics:
                    for one in NAMES:
                        async with database.begin() as connection:
                            await consumers.register(connection, topic, one)
                        scene.start(topic, one)
                yield scene
            await database.close()
    finally:
        await server.release()


@pytest.mark.crash
async def test_every_entry_is_dealt_with_once_and_in_order() -> None:
    # The path of a socket is short, and other processes are to find it.
    with tempfile.TemporaryDirectory(prefix="feed-", dir=in_memory()) as directory:
        Path(directory).chmod(0o711)
        await _play(Path(directory))


async def _play(directory: Path) -> None:
    async with a_scene(directory) as scene:
        await asyncio.gather(scene.strike(), *(scene.write_on(topic) for topic in scene.topics))
        for topic in scene.topics:
            entries = await scene.keys(ENTRIES, topic.name)
            assert len(entries) >= WRITTEN // 2
            assert {key for key in scene.promised if key.startswith(f"{topic.name}-")} <= set(entries)
            for name in NAMES:
                # The last one of the entries comes last: what comes too often violates a constraint.
                while len(dealt := await scene.keys(DEALT, topic.name, name)) < len(entries):
                    in_time(scene.end, f"{name} has dealt with {len(dealt)} of {len(entries)}")
                    assert scene.alive[topic.name, name].poll() is None, "a consumer failed"
                    await asyncio.sleep(0.1)
                assert dealt == entries
