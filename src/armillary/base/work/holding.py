"""Orders that wait for room: on a disk, in the database. How often they try, and when they are let go.

They wait in the queue like any other, with a time before which they are not due; so they take no slot, keep their
place among the orders of their file, and are in nobody's way. Of all that wait for the same thing, one at a time
tries often, and the others seldom. Whichever gets through lets some others try at once, each of which does the
same: when there is room again the work swells within a moment, and a little room costs few vain attempts.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from armillary.base.database_errors import DatabaseFull
from armillary.base.work.models import Order

SELDOM = 15.0
"""So many times the usual pause is that of an order while another one tries."""
COSTLY = 9.0
"""An order that takes long to find no room is tried for a tenth of the time at most."""
FOLLOWED_BY = 4
"""So many others may try for each that got through."""
DATABASE = "database"


def obstacle_of(order: Order, error: BaseException) -> str:
    """Return the name of what an order waits for: the database, the root of its file, or else its kind of work."""
    if isinstance(error, DatabaseFull):
        return DATABASE
    root, colon, _ = (order.key or "").partition(":")
    return root if colon else order.kind


class Holds:
    """What the orders of one worker wait for."""

    def __init__(self, pause_s: float, *, now: Callable[[], float] = time.monotonic) -> None:
        self._pause_s, self._now = pause_s, now
        self._next_try: dict[str, float] = {}
        self._passed: Counter[str] = Counter()

    def delay_s(self, obstacle: str, *, took_s: float, chance: float) -> float:
        """Return the pause before the next attempt of an order that found no room within ``took_s``.

        ``chance`` in [0, 1) spreads those that try seldom.
        """
        now = self._now()
        pause_s = max(self._pause_s, COSTLY * took_s)
        if now < self._next_try.get(obstacle, 0.0):
            return max(self._pause_s * SELDOM, pause_s) * (0.5 + chance / 2)
        # Whoever claims it may be another process, which then does the same.
        self._next_try[obstacle] = now + pause_s
        return pause_s

    def passed(self, obstacle: str) -> None:
        """Note that an order got through that had waited for this."""
        self._passed[obstacle] += 1

    def take_freed(self) -> dict[str, int]:
        """Return how many of those that wait for each obstacle may try now, once."""
        freed = {obstacle: FOLLOWED_BY * count for obstacle, count in self._passed.items()}
        self._passed.clear()
        return freed
