"""Sites for tests: configurations as sites send them, and the database as the web process has it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from armillary.context import Context
from armillary.settings import Settings
from tests.support.archive import Archive
from tests.support.patience import in_time
from tests.support.postgres import Server

PATIENCE_S = 120.0
WAITING = """
SELECT DISTINCT pid FROM pg_locks
WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def a_wema(**changes: Any) -> dict[str, Any]:
    """Return the configuration of a WEMA without faults, named `mrc`."""
    return {
        "instance_type": "wema",
        "wema_name": "mrc",
        "obsp_ids": [],
        "latitude": 34.459375,
        "longitude": -119.681172,
        "elevation": 317.75,
        "TZ_database_name": "America/Los_Angeles",
        **changes,
    }


def an_observatory(**changes: Any) -> dict[str, Any]:
    """Return the configuration of an observatory below that WEMA, named `mrc1`."""
    return {"instance_type": "obs", "obs_id": "mrc1", "wema_name": "mrc", "events": {}, **changes}


def sent(config: Any) -> bytes:
    """Return a configuration as the body of a request."""
    return json.dumps(config).encode()


@asynccontextmanager
async def as_web(archive: Archive, server: EmbeddedServer, **settings: Any) -> AsyncIterator[Context]:
    """Open the database of an archive with the rights that the web process has."""
    database = await Database.connect(
        server,
        Role.WEB,
        name=archive.context.database.name,
        home=archive.context.settings.data.resolve(),
        pool_size=6,
        statement_timeout_s=60.0,
    )
    try:
        yield with_settings(dataclasses.replace(archive.context, database=database), **settings)
    finally:
        await database.close()


def with_settings(context: Context, **settings: Any) -> Context:
    """Return a context with other settings, given by noun."""
    chosen: Settings = context.settings.model_copy(update=settings)
    return dataclasses.replace(context, settings=chosen)


async def killed_while_writing_to(
    table: str, server: Server, name: str, action: Callable[[], Awaitable[Any]]
) -> BaseException:
    """Let the server end the session of an action when it is about to write to a table of a database.

    Return what the action raises.
    """
    connection = await asyncpg.connect(host=server.dsn.host, user="postgres", database=name)
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
            task = asyncio.ensure_future(action())
            end = time.monotonic() + PATIENCE_S
            while not (found := await connection.fetch(WAITING)):
                in_time(end, f"nobody waits to write to {table}")
                await asyncio.sleep(0.01)
            for (pid,) in found:
                await connection.execute("SELECT pg_terminate_backend($1)", pid)
    finally:
        await connection.close()
    (raised,) = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(raised, BaseException), "the action succeeded although its session was ended"
    return raised
