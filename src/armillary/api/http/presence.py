"""Whether the client of a request is still there."""

from __future__ import annotations

from starlette.types import Receive
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


def is_gone(receive: Receive) -> bool:
    """Tell whether the client has gone, without waiting; its body has to be read before.

    The server tells of an end only to those who wait for a message. Where it is the one that we bring along, it
    can be asked; elsewhere one step of the wait is enough to learn whether there is a message.
    """
    cycle = getattr(receive, "__self__", None)
    if isinstance(cycle, RequestResponseCycle):
        return cycle.disconnected
    waiting = receive().__await__()
    try:
        waiting.send(None)
    except StopIteration as end:
        return bool(end.value["type"] == "http.disconnect")
    waiting.close()
    return False
