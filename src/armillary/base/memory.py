"""The memory of a process: what is free goes back to the system, and what stays is not searched for garbage."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager

MANY = 10_000
"""Values that are made between two looks for garbage where much is done at once; usually that is 700."""
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)


def give_back() -> bool:
    """Return whole free pages to the system; False if there were none, or the C library has no such call.

    Threads that read headers of all lengths leave holes between what lives longer, so that a process which holds
    no more than before would seem to grow for hours. Takes some milliseconds: call it in a thread.
    """
    return bool(_trim and _trim(0))


def collect_seldom() -> None:
    """Look for garbage in circles seldom from now on, and never among what is loaded by now.

    For processes that do much work at once and end: what is in no circle goes as soon as nobody needs it anyway.
    """
    gc.freeze()
    gc.set_threshold(MANY, *gc.get_threshold()[1:])


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no garbage in circles while a block runs that makes many values and keeps them until its end.

    Reading a hundred headers makes some ten thousand; to go through them again and again took a seventh of it.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
