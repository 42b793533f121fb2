"""Edits of files themselves: journaled, written, synced together, verified; failed ones are undone."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from armillary.base.store.change import Change, Standing, standing
from armillary.base.store.copying import check_unchanged
from armillary.base.store.errors import Busy, StorageFailed, explain
from armillary.base.store.files import read_at
from armillary.base.store.journal import Entry, Journal, Record
from armillary.base.store.models import StoredObject
from armillary.base.store.places import Place
from armillary.base.store.recovery import Outcome, restore, write_blocks
from armillary.base.store.settling import harden_marks, lock_exclusive
from armillary.base.store.workshop import Workshop, stored_object
from armillary.errors import ArmillaryError

NO_SHIFT = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)

Result = StoredObject | ArmillaryError


@dataclass(frozen=True, slots=True)
class InPlace:
    """An opened file (``fd``, as ``opened`` said) and what to do to it."""

    place: Place
    fd: int
    opened: os.stat_result
    change: Change
    tag: str
    mtime_ns: int

    def entry(self) -> Entry:
        """Return what the journal keeps of this edit."""
        opened = self.opened
        return Entry(self.place.path, opened.st_ino, opened.st_mtime_ns, self.mtime_ns, self.change, self.tag)


def commit_in_place(shop: Workshop, edits: Sequence[InPlace], records: Sequence[Record]) -> list[Result]:
    """Carry out edits of locked paths with one sync of the journal; return one result per edit."""
    refused = {e.place.path: error for e in edits if (error := _refusal(e))}
    ready = [e for e in edits if e.place.path not in refused]
    results: dict[str, Result] = dict(refused)
    if ready and not shop.durable:
        results |= _carry_out(shop, ready)[0]
    elif ready:
        try:
            results |= _journaled(shop, ready, records)
        except OSError as error:
            results |= {e.place.path: explain(error, f"{shop.journals} (for {e.place.key})") for e in ready}
    return [results[e.place.path] for e in edits]


def _refusal(edit: InPlace) -> ArmillaryError | None:
    """Lock the file against readers and see that it still is what was checked."""
    try:
        # Readers lock the file, not its path: whoever opened it before reads the same bytes to the end.
        if not lock_exclusive(edit.fd):
            return Busy(f"{edit.place.key} is being read; try again shortly.")
        check_unchanged(edit.place, edit.opened)
    except ArmillaryError as error:
        return error
    except OSError as error:
        return explain(error, edit.place.key)
    return None


def _journaled(shop: Workshop, edits: Sequence[InPlace], records: Sequence[Record]) -> dict[str, Result]:
    """Raises OSError if the journal cannot be written, in which case no file was touched."""
    journal = shop.take_journal()
    try:
        # Both before the first byte changes: whenever power is cut later on, the journal has old and new bytes.
        harden_marks(shop, [e.place.path for e in edits], records, but=journal)
        journal.record([e.entry() for e in edits])
    except OSError:
        shop.drop_journal(journal, settled=True)
        raise
    results, settled = _carry_out(shop, edits)
    _finish(shop, journal, settled=settled)
    return results


def _finish(shop: Workshop, journal: Journal, *, settled: bool) -> None:
    if settled:
        # The edits are durable already, and reported as done. A mark that cannot be written costs the next access
        # a look at the file, which finds it whole.
        try:
            journal.settle()
        except OSError:
            settled = False
    if settled:
        shop.return_journal(journal)
    else:
        shop.drop_journal(journal, settled=False)


def _carry_out(shop: Workshop, edits: Sequence[InPlace]) -> tuple[dict[str, Result], bool]:
    """Return a result per path, and whether every file is in a complete state."""
    failures = {e.place.path: error for e in edits if (error := _write(shop, e))}
    written = [e for e in edits if e.place.path not in failures]
    # All files are written before the first is synced, and then synced at once: the disk merges what it can.
    synced = (
        shop.syncs.map(partial(_sync, shop), written)
        if len(written) > 1
        else [_sync(shop, e) for e in written]
    )
    failures |= {e.place.path: error for e, error in zip(written, synced, strict=True) if error}
    results: dict[str, Result] = {}
    settled = True
    for edit in edits:
        path = edit.place.path
        if path not in failures:
            results[path] = stored_object(edit.place.key, os.fstat(edit.fd))
        else:
            results[path], whole = _undo(shop, edit, failures[path])
            settled &= whole
    return results, settled


def _write(shop: Workshop, edit: InPlace) -> OSError | None:
    files, shift = shop.files, edit.change.shift
    try:
        # The file system moves blocks of its map, not the data behind them: gigabytes cost what kilobytes do.
        if shift and shift.amount > 0:
            files.insert_range(edit.fd, shift.offset, shift.amount)
        elif shift:
            files.collapse_range(edit.fd, shift.offset, -shift.amount)
        write_blocks(edit.fd, edit.change, files)
        files.set_mtime(edit.fd, edit.mtime_ns)
    except OSError as error:
        return error
    return None


def _sync(shop: Workshop, edit: InPlace) -> OSError | None:
    """Make the edit durable and read it again.

    The time of a file is not among its data: after a power cut recovery sets it again, from the journal. To sync
    it here would commit the journal of the whole file system, with everything that others have written.
    """
    try:
        shop.files.sync_data(edit.fd)
        good = os.fstat(edit.fd).st_size == edit.change.size_after
        if not good or standing(edit.change, partial(read_at, edit.fd)) is not Standing.NEW:
            return OSError(None, "what was written reads back differently")
    except OSError as error:
        return error
    return None


def _undo(shop: Workshop, edit: InPlace, failure: OSError) -> tuple[Result, bool]:
    if edit.change.shift and failure.errno in NO_SHIFT:
        shop.forget_shift(edit.opened.st_dev)
    try:
        outcome = restore(edit.fd, edit.entry(), shop.files)
    except OSError as error:
        return _left(edit, explain(error, edit.place.key)), False
    # A sync that failed, or a read, says nothing of the bytes: they may all be there, and then the edit is done.
    if outcome in (Outcome.LANDED, Outcome.COMPLETED):
        return stored_object(edit.place.key, os.fstat(edit.fd)), True
    if outcome is Outcome.FOREIGN:
        return _left(edit, StorageFailed(explain(failure, edit.place.key).message)), False
    return explain(failure, edit.place.key), True


def _left(edit: InPlace, found: ArmillaryError) -> ArmillaryError:
    # A disk that became read-only in the middle of an edit is waited for like one that was so before.
    kind = type(found) if found.waits else StorageFailed
    return kind(
        f"{found.message} The edit is in the journal and will be undone or finished by the next access."
    )
