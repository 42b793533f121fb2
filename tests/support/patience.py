"""How tests wait: for what happens, never for a time; and how they fail when it does not happen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from armillary.base.database_errors import is_transient

T = TypeVar("T")


class OutOfTime(Exception):
    """What a test waited for did not happen as long as anybody waits."""


class NotStarted(Exception):
    """A process or server that a test needs did not start."""


def in_time(deadline: float, what: object = "") -> None:
    """Raise OutOfTime, which tells ``what`` is still so, once the monotonic clock is at the deadline.

    It is no assertion: that a machine was too slow says nothing about data.
    """
    if time.monotonic() >= deadline:
        raise OutOfTime(what)


async def insist(act: Callable[[], Awaitable[T]], deadline: float) -> T:
    """Do something until the database lets it happen, and return what comes of it."""
    while True:
        try:
            return await act()
        except Exception as error:
            if not is_transient(error):
                raise
            in_time(deadline, error)
        await asyncio.sleep(0.05)
