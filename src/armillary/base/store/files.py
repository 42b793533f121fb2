"""The seam to the system: every call that changes a file, so that tests can let any of them fail."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import Protocol

from armillary.base.store import linux

STEP = 1 << 30
"""Most bytes of one copy_file_range: the kernel copies no more than 2 GiB at a time."""
PORTION = 1 << 20

NO_CLONE = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS)
NO_COPY = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOSYS)
NO_ATTRIBUTES = (errno.EOPNOTSUPP, errno.EPERM, errno.EACCES)


class Files(Protocol):
    """What stores ask of the system beyond reading."""

    def create(self, directory: int, name: str, mode: int) -> int:
        """Make a new file and open it for reading and writing."""

    def write_at(self, fd: int, data: bytes | memoryview, offset: int) -> None:
        """Write all of `data`."""

    def sync(self, fd: int) -> None:
        """Make a file (or the names of a directory) durable."""

    def sync_data(self, fd: int) -> None:
        """Make the bytes of a file durable."""

    def rename(self, source: int, old: str, target: int, new: str, *, replace: bool) -> None:
        """Rename, over an existing file only if `replace`."""

    def unlink(self, directory: int, name: str) -> None:
        """Remove a name."""

    def make_directory(self, directory: int, name: str) -> None:
        """Make a directory; one that exists is fine."""

    def clone(self, source: int, target: int) -> bool:
        """Share all blocks of `source`; False where the file system cannot."""

    def copy_range(self, source: int, target: int, start: int, size: int, to: int) -> None:
        """Copy `size` bytes from `start` of one file to `to` of another."""

    def insert_range(self, fd: int, offset: int, size: int) -> None:
        """Move everything from `offset` on by `size` bytes towards the end."""

    def collapse_range(self, fd: int, offset: int, size: int) -> None:
        """Remove `size` bytes at `offset`, and move what follows."""

    def truncate(self, fd: int, size: int) -> None:
        """Cut a file."""

    def set_mtime(self, fd: int, mtime_ns: int) -> None:
        """Set the time of the last change."""

    def carry_over(self, source: int, target: int) -> None:
        """Give `target` the owner, mode, extended attributes and access lists of `source`."""


class SystemFiles:
    """The calls themselves."""

    def create(self, directory: int, name: str, mode: int) -> int:
        """Make a new file and open it for reading and writing."""
        return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=directory)

    def write_at(self, fd: int, data: bytes | memoryview, offset: int) -> None:
        """Write all of `data`."""
        view = memoryview(data)
        while view:
            done = os.pwrite(fd, view, offset)
            view, offset = view[done:], offset + done

    def sync(self, fd: int) -> None:
        """Make a file (or the names of a directory) durable."""
        os.fsync(fd)

    def sync_data(self, fd: int) -> None:
        """Make the bytes of a file durable."""
        os.fdatasync(fd)

    def rename(self, source: int, old: str, target: int, new: str, *, replace: bool) -> None:
        """Rename, over an existing file only if `replace`."""
        if replace:
            return os.rename(old, new, src_dir_fd=source, dst_dir_fd=target)
        try:
            linux.rename_new(source, old, target, new)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS):
                raise
            # File systems without RENAME_NOREPLACE (NFS): a link never replaces anything either.
            os.link(old, new, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
            os.unlink(old, dir_fd=source)

    def unlink(self, directory: int, name: str) -> None:
        """Remove a name."""
        os.unlink(name, dir_fd=directory)

    def make_directory(self, directory: int, name: str) -> None:
        """Make a directory; one that exists is fine."""
        try:
            os.mkdir(name, dir_fd=directory)
        except FileExistsError:
            return
        os.fsync(directory)

    def clone(self, source: int, target: int) -> bool:
        """Share all blocks of `source`; False where the file system cannot."""
        try:
            linux.clone(source, target)
        except OSError as error:
            if error.errno in NO_CLONE:
                return False
            raise
        return True

    def copy_range(self, source: int, target: int, start: int, size: int, to: int) -> None:
        """Copy `size` bytes from `start` of one file to `to` of another."""
        while size:
            try:
                done = os.copy_file_range(source, target, min(size, STEP), start, to)
            except OSError as error:
                if error.errno not in NO_COPY:
                    raise
                data = os.pread(source, min(size, PORTION), start)
                self.write_at(target, data, to)
                done = len(data)
            if done == 0:
                raise OSError(errno.EIO, "the file became shorter while it was copied")
            start, to, size = start + done, to + done, size - done

    def insert_range(self, fd: int, offset: int, size: int) -> None:
        """Move everything from `offset` on by `size` bytes towards the end."""
        linux.move_bytes(fd, linux.INSERT_RANGE, offset, size)

    def collapse_range(self, fd: int, offset: int, size: int) -> None:
        """Remove `size` bytes at `offset`, and move what follows."""
        linux.move_bytes(fd, linux.COLLAPSE_RANGE, offset, size)

    def truncate(self, fd: int, size: int) -> None:
        """Cut a file."""
        os.ftruncate(fd, size)

    def set_mtime(self, fd: int, mtime_ns: int) -> None:
        """Set the time of the last change."""
        os.utime(fd, ns=(os.fstat(fd).st_atime_ns, mtime_ns))

    def carry_over(self, source: int, target: int) -> None:
        """Give `target` the owner, mode, extended attributes and access lists of `source`."""
        old, new = os.fstat(source), os.fstat(target)
        if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
            os.fchown(target, old.st_uid, old.st_gid)
        os.fchmod(target, old.st_mode & 0o7777)
        for name in _attributes(source):
            _copy_attribute(source, target, name)


def _attributes(fd: int) -> list[str]:
    try:
        return os.listxattr(fd)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return []
        raise


def _copy_attribute(source: int, target: int, name: str) -> None:
    try:
        os.setxattr(target, name, os.getxattr(source, name))
    except OSError as error:
        # Labels of the system's security modules belong to the kernel; users' attributes must not get lost.
        if name.startswith(("user.", "system.")) or error.errno not in NO_ATTRIBUTES:
            raise


class UnsyncedFiles(SystemFiles):
    """The same without any sync: for what can be made again."""

    def sync(self, fd: int) -> None:
        """Do nothing."""

    def sync_data(self, fd: int) -> None:
        """Do nothing."""

    def make_directory(self, directory: int, name: str) -> None:
        """Make a directory; one that exists is fine."""
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=directory)


def read_at(fd: int, offset: int, size: int) -> bytes:
    """Return up to `size` bytes from `offset`, fewer only at the end of the file."""
    data = os.pread(fd, size, offset)
    if len(data) in (0, size):
        return data
    parts = [data]
    while (have := sum(map(len, parts))) < size and (more := os.pread(fd, size - have, offset + have)):
        parts.append(more)
    return b"".join(parts)
