"""A lock file with the id of the process that holds it, as old unit files and cron tables know it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from armillary.errors import Conflict


class AlreadyRunning(Conflict):
    """Another process holds the lock file; stop that one first, or name another file."""

    code = "already_running"


@contextmanager
def lock_file(path: Path) -> Iterator[None]:
    """Hold a lock file while the block runs.

    The lock is the kernel's and ends with the process, however that ends: a file that is left over after a
    kill locks nobody out.

    Raises
    ------
    AlreadyRunning
        If another process holds it.
    """
    fd = _locked(path)
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(fd)


def _locked(path: Path) -> int:
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 20, 0).decode("ascii", "replace").strip()
            os.close(fd)
            raise AlreadyRunning(
                f"Process {holder or '(unknown)'} holds {path}; stop it first, or name another --lockfile."
            ) from None
        # Whoever held it may have removed it between our two calls; then a newer file stands there.
        if _is_still(fd, path):
            return fd
        os.close(fd)


def _is_still(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False
