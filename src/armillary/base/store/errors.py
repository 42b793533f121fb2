"""What can go wrong with stored files, said so that an operator knows what to do."""

from __future__ import annotations

import errno
from http import HTTPStatus
from types import TracebackType
from typing import Self

from armillary.errors import ArmillaryError, NotFound, Unavailable


class KeyRefused(ArmillaryError):
    """Invalid path: it must be relative, without `..` and control characters."""

    code, status = "key_refused", HTTPStatus.BAD_REQUEST


class UnknownScheme(Unavailable):
    """The URL of the root names a kind of store that this program does not have."""

    code, transient = "unknown_scheme", False


class OutsideRoot(ArmillaryError):
    """The path leads out of the storage root."""

    code, status = "outside_root", HTTPStatus.FORBIDDEN


class RootAway(Unavailable):
    """The directory of the files is not there: mount its disk, or put it back; see armillary root list."""

    code = "root_away"


class RootNotClaimed(ArmillaryError):
    """The root is read-only until claimed, since another archive may change it; see `armillary root claim`."""

    code, status, transient, waits = "root_not_claimed", HTTPStatus.CONFLICT, True, True

    @classmethod
    def of(cls, name: str, what: str) -> Self:
        """Return the error for a root; ``what`` could not be done."""
        return cls(
            f"{what}: this archive only reads the root {name}, since another archive may change it: the one that"
            f" this was copied from, or a copy that has claimed it. If no other archive does,"
            f" run: armillary root claim {name}"
        )


class ChangedOutside(ArmillaryError):
    """The file was changed outside Armillary; it was left alone."""

    code, status = "changed_outside", HTTPStatus.CONFLICT


class Busy(ArmillaryError):
    """The file is being changed by somebody else; try again shortly."""

    code, status, transient = "busy", HTTPStatus.SERVICE_UNAVAILABLE, True


class StorageFull(ArmillaryError):
    """The file system is full: free space and retry."""

    code, status, transient, waits = "storage_full", HTTPStatus.INSUFFICIENT_STORAGE, True, True


class StorageReadOnly(ArmillaryError):
    """The file system is mounted read-only: remount it and retry."""

    code, status, transient, waits = "storage_read_only", HTTPStatus.SERVICE_UNAVAILABLE, True, True


class StorageStale(ArmillaryError):
    """The file server no longer knows the directory: mount it again and retry."""

    code, status, transient, waits = "storage_stale", HTTPStatus.SERVICE_UNAVAILABLE, True, True


class StorageDenied(ArmillaryError):
    """The system account of this process lacks a permission on the file or its directory."""

    code, status, transient = "storage_denied", HTTPStatus.SERVICE_UNAVAILABLE, True


class StorageFailed(ArmillaryError):
    """The file system reported an error."""

    code, status, transient = "storage_failed", HTTPStatus.SERVICE_UNAVAILABLE, True


class RootFailed(ArmillaryError):
    """Nothing can be written in the directory of these files; check its disk."""

    code, status, transient, waits = "root_failed", HTTPStatus.SERVICE_UNAVAILABLE, True, True


FULL = (errno.ENOSPC, errno.EDQUOT)
WAITED_FOR = frozenset({*FULL, errno.EROFS, errno.ESTALE})
"""What the system says of a whole file system, and no file of it is to blame for."""
DENIED = (errno.EACCES, errno.EPERM)


def explain(error: OSError, name: str) -> ArmillaryError:
    """Turn what the system said about `name` into an error that says what to do."""
    said = error.strerror or str(error)
    if error.errno == errno.ENOENT:
        return NotFound(f"There is no file {name}.")
    if error.errno in FULL:
        return StorageFull(f"{name}: {said}; free space on its file system, or raise the quota.")
    if error.errno == errno.EROFS:
        return StorageReadOnly(f"{name}: its file system is read-only; remount it writable.")
    if error.errno == errno.ESTALE:
        return StorageStale(f"{name}: {said}; mount its file system again.")
    if error.errno == errno.EFBIG:
        return StorageFailed(
            f"{name}: {said}; its file system, or a limit of this process, forbids that size."
        )
    if error.errno in DENIED:
        return StorageDenied(f"{name}: {said}; give the account of this process access to it and retry.")
    return StorageFailed(f"{name}: {said} (errno {error.errno}); look at the disk and retry.")


class naming:  # noqa: N801  (used like a function)
    """Let no `OSError` leave the block unexplained; a class, since a generator costs more than what it guards."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            raise explain(error, self._name) from error
