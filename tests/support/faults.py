"""A system whose calls fail on demand: the n-th change of a file raises, once or from then on."""

from __future__ import annotations

import os

from armillary.base.store.files import SystemFiles


class FaultyFiles:
    """Real files; the call number ``fail_at`` (counted from 0) raises ``errno``.

    A failing write has written the first half of its bytes. With ``lasting`` every later call fails too, like
    a disk that went away. ``calls`` tells what was called.
    """

    def __init__(self, *, fail_at: int = -1, errno: int = 0, lasting: bool = False) -> None:
        self._files = SystemFiles()
        self._fail_at, self._errno, self._lasting = fail_at, errno, lasting
        self.calls: list[str] = []
        self.armed = True

    @property
    def fired(self) -> bool:
        """Whether there were enough calls for the fault to happen."""
        return 0 <= self._fail_at < len(self.calls)

    def _count(self, name: str) -> None:
        if self._strikes(name):
            raise OSError(self._errno, os.strerror(self._errno))

    def _strikes(self, name: str) -> bool:
        if not self.armed:
            return False
        number = len(self.calls)
        self.calls.append(name)
        return number == self._fail_at or (self._lasting and 0 <= self._fail_at < number)

    def create(self, directory: int, name: str, mode: int) -> int:
        self._count("create")
        return self._files.create(directory, name, mode)

    def write_at(self, fd: int, data: bytes | memoryview, offset: int) -> None:
        if self._strikes("write_at"):
            self._files.write_at(fd, data[: len(data) // 2], offset)
            raise OSError(self._errno, os.strerror(self._errno))
        self._files.write_at(fd, data, offset)

    def sync(self, fd: int) -> None:
        self._count("sync")
        self._files.sync(fd)

    def sync_data(self, fd: int) -> None:
        self._count("sync_data")
        self._files.sync_data(fd)

    def rename(self, source: int, old: str, target: int, new: str, *, replace: bool) -> None:
        self._count("rename")
        self._files.rename(source, old, target, new, replace=replace)

    def unlink(self, directory: int, name: str) -> None:
        self._count("unlink")
        self._files.unlink(directory, name)

    def make_directory(self, directory: int, name: str) -> None:
        self._count("make_directory")
        self._files.make_directory(directory, name)

    def clone(self, source: int, target: int) -> bool:
        self._count("clone")
        return self._files.clone(source, target)

    def copy_range(self, source: int, target: int, start: int, size: int, to: int) -> None:
        self._count("copy_range")
        self._files.copy_range(source, target, start, size, to)

    def insert_range(self, fd: int, offset: int, size: int) -> None:
        self._count("insert_range")
        self._files.insert_range(fd, offset, size)

    def collapse_range(self, fd: int, offset: int, size: int) -> None:
        self._count("collapse_range")
        self._files.collapse_range(fd, offset, size)

    def truncate(self, fd: int, size: int) -> None:
        self._count("truncate")
        self._files.truncate(fd, size)

    def set_mtime(self, fd: int, mtime_ns: int) -> None:
        self._count("set_mtime")
        self._files.set_mtime(fd, mtime_ns)

    def carry_over(self, source: int, target: int) -> None:
        self._count("carry_over")
        self._files.carry_over(source, target)
