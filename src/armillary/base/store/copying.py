"""Edited copies for files that cannot be patched in place: made beside the file and verified."""

from __future__ import annotations

import os
from pathlib import Path

from armillary.base.store.change import pieces
from armillary.base.store.errors import ChangedOutside, StorageDenied, StorageFailed
from armillary.base.store.files import Files, read_at
from armillary.base.store.places import Place
from armillary.base.store.temporary import Temporary
from armillary.fits.models import EditPlan

PORTION = 1 << 20


def edited_copy(place: Place, fd: int, plan: EditPlan, notes: Path, files: Files) -> Temporary:
    """Make a durable, verified copy of an opened file with the plan carried out."""
    temporary = Temporary(place, notes, files)
    try:
        keep_attributes(place.key, fd, temporary.fd, files)
        if plan.in_place and files.clone(fd, temporary.fd):
            for splice in plan.splices:
                files.write_at(temporary.fd, splice.new, splice.offset)
        else:
            _copy(fd, temporary.fd, plan, files)
        date_later(fd, temporary.fd, files)
        files.sync(temporary.fd)
        _verify(place.key, fd, temporary.fd, plan)
    except BaseException:
        temporary.discard()
        raise
    return temporary


def date_later(source: int, target: int, files: Files) -> None:
    """Give a copy a time after that of the original: the clocks of file systems tick in milliseconds."""
    before = os.fstat(source).st_mtime_ns
    if os.fstat(target).st_mtime_ns <= before:
        files.set_mtime(target, before + 1)


def keep_attributes(key: str, source: int, target: int, files: Files) -> None:
    """Let the new file have the owner, mode and access lists of the old one, or refuse."""
    try:
        files.carry_over(source, target)
    except PermissionError as error:
        raise StorageDenied(
            f"{key}: its owner, mode or attributes cannot be given to a new file ({error.strerror}); "
            "run the worker as the owner of the files, then retry."
        ) from error


def _copy(source: int, target: int, plan: EditPlan, files: Files) -> None:
    to = 0
    for piece in pieces(plan):
        if isinstance(piece, bytes):
            files.write_at(target, piece, to)
            to += len(piece)
        else:
            start, stop = piece
            files.copy_range(source, target, start, stop - start, to)
            to += stop - start


def _verify(key: str, source: int, target: int, plan: EditPlan) -> None:
    at = 0
    for piece in pieces(plan):
        if isinstance(piece, bytes):
            good, size = read_at(target, at, len(piece)) == piece, len(piece)
        else:
            size = piece[1] - piece[0]
            good = _same(source, piece[0], target, at, size)
        if not good:
            raise StorageFailed(
                f"{key}: the edited copy differs from what was written; check the disk and retry."
            )
        at += size
    if os.fstat(target).st_size != plan.size_after:
        raise StorageFailed(f"{key}: the edited copy has the wrong size; check the disk and retry.")


def _same(source: int, start: int, target: int, at: int, size: int) -> bool:
    one, other = bytearray(PORTION), bytearray(PORTION)
    while size:
        want = min(size, PORTION)
        done = os.preadv(source, [memoryview(one)[:want]], start)
        if done == 0 or os.preadv(target, [memoryview(other)[:done]], at) != done:
            return False
        if memoryview(one)[:done] != memoryview(other)[:done]:
            return False
        start, at, size = start + done, at + done, size - done
    return True


def check_unchanged(place: Place, opened: os.stat_result) -> None:
    """Raise ChangedOutside unless the name still means the file that was opened, unchanged."""
    now = place.stat()
    if _fingerprint(now) != _fingerprint(opened):
        raise ChangedOutside(
            f"{place.key} was changed outside Armillary while it was edited; it was left alone."
        )


def _fingerprint(stat: os.stat_result) -> tuple[int, int, int, int]:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
