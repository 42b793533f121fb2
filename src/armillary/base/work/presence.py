"""A file that a worker locks while it lives: the kernel drops the lock when the process ends, however it ends.

The file says which kernel that is, and which file. Of a process that another kernel runs a lock says nothing, and
neither does a copy of the file, as in a copied data directory.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from armillary.base.store.linux import try_flock

LITTER_S = 86_400.0
"""Files that nobody holds and that say nothing are kept for so long."""


def _directory(data: Path) -> Path:
    return data / "private" / "workers"


def _file(data: Path, owner: str) -> Path:
    """Return the file of an owner, whose name may be anything."""
    return _directory(data) / quote(owner, safe="")


class Presence:
    """The lock file of one owner of leases."""

    def __init__(self, data: Path, owner: str) -> None:
        self.file = _file(data, owner)
        self.fd = -1

    def take(self) -> None:
        """Hold the lock from now on, until ``leave`` or the end of the process.

        Raises
        ------
        OSError
            If there can be no such file; then the worker does without, and its leases decide.
        """
        if self.fd >= 0:
            return
        self.file.parent.parent.mkdir(exist_ok=True)
        self.file.parent.mkdir(mode=0o700, exist_ok=True)
        # Never one that was there: its lock would be that of another process. And no child that is started later
        # may inherit the lock, and hold it after our end.
        fd = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            # Only now: what it says is true of a file that is locked, or whose holder has ended.
            os.write(fd, _Holder.here(fd).line())
        except OSError:
            self.file.unlink(missing_ok=True)
            os.close(fd)
            raise
        self.fd = fd

    def harden(self) -> None:
        """Let the file outlive a power failure. Not worth its time to a worker that works for a moment."""
        if self.fd < 0:
            return
        os.fsync(self.fd)
        parent = os.open(self.file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)

    def leave(self) -> None:
        """Remove the file; to be called when the owner has no orders any more."""
        if self.fd >= 0:
            with suppress(OSError):
                self.file.unlink(missing_ok=True)
            os.close(self.fd)
            self.fd = -1


class _Holder(NamedTuple):
    """Who holds a lock file: the kernel by its boot, the machine by its name; and the file that was locked."""

    boot: str
    host: str
    inode: str

    @classmethod
    def here(cls, fd: int) -> _Holder:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return cls(boot, socket.gethostname(), str(os.fstat(fd).st_ino))

    def line(self) -> bytes:
        return f"{' '.join(self)}\n".encode()

    def is_known_to(self, us: _Holder) -> bool:
        """Tell whether a free lock means that the holder has ended, as far as our kernel can know.

        A machine that was started again has another boot, and none of its former processes.
        """
        return self.inode == us.inode and (self.boot == us.boot or self.host == us.host)


def ended(data: Path) -> list[str]:
    """Return the owners whose process has ended for certain; remove files that say nothing to anybody."""
    try:
        names = os.listdir(_directory(data))  # noqa: PTH208 (done every second)
    except OSError:
        return []
    return [unquote(name) for name in names if _has_ended(_directory(data) / name)]


def _has_ended(file: Path) -> bool:
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Shared, since several may look at once; the holder's is exclusive.
        if not try_flock(fd, fcntl.LOCK_SH):
            return False
        said = os.read(fd, 1000).decode(errors="replace").split()
        if len(said) == len(_Holder._fields) and _Holder(*said).is_known_to(_Holder.here(fd)):
            return True
        # Empty between its creation and its first line, or of another machine on a shared disk: nothing to
        # conclude.
        if time.time() - os.fstat(fd).st_mtime > LITTER_S:
            file.unlink(missing_ok=True)
    except OSError:
        return False
    finally:
        os.close(fd)
    return False


def forget(data: Path, owners: Iterable[str]) -> None:
    """Remove the files of owners that have ended."""
    for owner in owners:
        with suppress(OSError):
            _file(data, owner).unlink(missing_ok=True)
