"""Locks that the kernel releases when a process dies, however it dies.

Standard library only: the supervisor process imports this.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

USERS = "users.lock"
"""Held shared by every process that uses the server; the supervisor waits for the exclusive lock."""
START = "start.lock"
"""Held from the decision to start a supervisor until that one is ready."""
SUPERVISOR = "supervisor.lock"
"""Held by a living supervisor."""
SERVER = "server.lock"
"""Inherited by the postmaster and every backend: free only when none of them lives."""


class Lock:
    """An open lock file; the lock belongs to the open file, so children that inherit it share it."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(self.fd, owner.st_uid, owner.st_gid)

    def shared(self) -> None:
        """Wait for the lock beside other readers."""
        fcntl.flock(self.fd, fcntl.LOCK_SH)

    def exclusive(self) -> None:
        """Wait for the lock alone."""
        fcntl.flock(self.fd, fcntl.LOCK_EX)

    def try_shared(self) -> bool:
        """Take the lock beside other readers if nobody has it alone."""
        return self._try(fcntl.LOCK_SH)

    def try_exclusive(self) -> bool:
        """Take the lock alone if it is free."""
        return self._try(fcntl.LOCK_EX)

    def _try(self, mode: int) -> bool:
        try:
            fcntl.flock(self.fd, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(self) -> None:
        """Give the lock back, also for those who inherited it."""
        fcntl.flock(self.fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file; the lock goes with its last copy."""
        with suppress(OSError):
            os.close(self.fd)
        self.fd = -1


def is_held(path: Path) -> bool:
    """Tell whether some process holds the lock."""
    lock = Lock(path)
    try:
        return not lock.try_shared()
    finally:
        lock.close()
