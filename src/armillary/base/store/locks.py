"""Locks on paths between all processes and tasks: one byte of one file per path, released by the kernel."""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

from armillary.base.store.linux import try_lock_byte

FIRST_WAIT_S, LAST_WAIT_S = 0.0005, 0.02


def _byte_of(path: str) -> int:
    return int.from_bytes(blake2b(path.encode(), digest_size=8).digest(), "big") >> 2


class PathLocks:
    """The locks that one task holds.

    Each holder opens the file anew, since these locks belong to an open file description: tasks and threads
    of one process exclude each other like processes do, and a killed process holds nothing.
    """

    def __init__(self, file: Path) -> None:
        self._fd = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        self.held: set[str] = set()

    def try_all(self, paths: Iterable[str]) -> str | None:
        """Lock the paths in sorted order; return the first that is taken, or None when all are held.

        The common order keeps two holders from waiting for each other.
        """
        for path in sorted(set(paths) - self.held):
            if not try_lock_byte(self._fd, _byte_of(path)):
                return path
            self.held.add(path)
        return None

    def close(self) -> None:
        """Release everything."""
        os.close(self._fd)
