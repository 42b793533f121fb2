"""Whether the client of a request is still there."""

from __future__ import annotations

from starlette.types import Receive


def is_gone(receive: Receive) -> bool:
    """Tell whether the client has gone, without waiting; its body has to be read before.

    The server tells of an end only to those who wait for a message. One step of the wait is enough to learn
    whether there is one, and costs a hundredth of a task that is cancelled.
    """
    waiting = receive().__await__()
    try:
        waiting.send(None)
    except StopIteration as end:
        return bool(end.value["type"] == "http.disconnect")
    waiting.close()
    return False
