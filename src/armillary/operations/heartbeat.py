"""How a worker says that it lives, so that a dead one is never taken for alive.

The register says who; a lock of the database session says that it lives. The server drops the lock in the
instant in which the process is gone, however it went; the time of the last beat tells who is stuck.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Sequence

from prometheus_client import generate_latest

from armillary.base.database import let_go
from armillary.base.metrics import REGISTRY
from armillary.context import Context
from armillary.operations import store

BEAT_S = 5.0


async def beat(
    context: Context,
    stop: asyncio.Event,
    *,
    owners: Sequence[str],
    name: str,
    slots: int,
    every_s: float = BEAT_S,
) -> None:
    """Keep a worker on the register, with its metrics, until told to stop.

    ``owners`` are what the process writes into the leases of its orders.
    Fails when the connection is lost; call it again then.
    """
    connection = await context.database.dedicated()
    try:
        number = await store.register(
            connection, owners=owners, name=name, host=socket.gethostname(), pid=os.getpid(), slots=slots
        )
        while not stop.is_set():
            await store.beat(connection, number, generate_latest(REGISTRY).decode())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every_s)
        await store.sign_off(connection, number)
    finally:
        await let_go(connection)


async def forget_dead(context: Context) -> int:
    """Take workers that died without a word off the register; return how many."""
    async with context.database.begin() as connection:
        return await store.forget_dead(connection)
