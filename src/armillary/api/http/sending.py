"""How layers see an answer on its way, without a coroutine of each for every part of it."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import Message, Send

START = "http.response.start"
Headers = list[tuple[bytes, bytes]]
Dressed = Callable[[Headers], Headers]
"""Returns the headers of an answer as a layer wants them; those that it is given may be changed."""
Seen = Callable[[Message], None]
"""Is shown each message as it is sent."""


class Sending:
    """Sends messages as layers want them; several around each other are called as one, the inner ones first.

    Parameters
    ----------
    send
        What sends in the end, or what an outer layer made of that.
    """

    __slots__ = ("dressed", "seen", "send")

    def __init__(self, send: Send, *, dressed: Dressed | None = None, seen: Seen | None = None) -> None:
        outer = send if isinstance(send, Sending) else None
        self.send: Send = outer.send if outer else send
        self.dressed: tuple[Dressed, ...] = outer.dressed if outer else ()
        self.seen: tuple[Seen, ...] = outer.seen if outer else ()
        if dressed:
            self.dressed = (dressed, *self.dressed)
        if seen:
            self.seen = (seen, *self.seen)

    async def __call__(self, message: Message) -> None:
        """Send a message."""
        if message["type"] == START:
            headers = list(message.get("headers", ()))
            for dressed in self.dressed:
                headers = dressed(headers)
            message = {**message, "headers": headers}
        for seen in self.seen:
            seen(message)
        await self.send(message)
