"""What every operation on a local tree needs: the tree, the private directory, and journals to write to."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from armillary.base.store.errors import Busy
from armillary.base.store.files import Files
from armillary.base.store.journal import Journal, Record, Records
from armillary.base.store.locks import PathLocks
from armillary.base.store.models import StoredObject
from armillary.base.store.places import Place, Root
from armillary.base.store.temporary import Temporary
from armillary.errors import BadRequest

LOOK_S = 0.002
"""How often a thread looks whether a lock is free: flock(2) knows no timeout."""

PROBE, GRANULE = 16384, 4096


def stored_object(key: str, stat: os.stat_result) -> StoredObject:
    """Return what the system knows of a file in the words of the store."""
    return StoredObject(key, stat.st_size, stat.st_mtime_ns, f"{stat.st_dev}:{stat.st_ino}")


class Workshop:
    """The parts of one local store. ``private`` is ours alone: journals, locks, notes, undo recipes."""

    def __init__(
        self,
        root: Path,
        private: Path,
        *,
        in_place: bool,
        durable: bool,
        wait_s: float,
        threads: int,
        files: Files,
        create: bool = True,
    ) -> None:
        self.files, self.in_place, self.durable, self.wait_s = files, in_place, durable, wait_s
        self.private = private.absolute()
        self.root = Root(root, files, apart=self.private.resolve(), create=create)
        if self.private.resolve() == self.root.path:
            raise BadRequest(f"{private} is the storage root itself: choose another private directory.")
        self.journals, self.notes = self.private / "journal", self.private / "temporary"
        self.blobs, self.locks = self.private / "undo", self.private / "locks"
        # A process that only reads may run under an account that cannot enter the private directory.
        with contextlib.suppress(PermissionError):
            self.private.mkdir(mode=0o700, parents=True, exist_ok=True)
            for directory in (self.journals, self.notes, self.blobs):
                own_directory(directory)
        self.syncs = ThreadPoolExecutor(max(1, threads), thread_name_prefix="store-sync")
        self._records = Records(self.journals)
        self._free: list[Journal] = []
        self._ours: dict[str, Journal] = {}
        self._mutex = threading.Lock()
        self._shifting: dict[int, bool] = {}

    def close(self) -> None:
        """Remove our journals and let go of everything."""
        self.syncs.shutdown()
        while self._free:
            self._free.pop().discard()
        self.root.close()

    def take_journal(self) -> Journal:
        """Return a journal for one record; each concurrent batch has its own."""
        with self._mutex:
            if self._free:
                return self._free.pop()
        journal = Journal(self.journals, self.files)
        self._ours[journal.file.name] = journal
        return journal

    def drop_journal(self, journal: Journal, *, settled: bool) -> None:
        """Remove a journal that could not be written, or leave one to recovery."""
        del self._ours[journal.file.name]
        if settled:
            journal.discard()
        else:
            journal.abandon()

    # A journal in use belongs to a batch that holds locks of other paths: only free ones can speak of these.
    def harden_ours(self, paths: Collection[str], *, but: Journal) -> None:
        """Make durable that earlier edits of some paths are settled in our other journals."""
        with self._mutex:
            stale = [j for j in self._free if j is not but and not j.paths.isdisjoint(paths)]
        for journal in stale:
            journal.harden()

    def return_journal(self, journal: Journal) -> None:
        """Let the next batch have a settled journal."""
        with self._mutex:
            self._free.append(journal)

    def records(self) -> list[Record]:
        """Return what the journals of other processes (and abandoned ones of ours) say.

        Ours in use concern files that we hold locks of. A process that may not read journals finds none.
        """
        try:
            return self._records.read(skip=self._ours)
        except (PermissionError, FileNotFoundError):
            return []

    @contextmanager
    def locked(self, paths: Sequence[str]) -> Iterator[None]:
        """Hold the locks of some paths in a thread; Busy if that takes too long."""
        locks = PathLocks(self.locks)
        try:
            deadline = time.monotonic() + self.wait_s
            while (taken := locks.try_all(paths)) is not None:
                if time.monotonic() > deadline:
                    raise busy(taken, self.wait_s)
                time.sleep(LOOK_S)
            yield
        finally:
            locks.close()

    def can_shift(self, place: Place, device: int) -> bool:
        """Whether the file system of a place inserts ranges; tried once per device, on a file of ours."""
        known = self._shifting.get(device)
        if known is None:
            known = self._shifting[device] = self._try_shift(place)
        return known

    def forget_shift(self, device: int) -> None:
        """Remember that a file system refused."""
        self._shifting[device] = False

    def _try_shift(self, place: Place) -> bool:
        probe = Temporary(place, self.notes, self.files)
        try:
            self.files.write_at(probe.fd, bytes(PROBE), 0)
            # Mounts lie about themselves (overlays, FUSE): only trying tells.
            self.files.insert_range(probe.fd, GRANULE, GRANULE)
        except OSError as error:
            if error.errno in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                return False
            raise
        finally:
            probe.discard()
        return True

    def sync_directory(self, place: Place) -> None:
        """Make the names of a place's directory durable."""
        self.files.sync(place.directory)


def own_directory(path: Path) -> None:
    """Make a directory of ours, for us alone, or also to be read by the group that may read its parent.

    A reader under another account sees by the journals that an edit was interrupted, if it may read them.
    """
    if not path.is_dir():
        path.mkdir(mode=0o700 | path.parent.stat().st_mode & 0o050, exist_ok=True)


def busy(path: str, wait_s: float) -> Busy:
    """Return the error for a lock that did not come free."""
    return Busy(f"{path} is being changed by another worker for more than {wait_s:g} s; try again shortly.")
