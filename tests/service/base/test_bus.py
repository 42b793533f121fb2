"""The connection for signals, when the server does not answer."""

from __future__ import annotations

import os
import signal

from armillary.base.bus import PostgresBus
from armillary.base.database import Database


async def test_it_is_closed_although_the_server_does_not_answer(owner: Database) -> None:
    bus = PostgresBus(owner)
    async with bus.subscribe("news"):
        assert bus._connection is not None
        backend = bus._connection.get_server_pid()
    os.kill(backend, signal.SIGSTOP)
    try:
        await bus.close()
    finally:
        os.kill(backend, signal.SIGCONT)
    assert bus._connection.is_closed()
