"""The child process: call functions as told, with no more memory than allowed, until the parent is gone.

Standard library only, so that it starts at once; what the functions need is loaded with the first of them, or
before that, if it is told.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import pickle
import resource
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from armillary.base.sandbox.errors import OutOfMemory
from armillary.base.sandbox.messages import receive, send
from armillary.errors import ArmillaryError

PR_SET_PDEATHSIG = 1


def main(descriptor: int, parent: int, modules: Sequence[str]) -> None:
    """Load modules, and answer requests until there are no more."""
    # What is loaded for the first request stays, and is not searched for garbage again and again.
    gc.disable()
    _die_with(parent)
    # Ctrl-C at the terminal is for the parent, which ends its children.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in modules:
        importlib.import_module(name)
    limited = False
    with socket.socket(fileno=descriptor) as channel, suppress(EOFError, OSError):
        while True:
            (function, args, memory), fds = receive(channel)
            if not limited:
                # What is loaded by now does not count.
                _limit_memory(memory)
                limited = True
                gc.freeze()
                gc.enable()
            answer = _answer(function, (*fds, *args))
            for fd in fds:
                os.close(fd)
            _tell(channel, answer)


def _tell(channel: socket.socket, answer: tuple[bool, Any]) -> None:
    try:
        send(channel, answer)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        # Nothing was sent yet. The parent is told, and the child is good for more.
        send(channel, (False, RuntimeError(f"the answer cannot be handed over: {error}")))


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _limit_memory(size: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + size
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
    # The memory of a process that crashes is nobody's business, and may be large.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(function: Any, args: tuple[Any, ...]) -> tuple[bool, Any]:
    """Return whether the function went well, and what it returned or raised."""
    try:
        return True, function(*args)
    except MemoryError:
        return False, OutOfMemory()
    except ArmillaryError as error:
        return False, error
    except Exception as error:
        return False, RuntimeError(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
