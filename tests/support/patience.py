"""How tests wait: for what happens, never for a time; and how they fail when it does not happen."""

from __future__ import annotations

import time


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
