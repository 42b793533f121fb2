"""Opened files whose bytes stay as they are."""

from __future__ import annotations

import errno
import fcntl
import os
from types import TracebackType
from typing import Self

from armillary.base.store.errors import Busy, explain, naming
from armillary.base.store.files import read_at
from armillary.base.store.models import StoredObject
from armillary.base.store.places import Place
from armillary.base.store.settling import concerns, settle_path
from armillary.base.store.workshop import Workshop, stored_object

ATTEMPTS = 3


class LocalSnapshot:
    """An open descriptor; a shared lock on it makes writers replace the file instead of editing it."""

    def __init__(self, stored: StoredObject, fd: int) -> None:
        self.stored = stored
        self._fd = fd

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset``, fewer only at the end. Any thread may call."""
        with naming(self.stored.key):
            return read_at(self._fd, offset, size)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill a buffer with the bytes from ``offset``; return how many there were. Any thread may call."""
        with naming(self.stored.key):
            return os.preadv(self._fd, [buffer], offset)

    def fileno(self) -> int:
        """Return the descriptor, for sendfile."""
        return self._fd

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # A forgotten snapshot would make every later edit of its file a copy.
        self.close()


def open_snapshot(shop: Workshop, key: str, *, settle: bool = True) -> LocalSnapshot:
    """Open a file in a complete state, restoring it first if a writer died in the middle of an edit.

    Without ``settle`` that is not our affair.
    """
    try:
        with shop.root.locate(key, follow=False) as place:
            return _open(shop, place, settle=settle)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise explain(error, key) from error
    with shop.root.locate(key) as place, naming(key):
        return _open(shop, place, settle=settle)


def _open(shop: Workshop, place: Place, *, settle: bool) -> LocalSnapshot:
    restorable = True
    for _ in range(ATTEMPTS):
        fd = place.open(os.O_RDONLY)
        try:
            if shop.in_place:
                fcntl.flock(fd, fcntl.LOCK_SH)
            stat = os.fstat(fd)
        except BaseException:
            os.close(fd)
            raise
        snapshot = LocalSnapshot(stored_object(place.key, stat), fd)
        if not shop.in_place or not settle:
            return snapshot
        interrupted = restorable and any(concerns(r, stat.st_ino, place.path) for r in shop.records())
        if not interrupted:
            return snapshot
        snapshot.close()
        restorable = _restore(shop, place)
    raise Busy(f"{place.key}: an interrupted edit could not be undone yet; try again shortly.")


def _restore(shop: Workshop, place: Place) -> bool:
    try:
        with shop.locked([place.path]):
            return settle_path(shop, place, shop.records())
    except PermissionError as error:
        raise Busy(
            f"{place.key}: an edit was interrupted, and this process may not write: run a worker, then retry."
        ) from error
