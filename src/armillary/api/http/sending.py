"""How layers see an answer on its way, without a coroutine of each for every part of it."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import Message, Send

Seen = Callable[[Message], Message]
"""Returns what is sent instead of a message, or the message itself."""
START = "http.response.start"


class Sending:
    """Sends messages as a function wants them; several around each other are called as one.

    Parameters
    ----------
    send
        What sends in the end, or what an outer layer made of that: its function is asked last.
    """

    __slots__ = ("seen", "send")

    def __init__(self, send: Send, seen: Seen) -> None:
        outer = send if isinstance(send, Sending) else None
        self.send: Send = outer.send if outer else send
        self.seen: tuple[Seen, ...] = (seen, *outer.seen) if outer else (seen,)

    async def __call__(self, message: Message) -> None:
        """Send a message."""
        for seen in self.seen:
            message = seen(message)
        await self.send(message)
