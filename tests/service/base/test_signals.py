"""The connection for signals, when the server does not answer."""

from __future__ import annotations

import asyncio
import os
import signal
import time

from armillary.base.database import Database
from armillary.base.signals import PostgresSignals
from tests.support.patience import in_time

PATIENCE_S = 60.0


async def listening(database: Database) -> list[int]:
    """Return the processes of the server that listen for the clients of this database."""
    query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'LISTEN%'"
    async with database.begin() as connection:
        return list((await connection.exec_driver_sql(query)).scalars())


async def test_it_is_closed_although_the_server_does_not_answer(owner: Database) -> None:
    signals = PostgresSignals(owner)
    async with signals.subscribe("news"):
        (backend,) = await listening(owner)
    os.kill(backend, signal.SIGSTOP)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await signals.close()
    finally:
        os.kill(backend, signal.SIGCONT)
    end = time.monotonic() + PATIENCE_S
    while found := await listening(owner):
        in_time(end, found)
        await asyncio.sleep(0.02)
