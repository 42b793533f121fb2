"""Calls of the bzip2 library take turns: as many at once as there are cores, four at most.

A call walks at random through four megabytes. Calls of more threads than cores throw each other out of the
caches, and each of them takes twice as long.
"""

from __future__ import annotations

import os
from threading import BoundedSemaphore

THREADS = min(4, len(os.sched_getaffinity(0)))
TURN = BoundedSemaphore(THREADS)
"""To be held during a call, and no longer."""
