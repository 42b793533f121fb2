"""A file of samples that wait for their database: appended to durably, read in order, removed when it is empty.

Each process has a file of its own, and holds a lock on it as long as it lives. So whoever finds one without a lock
may take it over. What a crash cut off in the middle of a line was never acknowledged, and is left out.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import msgspec

from armillary.base.bus.errors import BusUnavailable
from armillary.base.bus.store import Row
from armillary.base.log import get_logger

log = get_logger(__name__)
SUFFIX = ".samples"
_rows = msgspec.json.Decoder(Row)


class Spool:
    """Samples on disk, first in, first out. For one thread at a time: every method blocks.

    The file is made with the first samples.
    """

    def __init__(self, directory: Path, limit: int) -> None:
        self._directory, self._limit = directory, limit
        self._path: Path | None = None
        self._descriptor = -1
        self._read = 0
        self.size = 0
        """Bytes of samples, those that were taken out included until all are."""

    @classmethod
    def taken_over(cls, path: Path, descriptor: int) -> Spool:
        """Return the samples of a file that is locked for this process."""
        found = cls(path.parent, 0)
        found._path, found._descriptor = path, descriptor
        found.size = os.fstat(descriptor).st_size
        found.size = sum(len(line) for line in found._lines(0) if line.endswith(b"\n"))
        return found

    @property
    def is_empty(self) -> bool:
        """Whether everything was taken out."""
        return self._read >= self.size

    def append(self, rows: list[Row]) -> None:
        """Add samples; when this returns they are durable.

        Raises
        ------
        BusUnavailable
            If there is no room for them; none is kept.
        """
        data = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
        if self.size + len(data) > self._limit:
            raise BusUnavailable(
                "The database is away, and bus.spool_bytes of samples wait for it already; send these again later."
            )
        try:
            self._make()
            _write_at(self._descriptor, data, self.size)
            os.fdatasync(self._descriptor)
        except OSError as error:
            log.error("samples not spooled", error=str(error))
            raise BusUnavailable from error
        self.size += len(data)

    def _make(self) -> None:
        if self._path is not None:
            return
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Names tell the order in which files were begun.
        path = self._directory / f"{time.time_ns():020d}-{uuid4().hex}{SUFFIX}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # Of those who share the directory, each may take over what another one left.
        os.fchmod(descriptor, self._directory.stat().st_mode & 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _sync_directory(self._directory)
        self._path, self._descriptor = path, descriptor

    def peek(self, most: int) -> tuple[list[Row], int]:
        """Return the next samples, and where they end, for ``drop``."""
        rows, end = list[Row](), self._read
        for line in self._lines(self._read):
            end += len(line)
            try:
                rows.append(_rows.decode(line))
            except msgspec.MsgspecError as error:
                log.error("spooled sample unreadable", error=str(error))
            if len(rows) == most:
                break
        return rows, end

    def drop(self, end: int) -> None:
        """Take samples out up to a place; when none is left, the file is empty again."""
        self._read = end
        if self.is_empty and self._path is not None:
            os.ftruncate(self._descriptor, 0)
            self._read = self.size = 0

    def close(self) -> None:
        """Let go of the file, which stays if there are samples in it."""
        if self._path is None:
            return
        if self.is_empty:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._path = None

    def _lines(self, start: int) -> Iterator[bytes]:
        if self._path is None:
            return
        with self._path.open("rb") as file:
            file.seek(start)
            left = self.size - start
            while left > 0 and (line := file.readline()):
                left -= len(line)
                yield line


def orphans(directory: Path) -> Iterator[Spool]:
    """Take over the files of processes that have ended, oldest first."""
    if not directory.is_dir():
        return
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Somebody may have emptied and removed it after it was listed.
            gone = not os.fstat(descriptor).st_nlink
        except OSError:
            gone = True
        if gone:
            os.close(descriptor)
        else:
            yield Spool.taken_over(path, descriptor)


def _write_at(descriptor: int, data: bytes, place: int) -> None:
    # What an earlier attempt left behind the end, for which there was no room, is written over.
    left = memoryview(data)
    while left:
        written = os.pwrite(descriptor, left, place)
        left, place = left[written:], place + written


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
