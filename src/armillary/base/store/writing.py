"""Whole new files: written aside, made durable, then given their name."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from armillary.base.store.copying import check_unchanged, date_later, keep_attributes
from armillary.base.store.errors import ChangedOutside, naming
from armillary.base.store.models import StoredObject
from armillary.base.store.places import Place
from armillary.base.store.settling import settle_path
from armillary.base.store.temporary import Temporary
from armillary.base.store.workshop import Workshop, stored_object
from armillary.errors import Conflict

NEW_MODE = 0o666
"""Less what the umask of the process forbids."""


def check_free(place: Place) -> None:
    """Refuse a name that exists before anything is written; publishing checks again."""
    with naming(place.key):
        try:
            place.stat()
        except FileNotFoundError:
            return
        raise already(place.key)


def start_temporary(shop: Workshop, opened: ExitStack, place: Place, *, mode: int = 0o600) -> Temporary:
    """Make a temporary file that goes away with the stack unless it is published."""
    with naming(place.key):
        temporary = Temporary(place, shop.notes, shop.files, mode=mode)
    opened.callback(temporary.discard)
    return temporary


class Filling:
    """Chunks on their way into a temporary file."""

    def __init__(self, shop: Workshop, key: str, temporary: Temporary) -> None:
        self._files, self._key, self._temporary = shop.files, key, temporary
        self.size = 0

    def add(self, data: bytes) -> None:
        """Write the next bytes."""
        with naming(self._key):
            self._files.write_at(self._temporary.fd, data, self.size)
        self.size += len(data)

    def finish(self, mtime_ns: int | None = None) -> None:
        """Make the file durable, after setting its time if one is given."""
        with naming(self._key):
            if mtime_ns is not None:
                self._files.set_mtime(self._temporary.fd, mtime_ns)
            self._files.sync(self._temporary.fd)
            if os.fstat(self._temporary.fd).st_size != self.size:
                raise OSError(errno.EIO, "the file does not have the size that was written")


def publish_new(shop: Workshop, place: Place, temporary: Temporary, *, overwrite: bool) -> StoredObject:
    """Give a finished file its name."""
    with naming(place.key), taken(place.key):
        stored = stored_object(place.key, os.fstat(temporary.fd))
        temporary.publish(replace=overwrite)
        shop.files.sync(place.directory)
        return stored


def begin_replace(
    shop: Workshop, place: Place, expected: StoredObject | None, temporary: Temporary
) -> os.stat_result:
    """See that the file is the expected one, and let the new one have its owner, mode and access lists."""
    with naming(place.key):
        settle_path(shop, place, shop.records())
        fd = place.open(os.O_RDONLY)
        try:
            opened = os.fstat(fd)
            check_expected(place.key, expected, opened)
            keep_attributes(place.key, fd, temporary.fd, shop.files)
            date_later(fd, temporary.fd, shop.files)
            return opened
        finally:
            os.close(fd)


def finish_replace(
    shop: Workshop, place: Place, opened: os.stat_result, temporary: Temporary
) -> StoredObject:
    """Put the new file in the place of the old one, if nobody changed that."""
    with naming(place.key):
        shop.files.sync(temporary.fd)
        check_unchanged(place, opened)
        return publish_new(shop, place, temporary, overwrite=True)


def move(shop: Workshop, source: Place, target: Place) -> None:
    """Give a file another name that is free."""
    with naming(source.key):
        source.stat()
        settle_path(shop, source, shop.records())
        with taken(target.key):
            rename = partial(shop.files.rename, replace=False)
            rename(source.directory, source.name, target.directory, target.name)
        shop.files.sync(target.directory)
        shop.files.sync(source.directory)


def remove(shop: Workshop, place: Place) -> None:
    """Remove a name."""
    with naming(place.key):
        shop.files.unlink(place.directory, place.name)
        shop.files.sync(place.directory)


@contextmanager
def taken(key: str) -> Iterator[None]:
    """Call a name that exists already a conflict."""
    try:
        yield
    except FileExistsError as error:
        raise already(key) from error


def already(key: str) -> Conflict:
    """Return the error for a name that is taken."""
    return Conflict(f"There is a file {key} already.")


def is_expected(expected: StoredObject | None, opened: os.stat_result) -> bool:
    """Whether an opened file is in the expected state."""
    # Numbers of devices change when a machine starts anew, so they are compared within an operation only.
    return expected is None or (expected.size, expected.mtime_ns, expected.identity.split(":")[-1]) == (
        opened.st_size,
        opened.st_mtime_ns,
        str(opened.st_ino),
    )


def check_expected(key: str, expected: StoredObject | None, opened: os.stat_result) -> None:
    """Raise ChangedOutside unless the opened file is in the expected state."""
    if not is_expected(expected, opened):
        raise ChangedOutside(f"{key} was changed outside Armillary; it was left alone: ingest it again.")
