"""New files that are not yet complete: made beside their target, noted so that a crash leaves no litter."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from pathlib import Path

from armillary.base.store.files import Files
from armillary.base.store.linux import try_flock
from armillary.base.store.places import Place, Root

GRACE_S = 60.0
"""How long a note without a file is kept: its writer may be between the two."""


class Temporary:
    """A file of ours beside the place it is meant for, locked while its writer lives.

    ``notes`` holds one dangling link per temporary, so recovery need not walk a tree of millions of files.
    """

    def __init__(self, place: Place, notes: Path, files: Files, *, mode: int = 0o600) -> None:
        self._place, self._files = place, files
        while True:
            token = secrets.token_hex(8)
            self.name = f".armillary-{token}.tmp"
            self._note = notes / token
            self._note.symlink_to(place.beside(self.name))
            try:
                self.fd = files.create(place.directory, self.name, mode)
            except OSError:
                self._note.unlink()
                raise
            fcntl.flock(self.fd, fcntl.LOCK_EX)
            if os.fstat(self.fd).st_nlink:
                break
            os.close(self.fd)  # Recovery saw it before it was locked, and removed it.
        self._open = True

    def publish(self, *, replace: bool) -> None:
        """Give the file its real name; the caller has synced it, and syncs the directory."""
        place = self._place
        self._files.rename(place.directory, self.name, place.directory, place.name, replace=replace)
        self._close()

    def discard(self) -> None:
        """Remove the file if it was not published."""
        if self._open:
            try:
                self._files.unlink(self._place.directory, self.name)
            except FileNotFoundError:
                self._close()
            except OSError:
                os.close(self.fd)  # The note stays, for recovery.
                self._open = False
            else:
                self._close()

    def _close(self) -> None:
        os.close(self.fd)
        self._note.unlink(missing_ok=True)
        self._open = False


def remove_orphans(root: Root, notes: Path, files: Files) -> list[str]:
    """Remove temporaries whose writers are gone; return one sentence each."""
    found = []
    for note in sorted(notes.iterdir()):
        with contextlib.suppress(FileNotFoundError):  # Its writer finished meanwhile.
            path = str(note.readlink())
            if _remove_orphan(root, path, note, files):
                found.append(f"{path}: orphaned temporary file removed")
    return found


def _remove_orphan(root: Root, path: str, note: Path, files: Files) -> bool:
    parent, _, name = path.rpartition("/")
    directory = root.open_directory(parent)
    try:
        fd = -1 if directory is None else os.open(name, os.O_RDWR | os.O_NOFOLLOW, dir_fd=directory)
    except FileNotFoundError:
        fd = -1
    try:
        if fd < 0:
            if time.time() - note.lstat().st_mtime > GRACE_S:
                note.unlink()
            return False
        if directory is None or not try_flock(fd, fcntl.LOCK_EX):
            return False
        files.unlink(directory, name)
        note.unlink(missing_ok=True)
        return True
    finally:
        for opened in (fd, directory):
            if opened is not None and opened >= 0:
                os.close(opened)
