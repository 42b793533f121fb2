"""Many edits of plain files as one batch: checked, guarded, then made live together.

A batch is plain code for one thread at a time, driven by the store:
``begin`` (places, locks), ``prepare`` (checks, copies), the guard, ``commit`` (journal, blocks, renames).
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Sequence
from functools import partial

from armillary.base.store.change import Change, change_of, is_landed, is_pristine
from armillary.base.store.copying import check_unchanged, edited_copy
from armillary.base.store.errors import ChangedOutside, explain
from armillary.base.store.files import read_at
from armillary.base.store.inplace import InPlace, commit_in_place
from armillary.base.store.journal import Record
from armillary.base.store.linux import try_flock
from armillary.base.store.locks import PathLocks
from armillary.base.store.models import MAX_PATCHES, Patch, StoredObject
from armillary.base.store.places import Place
from armillary.base.store.recovery import first_hole
from armillary.base.store.settling import settle_path
from armillary.base.store.temporary import Temporary
from armillary.base.store.workshop import Workshop, busy, stored_object
from armillary.base.store.writing import is_expected
from armillary.errors import ArmillaryError, BadRequest

Result = StoredObject | ArmillaryError


class Job:
    """One patch on its way: what is open for it and how it will be carried out."""

    def __init__(self, patch: Patch) -> None:
        self.patch = patch
        self.result: Result | None = None
        self.place: Place | None = None
        self.fd = -1
        self.opened: os.stat_result | None = None
        self.change: Change | None = None
        self.copy: Temporary | None = None

    def close(self) -> None:
        """Let go of everything; a copy that was not published is removed."""
        if self.copy:
            self.copy.discard()
        if self.fd >= 0:
            os.close(self.fd)
        if self.place:
            self.place.close()


class Batch:
    """The patches of one call."""

    def __init__(self, shop: Workshop, patches: Sequence[Patch]) -> None:
        keys = {p.key for p in patches}
        if len(keys) != len(patches) or len(patches) > MAX_PATCHES:
            raise BadRequest(f"Patch every file once, and at most {MAX_PATCHES} files per call.")
        self._shop = shop
        self._locks: PathLocks | None = None
        self._records: list[Record] = []
        self._jobs = [Job(p) for p in patches]

    def begin(self) -> bool:
        """Find the files and lock them; True if all locks came at once and the batch is prepared too."""
        self._locks = PathLocks(self._shop.locks)
        paths: set[str] = set()
        for job in self._jobs:
            self._try(job, self._locate)
            if job.place and job.place.path in paths:
                job.result = BadRequest(f"{job.patch.key} is a link to a file patched by the same call.")
            elif job.place:
                paths.add(job.place.path)
        return self.try_locks() and self.prepare()

    def try_locks(self) -> bool:
        """Try for the locks that are still missing."""
        assert self._locks is not None
        return self._locks.try_all(j.place.path for j in self._open() if j.place) is None

    def give_up_waiting(self) -> None:
        """Let the patches fail whose files are locked by others."""
        assert self._locks is not None
        for job in self._open():
            if job.place and self._locks.try_all([job.place.path]):
                job.result = busy(job.patch.key, self._shop.wait_s)

    def prepare(self) -> bool:
        """Check the files against their plans, and make copies where bytes have to move. Returns True."""
        self._records = self._shop.records()
        for job in self._open():
            self._try(job, self._prepare)
        return True

    def going_live(self) -> list[Patch]:
        """Return the patches that commit will carry out."""
        return [j.patch for j in self._open()]

    def commit(self) -> list[Result]:
        """Make everything live that is still good, and return one result per patch."""
        copies = [j for j in self._open() if j.copy]
        direct = [j for j in self._open() if not j.copy]
        if direct:
            self._commit_in_place(direct)
        for job in copies:
            self._try(job, self._publish)
        assert all(j.result for j in self._jobs)
        return [j.result for j in self._jobs if j.result]

    def close(self) -> None:
        """Release locks and files."""
        for job in self._jobs:
            job.close()
        if self._locks:
            self._locks.close()

    def _open(self) -> list[Job]:
        return [j for j in self._jobs if j.result is None]

    def _try(self, job: Job, step: Callable[[Job], None]) -> None:
        try:
            step(job)
        except ArmillaryError as error:
            job.result = error
        except OSError as error:
            job.result = explain(error, job.patch.key)

    def _locate(self, job: Job) -> None:
        job.place = self._shop.root.locate(job.patch.key)

    def _prepare(self, job: Job) -> None:
        place, plan = job.place, job.patch.plan
        assert place is not None
        settle_path(self._shop, place, self._records)
        writable = self._open_file(job, place)
        opened = job.opened = os.fstat(job.fd)
        read = partial(read_at, job.fd)
        pristine = is_pristine(plan, read, opened.st_size)
        if not pristine and is_landed(plan, read, opened.st_size):
            self._shop.files.sync(job.fd)
            self._shop.sync_directory(place)
            job.result = stored_object(place.key, opened)
            return
        if not pristine or not is_expected(job.patch.expected, opened):
            raise ChangedOutside(
                f"{place.key} was changed outside Armillary; it was left alone: ingest it again."
            )
        job.change = self._change(job, place, opened) if writable else None
        if job.change is None:
            job.copy = edited_copy(place, job.fd, plan, self._shop.notes, self._shop.files)

    def _open_file(self, job: Job, place: Place) -> bool:
        if self._shop.in_place:
            try:
                job.fd = place.open(os.O_RDWR)
            except PermissionError:  # A write-protected file can still be replaced.
                pass
            else:
                return True
        job.fd = place.open(os.O_RDONLY)
        return False

    def _change(self, job: Job, place: Place, opened: os.stat_result) -> Change | None:
        """Return how to edit the opened file itself, None if a copy has to take its place."""
        # Another hard link would show the edit under a name that is not ours to change.
        if opened.st_nlink != 1 or not try_flock(job.fd, fcntl.LOCK_EX):
            return None
        fcntl.flock(job.fd, fcntl.LOCK_UN)
        granule = max(4096, os.fstatvfs(job.fd).f_frsize)
        change = change_of(job.patch.plan, partial(read_at, job.fd), granule=granule)
        if change is None or change.shift is None:
            return change
        dense = first_hole(job.fd) == opened.st_size
        return change if dense and self._shop.can_shift(place, opened.st_dev) else None

    def _commit_in_place(self, jobs: Sequence[Job]) -> None:
        edits, now = [], time.time_ns()
        for job in jobs:
            assert job.place is not None
            assert job.opened is not None
            assert job.change is not None
            # The clocks of file systems tick in milliseconds; each state of a file has a time of its own.
            later = job.opened.st_mtime_ns + 1
            edits.append(InPlace(job.place, job.fd, job.opened, job.change, job.patch.tag, max(now, later)))
        for job, result in zip(jobs, commit_in_place(self._shop, edits, self._records), strict=True):
            job.result = result

    def _publish(self, job: Job) -> None:
        assert job.copy is not None
        assert job.place is not None
        assert job.opened is not None
        check_unchanged(job.place, job.opened)
        stored = stored_object(job.place.key, os.fstat(job.copy.fd))
        job.copy.publish(replace=True)
        self._shop.sync_directory(job.place)
        job.result = stored
