"""Calls of the bzip2 library take turns: as many at once as there are cores, four at most.

A call walks at random through four megabytes. Calls of more threads than cores throw each other out of the
caches, and each of them takes twice as long.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Condition

THREADS = min(4, len(os.sched_getaffinity(0)))


class Turns:
    """So many calls at once; those that can wait begin when nobody else wants to."""

    def __init__(self, count: int) -> None:
        self._free, self._wanted = count, 0
        self._changed = Condition()

    @property
    def wanted(self) -> int:
        """How many calls wait for a turn that cannot wait."""
        return self._wanted

    def now(self) -> AbstractContextManager[None]:
        """Hold a turn during the block."""
        return self._turn(patient=False)

    def later(self) -> AbstractContextManager[None]:
        """Hold a turn during the block, after all that want one now."""
        return self._turn(patient=True)

    @contextmanager
    def _turn(self, *, patient: bool) -> Iterator[None]:
        with self._changed:
            self._wanted += not patient
            try:
                self._changed.wait_for(lambda: self._free and not (patient and self._wanted))
                self._free -= 1
            finally:
                self._wanted -= not patient
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()


TURNS = Turns(THREADS)
