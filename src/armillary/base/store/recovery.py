"""Bring a file whose edit was interrupted to a complete state: the old one, or the new one.

What to do is read from the file itself, so it does not matter how often it is done or by whom:

* Blocks only: all new means the edit landed, all old means it never began, a mixture is undone; anything else
  is not ours and left alone.
* With a shift: the size tells whether the file system did it. If so the blocks are written (rolled forward);
  if not, the file is old.
* A file system may be cut off in the middle of a shift that moves many extents. Edited files had no holes, so
  a hole outside the inserted range marks how far it came, and removing it puts all bytes together again.
"""

from __future__ import annotations

import errno
import os
from enum import StrEnum
from functools import partial

from armillary.base.store.change import Change, Shift, Standing, standing
from armillary.base.store.files import Files, read_at
from armillary.base.store.journal import Entry


class Outcome(StrEnum):
    """What became of an interrupted edit."""

    UNTOUCHED = "had not begun"
    LANDED = "was complete"
    UNDONE = "was undone"
    COMPLETED = "was completed"
    FOREIGN = "was left alone: the file was changed outside Armillary"
    GONE = "concerns a file that is no longer there"


def restore(fd: int, entry: Entry, files: Files) -> Outcome:
    """Bring the opened file to a complete and durable state."""
    stat = os.fstat(fd)
    if stat.st_ino != entry.inode:
        return Outcome.GONE
    outcome = _restore_shifted(fd, entry, files) if entry.change.shift else _restore_blocks(fd, entry, files)
    if outcome is Outcome.FOREIGN:
        return outcome
    # A state includes its time: the retry of the edit, or the next edit, expects exactly that.
    old = outcome in (Outcome.UNTOUCHED, Outcome.UNDONE)
    mtime_ns = entry.mtime_ns if old else entry.new_mtime_ns
    if os.fstat(fd).st_mtime_ns != mtime_ns:
        files.set_mtime(fd, mtime_ns)
    files.sync(fd)
    return outcome


def _restore_blocks(fd: int, entry: Entry, files: Files) -> Outcome:
    change = entry.change
    if os.fstat(fd).st_size != change.size_before:
        return Outcome.FOREIGN
    match standing(change, partial(read_at, fd)):
        case Standing.OLD:
            return Outcome.UNTOUCHED
        case Standing.NEW:
            return Outcome.LANDED
        case Standing.MIXED:
            for block in change.blocks:
                files.write_at(fd, block.old, block.offset)
            return Outcome.UNDONE
        case _:
            return Outcome.FOREIGN


def _restore_shifted(fd: int, entry: Entry, files: Files) -> Outcome:
    change = entry.change
    assert change.shift is not None
    _finish_shift(fd, change, change.shift, files)
    size = os.fstat(fd).st_size
    if size == change.size_before:
        return Outcome.UNTOUCHED
    if size != change.size_after:
        return Outcome.FOREIGN
    found = standing(change, partial(read_at, fd))
    if found is Standing.NEW:
        return Outcome.LANDED
    if found is Standing.FOREIGN:
        return Outcome.FOREIGN
    write_blocks(fd, change, files)
    return Outcome.COMPLETED


def write_blocks(fd: int, change: Change, files: Files) -> None:
    """Write the new bytes of a change whose shift is done."""
    for block in change.blocks:
        files.write_at(fd, block.new, block.offset)


def _finish_shift(fd: int, change: Change, shift: Shift, files: Files) -> None:
    # An insertion makes the file longer first, a removal makes it shorter last.
    size = os.fstat(fd).st_size
    start = first_hole(fd)
    if size != max(change.size_before, change.size_after) or start >= size:
        return
    stop = _hole_end(fd, start, size)
    if shift.amount > 0 and stop <= shift.offset + shift.amount:
        return  # The range is inserted, and just not all written.
    if stop >= size:
        files.truncate(fd, min(change.size_before, change.size_after))
    elif stop - start == abs(shift.amount):
        files.collapse_range(fd, start, stop - start)


def first_hole(fd: int) -> int:
    """Return where the first hole of a file begins: its size if there is none."""
    try:
        return os.lseek(fd, 0, os.SEEK_HOLE)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENXIO):
            return os.fstat(fd).st_size
        raise


def _hole_end(fd: int, start: int, size: int) -> int:
    try:
        return os.lseek(fd, start, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size
        raise
