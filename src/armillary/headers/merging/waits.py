"""Merges that did not come about: each is told once, and tried again after pauses that grow."""

from __future__ import annotations

import time
from collections.abc import Callable

Mark = tuple[int, int]
"""The version of a file and the revision of its header: of another one, a merge is another one."""


class Waits:
    """When files may be tried again, as far as this process knows.

    The first pause is ``first_s``; each next one is twice as long, up to ``last_s``. ``clock`` tells seconds.
    """

    def __init__(self, first_s: float, last_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._first_s, self._last_s, self._clock = first_s, last_s, clock
        self._kept: dict[int, tuple[Mark, int, float]] = {}

    def tries(self, file: int, mark: Mark) -> int:
        """Return how often a merge did not come about."""
        known, tries, _ = self._kept.get(file, (mark, 0, 0.0))
        return tries if known == mark else 0

    def over(self, file: int, mark: Mark) -> bool:
        """Tell whether a merge may be tried."""
        known, _, until = self._kept.get(file, (mark, 0, 0.0))
        return known != mark or self._clock() >= until

    def failed(self, file: int, mark: Mark) -> float:
        """Note that a merge did not come about; return the seconds until it is tried again."""
        tries = self.tries(file, mark)
        pause_s = min(self._first_s * 2.0 ** min(tries, 60), self._last_s)
        self._kept[file] = (mark, tries + 1, self._clock() + pause_s)
        return pause_s

    def done(self, file: int) -> None:
        """Forget a file."""
        self._kept.pop(file, None)
