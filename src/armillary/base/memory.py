"""Memory that is free inside the process goes back to the system."""

from __future__ import annotations

import ctypes

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)


def give_back() -> bool:
    """Return whole free pages to the system; False if there were none, or the C library has no such call.

    Threads that read headers of all lengths leave holes between what lives longer, so that a process which holds
    no more than before would seem to grow for hours. Takes some milliseconds: call it in a thread.
    """
    return bool(_trim and _trim(0))
