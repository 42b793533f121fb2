"""Queues of which it was just seen that there are none: clients that ask for one again and again are cheap."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from weakref import WeakSet

from armillary.base.log import get_logger

log = get_logger(__name__)
REMEMBER_S = 1.0
"""How long a miss is believed: a new queue is told of by a signal, and this is for signals that are lost."""
LOG_S = 300.0
MOST = 10_000
_everywhere: WeakSet[Missing] = WeakSet()


class Missing:
    """Names of queues that were missing a moment ago; off, and empty, unless somebody hears of new ones."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: dict[str, float] = {}
        self._logged: OrderedDict[str, float] = OrderedDict()
        _everywhere.add(self)
        self.generation = 0
        """How often everything was forgotten: what was looked up before may be older than that."""

    def knows(self, name: str) -> bool:
        """Tell whether a queue is known to be missing."""
        return self._clock() < self._seen.get(name, 0.0)

    def note(self, name: str, generation: int) -> None:
        """Remember that a queue was missing when it was looked up in a generation, and log it now and then."""
        now = self._clock()
        if generation == self.generation:
            if len(self._seen) >= MOST:
                self._seen.clear()
            self._seen[name] = now + REMEMBER_S
        if now < self._logged.get(name, 0.0):
            return
        self._logged[name] = now + LOG_S
        self._logged.move_to_end(name)
        if len(self._logged) > MOST:
            self._logged.popitem(last=False)
        log.warning("no such queue", queue=name[:100], next_line_after_s=LOG_S)

    def forget(self) -> None:
        """Forget everything: there is a new queue."""
        self.generation += 1
        self._seen.clear()


def forget_everywhere() -> None:
    """Forget everything in all parts of this process, which need not wait for the signal from the database."""
    for one in tuple(_everywhere):
        one.forget()
