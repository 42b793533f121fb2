"""A task that one process at a time does, for as long as its session with PostgreSQL lasts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from armillary.base.database import Database, let_go


class Office:
    """What the one holds, and the others do not."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def check(self) -> None:
        """Raise what the driver does if the session has ended: another process may do the task by now."""
        await self._connection.fetchval("SELECT 1")


@asynccontextmanager
async def alone(database: Database, number: int) -> AsyncIterator[Office | None]:
    """Hold the advisory lock of that number during the block; None if another session has it."""
    connection = await database.dedicated()
    try:
        chosen = await connection.fetchval("SELECT pg_try_advisory_lock($1)", number)
        yield Office(connection) if chosen else None
    finally:
        await let_go(connection)
