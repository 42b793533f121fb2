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
from typing import NamedTuple

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
        if len(self.settled) == len(self.entries):
            return iter(())
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
        # One sync for both, in whatever order they reach the disk: the head has the checksums of the rest, so a
        # head without its body is torn, and a body without its head is under the former record, whose checksums
        # then fail.
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
            # Zeros, not a hole: a record must not fail because the disk has filled meanwhile, and the sync of
            # blocks that exist commits no metadata.
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


class Records:
    """What the journals of a directory say; the entries of a record are read once, its marks at each look."""

    def __init__(self, directory: Path) -> None:
        self._directory = os.fspath(directory)
        self._known: dict[str, tuple[_Head, tuple[Entry, ...]]] = {}

    def read(self, *, skip: Collection[str]) -> list[Record]:
        """Return the whole records, some names skipped."""
        found, known = [], dict[str, tuple[_Head, tuple[Entry, ...]]]()
        for name in os.listdir(self._directory):  # noqa: PTH208 (the cheapest look, done at each opening)
            if not name.endswith(SUFFIX) or name in skip:
                continue
            read = _read(f"{self._directory}/{name}", self._known.get(name))
            if read is not None:
                head, settled, entries = read
                known[name] = head, entries
                found.append(Record(Path(self._directory, name), head.serial, entries, settled))
        self._known = known
        return found


def read_record(file: Path) -> Record | None:
    """Read one journal; None if it is gone or has no whole record."""
    read = _read(os.fspath(file), None)
    if read is None:
        return None
    head, settled, entries = read
    return Record(file, head.serial, entries, settled)


class _Head(NamedTuple):
    serial: int
    entries: int
    meta_size: int
    body_size: int
    meta_sum: int
    body_sum: int


def _read(
    file: str, known: tuple[_Head, tuple[Entry, ...]] | None
) -> tuple[_Head, frozenset[int], tuple[Entry, ...]] | None:
    """Return head, settled entries and entries of a journal; these are ``known`` if the head is the same."""
    try:
        fd = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        start = read_at(fd, 0, BODY_AT)
        head = _head(start)
        if head is None:
            return None
        marks = struct.unpack_from(f"<{head.entries}Q", start, MARKS_AT)
        # Marks of former records are still there. They have other serials, which saves clearing them.
        settled = frozenset([index for index, mark in enumerate(marks) if mark == head.serial])
        if known is not None and known[0] == head:
            return head, settled, known[1]
        # Of a record that is settled only the paths matter, to whoever must make its marks durable.
        entries = _read_entries(fd, head, whole=len(settled) < head.entries)
        return None if entries is None else (head, settled, entries)
    finally:
        os.close(fd)


def _head(start: bytes) -> _Head | None:
    raw, rest = start[: HEAD.size], start[HEAD.size :]
    if len(start) < BODY_AT or HEAD_SUM.unpack_from(rest)[0] != zlib.crc32(raw):
        return None
    magic, *numbers = HEAD.unpack(raw)
    head = _Head(*numbers)
    return head if magic == MAGIC and head.entries <= MAX_PATCHES else None


def _read_entries(fd: int, head: _Head, *, whole: bool) -> tuple[Entry, ...] | None:
    """Return the entries of a record, with the bytes of their blocks only if ``whole``; None if it is torn."""
    meta = read_at(fd, BODY_AT, head.meta_size)
    body = read_at(fd, BODY_AT + head.meta_size, head.body_size) if whole else b""
    if zlib.crc32(meta) != head.meta_sum:
        return None
    if whole and (len(body) != head.body_size or zlib.crc32(body) != head.body_sum):
        return None
    return _decode(meta, body)


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
