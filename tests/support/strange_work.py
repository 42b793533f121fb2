"""Work for child processes that goes wrong in every way. Each function gets a descriptor first."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from armillary.errors import BadRequest

ENOUGH_S = 3600.0


def read(fd: int, size: int) -> tuple[bytes, int]:
    """Return the first bytes of a file, and the process that read them."""
    return os.pread(fd, size, 0), os.getpid()


def hoard(_fd: int, size: int) -> int:
    """Take memory."""
    return len(bytearray(size))


def refuse(_fd: int, message: str) -> None:
    """Fail as our own errors do."""
    raise BadRequest(message)


def stumble(_fd: int) -> None:
    """Fail as a library does."""
    raise KeyError("what")


def bewilder(_fd: int) -> object:
    """Return what no other process can be given."""
    return lambda: None


def crash(_fd: int, number: int) -> None:
    """Die of a signal."""
    os.kill(os.getpid(), number)
    signal.pause()


def idle(_fd: int, note: str) -> None:
    """Do nothing for longer than anybody waits, after writing down which process that is."""
    path = Path(note)
    path.with_suffix(".new").write_text(str(os.getpid()))
    path.with_suffix(".new").rename(path)
    time.sleep(ENOUGH_S)
