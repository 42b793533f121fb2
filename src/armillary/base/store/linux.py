"""System calls of Linux that the standard library does not offer."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct

INSERT_RANGE, COLLAPSE_RANGE = 0x20, 0x08
RENAME_NOREPLACE = 1
FICLONE = 0x40049409

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
_libc.renameat2.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]

_FLOCK = struct.Struct("@hhqqi0q")
"""`struct flock`: type, whence, start, length, process (which must be 0 for these locks)."""


def _check(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def move_bytes(fd: int, mode: int, offset: int, size: int) -> None:
    """Insert or remove a range of a file, both ends whole blocks of its file system (fallocate(2))."""
    while True:
        try:
            return _check(_libc.fallocate(fd, mode, offset, size))
        except InterruptedError:
            continue


def rename_new(source: int, old: str, target: int, new: str) -> None:
    """Rename and fail with EEXIST if the new name is taken (renameat2(2))."""
    _check(_libc.renameat2(source, os.fsencode(old), target, os.fsencode(new), RENAME_NOREPLACE))


def clone(source: int, target: int) -> None:
    """Let an empty file share all blocks of another (ioctl_ficlone(2))."""
    fcntl.ioctl(target, FICLONE, source)


def try_lock_byte(fd: int, offset: int) -> bool:
    """Lock one byte for this open file description; False if another one has it (fcntl(2), OFD locks)."""
    wish = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, offset, 1, 0)
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, wish)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def try_flock(fd: int, mode: int) -> bool:
    """Take a shared or exclusive flock at once; False if somebody's lock forbids it."""
    try:
        fcntl.flock(fd, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
