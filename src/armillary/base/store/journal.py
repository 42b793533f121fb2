"""The undo journal: what is about to be overwritten, durable before the first byte of a file changes.

One preallocated file per writer, overwritten by each record, so that a record costs one write and one sync::

    0     head: magic, serial, number of entries, lengths and checksums, its own checksum
    512   one mark per entry: equal to the serial when the entry is settled
    4096  body: the entries as JSON, then the old and new bytes of their blocks

A record whose checksums fail was never synced, hence nothing was written under it. The writer holds a flock
on its file, which the kernel drops when the process dies: then its pending entries need to be settled.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import struct
import uuid
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from armillary.base.store.change import Block, Change, Shift
from armillary.base.store.files import Files, read_at
from armillary.base.store.linux import try_flock
from armillary.base.store.models import MAX_PATCHES

MAGIC = b"ARMJRNL1"
HEAD = struct.Struct("<8sQIIQII")
HEAD_SUM = struct.Struct("<I")
MARK = struct.Struct("<Q")
MARKS_AT, BODY_AT = 512, 4096
PREALLOCATED = 1 << 20
SUFFIX = ".journal"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file's part of a record: where it is, what it was, what is done to it, the times of both states."""

    path: str
    inode: int
    mtime_ns: int
    new_mtime_ns: int
    change: Change
    tag: str


@dataclass(frozen=True, slots=True)
class Record:
    """What a journal file says. ``settled`` holds the indexes of entries that need no attention."""

    file: Path
    serial: int
    entries: tuple[Entry, ...]
    settled: frozenset[int]

    def pending(self) -> Iterator[tuple[int, Entry]]:
        """Yield the entries that may have been interrupted."""
        return ((i, e) for i, e in enumerate(self.entries) if i not in self.settled)


class Journal:
    """The journal file of one writer."""

    def __init__(self, directory: Path, files: Files) -> None:
        self._files = files
        self.file, self._fd = _create(directory, files)
        self._serial = int.from_bytes(os.urandom(6), "little")
        self.paths: frozenset[str] = frozenset()

    def record(self, entries: Sequence[Entry]) -> None:
        """Write down a set of changes durably."""
        meta, body = _encode(entries)
        self._serial += 1
        self.paths = frozenset(e.path for e in entries)
        head = HEAD.pack(
            MAGIC, self._serial, len(entries), len(meta), len(body), zlib.crc32(meta), zlib.crc32(body)
        )
        self._files.write_at(self._fd, meta + body, BODY_AT)
        self._files.write_at(self._fd, head + HEAD_SUM.pack(zlib.crc32(head)), 0)
        self._files.sync_data(self._fd)

    def settle(self) -> None:
        """Mark all entries of the record as settled.

        The marks need no sync of their own: if they get lost in a power cut, recovery finds the new bytes in
        place and keeps them.
        """
        self._files.write_at(self._fd, MARK.pack(self._serial) * len(self.paths), MARKS_AT)

    def harden(self) -> None:
        """Make the marks durable after all."""
        self._files.sync_data(self._fd)

    def abandon(self) -> None:
        """Leave the file to recovery."""
        os.close(self._fd)

    def discard(self) -> None:
        """Remove the file, which must be settled."""
        try:
            self.file.unlink(missing_ok=True)
        finally:
            os.close(self._fd)


def _create(directory: Path, files: Files) -> tuple[Path, int]:
    while True:
        file = directory / f"{uuid.uuid4().hex}{SUFFIX}"
        fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.fstat(fd).st_nlink == 0:  # Recovery saw it before it was locked, and removed it.
                os.close(fd)
                continue
            files.write_at(fd, bytes(PREALLOCATED), 0)
            files.sync(fd)
            _sync_directory(directory, files)
        except OSError:
            file.unlink(missing_ok=True)
            os.close(fd)
            raise
        return file, fd


def _sync_directory(directory: Path, files: Files) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        files.sync(fd)
    finally:
        os.close(fd)


def _encode(entries: Sequence[Entry]) -> tuple[bytes, bytes]:
    meta: list[object] = []
    body: list[bytes] = []
    for e in entries:
        change = e.change
        blocks = [[b.offset, len(b.old), len(b.new)] for b in change.blocks]
        shift = [change.shift.offset, change.shift.amount] if change.shift else None
        sizes = [change.size_before, change.size_after]
        meta.append([e.path, e.inode, e.mtime_ns, e.new_mtime_ns, e.tag, sizes, shift, blocks])
        for b in change.blocks:
            body += (b.old, b.new)
    return json.dumps(meta).encode(), b"".join(body)


def _decode(meta: bytes, body: bytes) -> tuple[Entry, ...]:
    entries, at = [], 0
    for path, inode, mtime_ns, new_mtime_ns, tag, (before, after), shift, lengths in json.loads(meta):
        blocks = []
        for offset, old, new in lengths:
            blocks.append(Block(offset, body[at : at + old], body[at + old : at + old + new]))
            at += old + new
        change = Change(tuple(blocks), Shift(*shift) if shift else None, before, after)
        entries.append(Entry(path, inode, mtime_ns, new_mtime_ns, change, tag))
    return tuple(entries)


def records(directory: Path, *, skip: Collection[str]) -> Iterator[Record]:
    """Yield the whole records in the journals of a directory, some names skipped."""
    for name in os.listdir(directory):  # noqa: PTH208 (os.listdir is the cheapest look, done at each opening)
        if name.endswith(SUFFIX) and name not in skip:
            record = read_record(directory / name)
            if record is not None:
                yield record


def read_record(file: Path) -> Record | None:
    """Read one journal; None if it is gone or has no whole record."""
    try:
        fd = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return _read_record(file, fd)
    finally:
        os.close(fd)


def _read_record(file: Path, fd: int) -> Record | None:
    start = read_at(fd, 0, BODY_AT)
    head, rest = start[: HEAD.size], start[HEAD.size :]
    if len(start) < BODY_AT or HEAD_SUM.unpack_from(rest)[0] != zlib.crc32(head):
        return None
    magic, serial, count, meta_size, body_size, meta_sum, body_sum = HEAD.unpack(head)
    if magic != MAGIC or count > MAX_PATCHES:
        return None
    marks = (MARK.unpack_from(start, MARKS_AT + MARK.size * i)[0] for i in range(count))
    settled = frozenset(i for i, mark in enumerate(marks) if mark == serial)
    meta = read_at(fd, BODY_AT, meta_size)
    body = read_at(fd, BODY_AT + meta_size, body_size) if len(settled) < count else b""
    if zlib.crc32(meta) != meta_sum or (body and zlib.crc32(body) != body_sum):
        return None
    if len(body) != body_size and len(settled) < count:
        return None
    return Record(file, serial, _decode(meta, body), settled)


def settle_entries(record: Record, indexes: Iterable[int], files: Files) -> None:
    """Mark entries of somebody's journal as settled, durably; none: only make its marks durable."""
    try:
        fd = os.open(record.file, os.O_RDWR)
    except FileNotFoundError:
        return
    try:
        for index in indexes:
            files.write_at(fd, MARK.pack(record.serial), MARKS_AT + MARK.size * index)
        files.sync_data(fd)
    finally:
        os.close(fd)


def lock_dead(file: Path) -> int | None:
    """Return a locked descriptor of a journal whose writer is gone, None if it lives."""
    try:
        fd = os.open(file, os.O_RDWR)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        raise
    if try_flock(fd, fcntl.LOCK_EX):
        return fd
    os.close(fd)
    return None
