"""One system call for what is written to a connection in one turn of the event loop, at the end of that turn.

The server writes heads and bodies one by one, and the system sends each at once. That costs most where nobody
expects it: a client that sleeps has to be woken, which may take the sender ten times as long as all else does.
One that is woken by a head alone reads twice; and clients that are answered one after another, with other work in
between, fall asleep in between. Answers that are sent together find the client awake, but for the first of them.
"""

from __future__ import annotations

import asyncio
from typing import Any

MOST_HELD = 1 << 16
"""Bytes that wait for the end of a turn; of more the transport has to know, lest it never says it is full."""


class Joined:
    """The transport of a connection; what it does not say itself, the one inside does."""

    __slots__ = ("_held", "_loop", "_size", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send bytes with all that is written in this turn."""
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(data)
        self._size += len(data)
        if self._size > MOST_HELD:
            self.flush()

    def flush(self) -> None:
        """Send what is held."""
        held, self._held, self._size = self._held, [], 0
        if held and not self._transport.is_closing():
            self._transport.writelines(held)

    def write_eof(self) -> None:
        """Send what is held, and that nothing follows."""
        self.flush()
        self._transport.write_eof()

    def close(self) -> None:
        """Send what is held, and close the connection."""
        self.flush()
        self._transport.close()

    def released(self) -> asyncio.Transport:
        """Send what is held, and return the transport inside, for another protocol."""
        self.flush()
        return self._transport
