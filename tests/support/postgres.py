"""A real PostgreSQL for tests: one server per session, one fresh database per module by cloning."""

from __future__ import annotations

import asyncio
import itertools
import os
import pwd
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import asyncpg
import pytest

from armillary.base import migrate
from armillary.base.database import Database, Role
from armillary.base.postgres.server import Dsn, EmbeddedServer
from armillary.base.signals import PostgresSignals, Signals
from armillary.settings import Settings, WorkSettings

TEMPLATE = "armillary_template"
ROOM = 4 << 30
"""Bytes that the server of a session may take."""
_numbers = itertools.count()


def server_account() -> str:
    """Return an account that exists everywhere and is not `nobody`, which a test plays the stranger with."""
    return "daemon" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


class Server(Protocol):
    """A server that tests have for themselves, and may be anybody to."""

    @property
    def dsn(self) -> Dsn:
        """Return where it is."""
        ...


def source_of(server: Server, role: Role) -> str | EmbeddedServer:
    """Return what the program connects with in a role: a share in the embedded server, or the role's DSN."""
    return server if isinstance(server, EmbeddedServer) else server.dsn.url(role)


async def admin(server: Server, statement: str, *, user: str = Role.OWNER) -> None:
    """Run a statement that concerns the whole server."""
    where = {"host": server.dsn.host, "port": server.dsn.port, "database": "postgres"}
    connection = await asyncpg.connect(user=str(user), **where)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def in_memory() -> Path | None:
    """Return a directory in memory with room for a server, if there is one: clones take a fifth there."""
    place = Path("/dev/shm")
    return place if place.is_dir() and shutil.disk_usage(place).free >= ROOM else None


async def start_server(directory: Path) -> EmbeddedServer:
    """Start a server with a migrated template database."""
    server = await EmbeddedServer.acquire(directory, account=server_account())
    # It would come at any moment, and with it other plans and locks.
    for statement in ("ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()"):
        await admin(server, statement, user="postgres")
    await admin(server, f"CREATE DATABASE {TEMPLATE}")
    database = await Database.connect(server, Role.OWNER, name=TEMPLATE)
    await migrate.upgrade(database)
    await database.close()
    return server


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedServer]:
    """Run one server for the session (per process, with pytest-xdist) with a migrated template database."""
    directory = Path(tempfile.mkdtemp(prefix="armillary-test-", dir=in_memory()))
    server = asyncio.run(start_server(directory / "postgres"))
    yield server
    asyncio.run(server.release())
    shutil.rmtree(directory)


@asynccontextmanager
async def fresh_database(server: Server, *, empty: bool = False) -> AsyncIterator[str]:
    """Clone the template (or create an empty database), yield its name, drop it."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    template = "template0" if empty else TEMPLATE
    await admin(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    try:
        yield name
    finally:
        # Only a superuser may end a session of one, which may still be about to go.
        await admin(server, f"DROP DATABASE {name} WITH (FORCE)", user="postgres")


@pytest.fixture(scope="module")
def database_name(postgres: EmbeddedServer) -> Iterator[str]:
    """Clone the template for a module."""
    holder = fresh_database(postgres)
    with asyncio.Runner() as runner:
        yield runner.run(holder.__aenter__())
        runner.run(holder.__aexit__(None, None, None))


async def end_sessions(server: EmbeddedServer, name: str) -> None:
    """End every session of a database, as a restart of the server would."""
    connection = await asyncpg.connect(host=server.dsn.host, user="postgres", database="postgres")
    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"
    await connection.fetch(query, name)
    await connection.close()


@dataclass(frozen=True)
class AContext:
    """The part of a context that the work engine needs."""

    database: Database
    settings: Settings
    signals: Signals


def work_settings(**changes: float) -> Settings:
    """Return settings with quick retries, so that tests need not wait."""
    values = {"retry_first_s": 0.01, "retry_last_s": 0.02, "lease_s": 30.0, "poll_s": 30.0} | changes
    return Settings(work=WorkSettings.model_validate(values))


async def _opened(
    postgres: EmbeddedServer, name: str, role: Role, *, clean: bool = False
) -> AsyncIterator[Database]:
    database = await Database.connect(postgres, role, name=name, pool_size=4)
    if clean:
        async with database.begin() as connection:
            await connection.exec_driver_sql("TRUNCATE work_order")
    yield database
    await database.close()


@pytest.fixture
async def owner(postgres: EmbeddedServer, database_name: str) -> AsyncIterator[Database]:
    """Open the module's database as its owner, without work orders of earlier tests."""
    async for database in _opened(postgres, database_name, Role.OWNER, clean=True):
        yield database


@pytest.fixture
async def worker_db(owner: Database, postgres: EmbeddedServer, database_name: str) -> AsyncIterator[Database]:
    """Open the module's database in the worker's role."""
    async for database in _opened(postgres, database_name, Role.WORKER):
        yield database


@pytest.fixture
async def web_db(owner: Database, postgres: EmbeddedServer, database_name: str) -> AsyncIterator[Database]:
    """Open the module's database in the web role."""
    async for database in _opened(postgres, database_name, Role.WEB):
        yield database


@pytest.fixture
async def context(worker_db: Database, tmp_path: Path) -> AsyncIterator[AContext]:
    """Give what a worker needs."""
    signals = PostgresSignals(worker_db)
    yield AContext(worker_db, work_settings().model_copy(update={"data": tmp_path}), signals)
    await signals.close()
