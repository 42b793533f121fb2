"""Keys and where they lead: names are checked, and no link leads out of the storage root."""

from __future__ import annotations

import errno
import os
import re
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from armillary.base.store.errors import Busy, KeyRefused, OutsideRoot, RootAway, naming
from armillary.base.store.files import Files

TEMPORARY = re.compile(r"\.armillary-[0-9a-f]+\.tmp")
NOTE = ".armillary-claim"
"""Tells in a tree that archives share which of them may change it."""
USUAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,199}")
FORBIDDEN = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
MAX_NAME, MAX_KEY = 255, 4000


def check_key(key: str) -> str:
    """Return the key, or raise KeyRefused if it is no relative path of plain names."""
    problem = _problem(key)
    if problem:
        raise KeyRefused(f"{key[:200]!r} cannot name a stored file: {problem}.")
    return key


def _problem(key: str) -> str | None:
    if USUAL.fullmatch(key):
        return None
    parts = key.split("/")
    if not key or key.startswith("/"):
        return "a relative path is wanted"
    if any(part in ("", ".", "..") for part in parts):
        return "empty, `.` and `..` components are not allowed"
    if FORBIDDEN.search(key):
        return "it contains control characters or is not valid text"
    if len(key.encode()) > MAX_KEY or any(len(part.encode()) > MAX_NAME for part in parts):
        return "it is too long"
    if TEMPORARY.fullmatch(parts[-1]):
        return "names of that form are Armillary's temporary files"
    if parts[-1] == NOTE:
        return "that is Armillary's note of who may change the tree"
    return None


@dataclass(frozen=True, slots=True)
class Place:
    """An open directory and a name in it. ``path`` is free of links: the same file in any process."""

    key: str
    directory: int
    name: str
    path: str

    def beside(self, name: str) -> str:
        """Return the path of another name in the same directory."""
        return self.path[: -len(self.name)] + name

    def open(self, flags: int) -> int:
        """Open the file of this name, which must be a regular file."""
        fd = os.open(self.name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self.directory)
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return fd
        os.close(fd)
        raise FileNotFoundError(errno.ENOENT, "not a regular file")

    def stat(self) -> os.stat_result:
        """Return what the system knows of the name, not following a link."""
        return os.stat(self.name, dir_fd=self.directory, follow_symlinks=False)

    def close(self) -> None:
        """Let go of the directory."""
        os.close(self.directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Root:
    """A directory tree that nothing leads out of, nor into the directory ``apart`` if that lies inside."""

    def __init__(self, path: Path, files: Files, *, apart: Path | None = None, create: bool = True) -> None:
        if create:
            path.mkdir(parents=True, exist_ok=True)
        self.path = path.resolve()
        inside = apart is not None and apart.is_relative_to(self.path)
        self._apart = f"{apart.relative_to(self.path).as_posix()}/" if apart and inside else None
        self._files = files
        self._fd = -1
        self._opening = threading.Lock()

    def close(self) -> None:
        """Let go of the tree."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _top(self) -> int:
        """Return a descriptor of our own of the top directory, which is opened when it is first needed.

        It may be on a disk that is not mounted yet. Whoever made it in its stead would write below the disk.
        """
        if self._fd < 0:
            with self._opening:
                if self._fd < 0:
                    self._fd = self._open_top()
        return os.dup(self._fd)

    def _open_top(self) -> int:
        try:
            return os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            raise RootAway from None

    def locate(self, key: str, *, follow: bool = True, create: bool = False) -> Place:
        """Find the place that a key means; ``follow`` a link at its end, ``create`` missing directories.

        Every directory is opened from its parent without following links, so nobody can slip a link in
        between check and use. Where links are met, the path that they lead to is walked in the same way.

        Raises
        ------
        OutsideRoot
            If links lead out of the tree.
        RootAway
            If the whole tree is not there.
        """
        check_key(key)
        with naming(key):
            try:
                place = self._find(key, follow=follow, create=create)
            except OSError as error:
                if error.errno != errno.ESTALE:
                    raise
                self.reopen()
                place = self._find(key, follow=follow, create=create)
        if place is None:
            raise Busy(f"{key}: a link on its path changed meanwhile; retry.")
        return place

    def _find(self, key: str, *, follow: bool, create: bool) -> Place | None:
        place = self._walk(key, key, follow=follow, create=create)
        if place is None:
            place = self._walk(key, self._resolve(key, follow=follow), follow=follow, create=create)
        return place

    def reopen(self) -> None:
        """Open the directory at the path of the tree anew: it may have been mounted again since."""
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # Other threads go on with the same number, and never see it closed.
            os.dup2(fd, self._fd, inheritable=False)
        finally:
            os.close(fd)

    def open_directory(self, path: str) -> int | None:
        """Open a directory by a path free of links; None if it is no longer there.

        Raises
        ------
        RootAway
            If the whole tree is not there.
        """
        try:
            place = self._walk(path, f"{path}/-" if path else "-", follow=False, create=False)
        except FileNotFoundError:
            return None
        return None if place is None else place.directory

    def holds(self, path: str) -> bool:
        """Tell whether a relative path free of links belongs to the tree."""
        return self._apart is None or not f"{path}/".startswith(self._apart)

    def _resolve(self, key: str, *, follow: bool) -> str:
        parent, _, name = key.rpartition("/")
        real = os.path.realpath(self.path / key if follow else self.path / parent)
        relative = os.path.relpath(real if follow else os.path.join(real, name), self.path)  # noqa: PTH118
        if relative.split("/")[0] in ("..", "."):
            raise OutsideRoot(
                f"{key}: a symbolic link leads to '{real}', outside the storage root '{self.path}'; "
                "put the file below the root or make that directory a root of its own."
            )
        return relative

    def _walk(self, key: str, path: str, *, follow: bool, create: bool) -> Place | None:
        """Open the parent of ``path``; None if a link is in the way."""
        if not self.holds(path):
            raise KeyRefused(
                f"{key[:200]!r} cannot name a stored file: it lies in Armillary's own directory."
            )
        *parents, name = path.split("/")
        directory = self._top()
        try:
            for parent in parents:
                below = self._step(directory, parent, create=create)
                if below is None:
                    return None
                os.close(directory)
                directory = below
            if follow and _is_link(directory, name):
                return None
            place = Place(key, directory, name, path)
            directory = -1
            return place
        finally:
            if directory >= 0:
                os.close(directory)

    def _step(self, directory: int, name: str, *, create: bool) -> int | None:
        try:
            return os.open(name, DIRECTORY, dir_fd=directory)
        except FileNotFoundError:
            if not create:
                raise
            self._files.make_directory(directory, name)
            return os.open(name, DIRECTORY, dir_fd=directory)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
            if _is_link(directory, name):
                return None
            raise FileNotFoundError(errno.ENOENT, "not a directory") from error


def _is_link(directory: int, name: str) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False
