"""Find interrupted edits in the journals, and have them undone or finished."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from armillary.base.store.errors import Busy, naming
from armillary.base.store.journal import (
    SUFFIX,
    Entry,
    Journal,
    Record,
    lock_dead,
    read_record,
    settle_entries,
)
from armillary.base.store.linux import try_flock
from armillary.base.store.places import Place
from armillary.base.store.recovery import Outcome, restore
from armillary.base.store.temporary import remove_orphans
from armillary.base.store.workshop import LOOK_S, Workshop
from armillary.errors import ArmillaryError, NotFound

READERS_S = 0.25
"""How long a writer waits for readers of a file."""

UNRESOLVED = ".unresolved"


def lock_exclusive(fd: int) -> bool:
    """Lock a file against readers, who hold shared locks; False if they do not go away."""
    deadline = time.monotonic() + READERS_S
    while not try_flock(fd, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_S)
    return True


def settle_path(shop: Workshop, place: Place, records: Iterable[Record]) -> bool:
    """Restore a file whose edit was interrupted; False if it has bytes that are not ours.

    The caller holds the lock of the path. A writer holds it as long as its entry is pending, so a pending entry
    means that the writer died.
    """
    ours = True
    for record in records:
        for index, entry in record.pending():
            # By path, not by inode: the file may have been restored from a copy, which is another inode.
            if entry.path != place.path:
                continue
            if _restore(shop, place, entry) is Outcome.FOREIGN:
                # The entry stays pending: it holds the only copy of the bytes before the edit.
                ours = False
            else:
                settle_entries(record, [index], shop.files)
    return ours


def harden_marks(shop: Workshop, paths: Sequence[str], records: Iterable[Record], *, but: Journal) -> None:
    """Make durable that earlier edits of these paths are settled, before a new one is journaled elsewhere.

    Otherwise a power cut could revive the older record and mistake the newer state for a mixture.
    """
    shop.harden_ours(paths, but=but)
    for record in records:
        if any(e.path in paths for e in record.entries):
            settle_entries(record, (), shop.files)


def concerns(record: Record, inode: int, path: str) -> bool:
    """Whether a record has a pending entry of this file."""
    return any(e.inode == inode and e.path == path for _, e in record.pending())


def _restore(shop: Workshop, place: Place, entry: Entry, *, copied: bool = False) -> Outcome:
    try:
        fd = place.open(os.O_RDWR)
    except FileNotFoundError:
        return Outcome.GONE
    try:
        if not lock_exclusive(fd):
            raise Busy(
                f"{place.key}: an interrupted edit cannot be undone while the file is read; retry shortly."
            )
        # A copy is another file to the system. Its bytes tell old states from new ones, and both from others.
        known = dataclasses.replace(entry, inode=os.fstat(fd).st_ino) if copied else entry
        return restore(fd, known, shop.files)
    finally:
        os.close(fd)


def recover(shop: Workshop, *, copied: bool = False) -> list[str]:
    """Settle the journals of dead processes and remove their temporary files.

    ``copied`` says that the files are copies of those that the journals speak of.
    """
    found = []
    for file in sorted(shop.journals.glob(f"*{SUFFIX}")):
        # The kernel drops the lock of a journal with its process: who gets it knows that the writer is dead.
        lock = lock_dead(file)
        if lock is not None:
            try:
                found += _recover_journal(shop, file, copied=copied)
            finally:
                os.close(lock)
    return found + remove_orphans(shop.root, shop.notes, shop.files)


def _recover_journal(shop: Workshop, file: Path, *, copied: bool) -> list[str]:
    record = read_record(file)
    said: list[str] = []
    outcomes: list[Outcome | None] = []
    for index, entry in record.pending() if record else ():
        try:
            outcome = _recover_entry(shop, file, index, entry, copied=copied)
        except ArmillaryError as error:
            said.append(f"{entry.path}: {error.message}")
            outcomes.append(None)
            continue
        outcomes.append(outcome)
        if outcome not in (Outcome.UNTOUCHED, Outcome.LANDED):
            said.append(f"{entry.path}: interrupted edit {entry.tag!r} {outcome}")
    # Under a name that no recovery reads again: what it says could only be wrong about a later state of the file.
    if Outcome.FOREIGN in outcomes:
        kept = file.with_suffix(UNRESOLVED)
        file.rename(kept)
        said.append(f"{kept}: kept, it holds the bytes before and after the edit")
    # An entry that failed, say since a reader would not go, waits for the next recovery in its journal.
    elif None not in outcomes:
        file.unlink(missing_ok=True)
    return said


def _recover_entry(shop: Workshop, file: Path, index: int, entry: Entry, *, copied: bool) -> Outcome:
    with shop.locked([entry.path]):
        record = read_record(file)
        if record is None or index in record.settled:  # Whoever edited the file meanwhile has settled it.
            return Outcome.LANDED
        with (
            contextlib.suppress(NotFound),
            shop.root.locate(entry.path, follow=False) as place,
            naming(entry.path),
        ):
            outcome = _restore(shop, place, entry, copied=copied)
            if outcome is not Outcome.FOREIGN:
                settle_entries(record, [index], shop.files)
            return outcome
        return Outcome.GONE
