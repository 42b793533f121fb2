"""One system call and one packet for the head of an answer and the first part of its body.

The server writes them one by one, and a client that is woken by the head alone reads twice.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class Joined:
    """The transport of one answer.

    It holds the head back until the body begins, but no longer than the event loop does what it does just now: the
    client of a stream learns at once that there is one.
    """

    __slots__ = ("_cycle", "_head", "_loop", "_transport")

    def __init__(self, cycle: RequestResponseCycle, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = cycle.transport, loop
        self._cycle: RequestResponseCycle | None = cycle
        self._head = b""

    def write(self, data: bytes) -> None:
        """Write a part of the answer, or of what comes before it."""
        cycle = self._cycle
        if self._head:
            head, self._head = self._head, b""
            self._transport.writelines((head, data))
        elif cycle is None or not cycle.response_started:
            self._transport.write(data)
        else:
            # What refers to each other would be left to the garbage collector.
            self._cycle = None
            self._begin(data, has_body=cycle.scope["method"] != "HEAD")

    def is_closing(self) -> bool:
        """Tell whether the connection is closed, or about to be."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Write what is held back, and close the connection."""
        self._flush()
        self._transport.close()

    def _begin(self, head: bytes, *, has_body: bool) -> None:
        if has_body:
            self._head = head
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(head)

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head and not self._transport.is_closing():
            self._transport.write(head)
