"""Signals between processes: that something happened, and to which ids. What happened is in the tables."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Protocol

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import Database, let_go
from armillary.base.database_errors import is_transient, reason_of
from armillary.base.log import get_logger

log = get_logger(__name__)

RECONNECT_FIRST_S, RECONNECT_LAST_S = 0.05, 2.0
MOST_WAITING = 1000


class Subscription:
    """The messages of one channel that nobody has looked at yet."""

    def __init__(self) -> None:
        self._waiting: list[str | None] = []
        self._signal = asyncio.Event()

    def deliver(self, payload: str | None) -> None:
        """Add a message; None says that messages may have been missed."""
        if len(self._waiting) >= MOST_WAITING:
            # Whoever does not look for so long is told to look at everything.
            self._waiting, payload = [], None
        self._waiting.append(payload)
        self._signal.set()

    async def wait(self, timeout_s: float | None = None) -> tuple[str | None, ...]:
        """Return every message since the last call, waiting for one; empty when the time is up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._signal.wait()
        self._signal.clear()
        messages, self._waiting = tuple(self._waiting), []
        return messages

    async def __aiter__(self) -> AsyncIterator[str | None]:
        """Yield messages for ever."""
        while True:
            for message in await self.wait():
                yield message


class Signals(Protocol):
    """Where processes tell each other that something happened."""

    async def publish(self, connection: AsyncConnection, channel: str, payload: str = "") -> None:
        """Send a message when, and only if, the transaction commits; equal ones of it are sent once."""
        ...

    def subscribe(self, channel: str) -> AbstractAsyncContextManager[Subscription]:
        """Listen from the start of the context, surely, to its end."""
        ...


class PostgresSignals:
    """Signals by LISTEN and NOTIFY, on one connection per process that is restored when lost."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._channels: dict[str, set[Subscription]] = {}
        self._connection: asyncpg.Connection | None = None
        self._lost = asyncio.Event()
        self._lock = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None

    async def publish(self, connection: AsyncConnection, channel: str, payload: str = "") -> None:
        """Send a message when, and only if, the transaction commits; equal ones of it are sent once."""
        await connection.execute(sa.select(sa.func.pg_notify(channel, payload)))

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[Subscription]:
        """Listen from the start of the context, surely, to its end."""
        subscription = Subscription()
        async with self._lock:
            if self._connection is None:
                await self._connect()
            if channel not in self._channels:
                self._channels[channel] = set()
                await self._listen(channel)
            self._channels[channel].add(subscription)
        try:
            yield subscription
        finally:
            self._channels[channel].discard(subscription)

    async def close(self) -> None:
        """Stop listening."""
        if self._keeper:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        if self._connection:
            await let_go(self._connection)

    async def _connect(self) -> None:
        self._lost.clear()
        self._connection = await self._database.dedicated()
        self._connection.add_termination_listener(self._on_lost)
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep())

    async def _listen(self, channel: str) -> None:
        # When the connection is down the keeper listens to every channel on the next one.
        if self._connection and not self._connection.is_closed():
            await self._connection.add_listener(channel, self._on_message)

    async def _keep(self) -> None:
        """Restore the connection whenever it is lost, and then wake everybody."""
        while True:
            await self._lost.wait()
            pause_s = RECONNECT_FIRST_S
            while not await self._restored():
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, RECONNECT_LAST_S)
            for subscription in (s for group in self._channels.values() for s in group):
                subscription.deliver(None)

    async def _restored(self) -> bool:
        try:
            async with self._lock:
                await self._connect()
                for channel in self._channels:
                    await self._listen(channel)
        except Exception as error:
            # Whatever it is: nobody else would ever listen again.
            log.warning("signals lost", error=reason_of(error), exc_info=not is_transient(error))
            return False
        return not self._lost.is_set()

    def _on_lost(self, connection: Any) -> None:
        if connection is self._connection:
            self._lost.set()

    def _on_message(self, _connection: Any, _pid: int, channel: str, payload: Any) -> None:
        for subscription in tuple(self._channels.get(channel, ())):
            subscription.deliver(str(payload))
