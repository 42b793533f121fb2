"""A database that goes away and comes back: its connections pass through a relay that a test opens and closes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


class Relay:
    """A port of the loopback that leads to a Unix socket, as long as it is open."""

    def __init__(self, path: Path) -> None:
        self._path, self.port = path, 0
        self._listener: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Let connections through, at the same port as ever."""
        self._listener = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Cut all connections, and refuse others."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        listener.close()
        for task in tuple(self._passing):
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)
        await listener.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        inner = None
        try:
            inner_reader, inner = await asyncio.open_unix_connection(self._path)
            await asyncio.gather(_pump(reader, inner), _pump(inner_reader, writer))
        except asyncio.CancelledError:
            pass
        finally:
            self._passing.discard(task)
            for one in (writer, inner):
                if one is not None:
                    one.transport.abort()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(1 << 16):
            sink.write(data)
            await sink.drain()
    sink.close()


@asynccontextmanager
async def relayed(path: Path) -> AsyncIterator[Relay]:
    """Open a relay to a Unix socket."""
    relay = Relay(path)
    await relay.open()
    try:
        yield relay
    finally:
        await relay.close()
