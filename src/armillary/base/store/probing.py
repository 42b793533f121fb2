"""Find out whether a file is to blame for an error of the system, or everything around it.

A bad sector is the affair of one file, and trying again does not help for long. A disk that is gone, or a file
server that does not answer, lets every file fail, and nothing is wrong with any of them.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from pathlib import Path

from armillary.base.store.blobs import Blobs
from armillary.base.store.errors import RootFailed, StorageDenied, StorageFailed, explain
from armillary.base.store.files import read_at
from armillary.base.store.models import ObjectStore
from armillary.base.store.places import Place
from armillary.base.store.temporary import Temporary
from armillary.base.store.workshop import Workshop
from armillary.errors import ArmillaryError

NAME = "probe"
CONTENT = bytes(range(256)) * 16
DIFFERENT = "what was written reads back differently"
FRESH_S = 1.0
"""Files that fail together are told by one probe."""


async def whole_or_part(store: ObjectStore, error: Exception) -> Exception:
    """Return an error of a file of the store, or RootFailed if the file is not to blame for it."""
    if not isinstance(error, StorageFailed | OSError):
        return error
    try:
        await store.probe()
    except RootFailed as failed:
        return failed
    return error


def probe_directory(directory: Path, *, durably: bool = True) -> None:
    """Write a few bytes into a directory, under no name; raise the OSError of whatever fails."""
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        file.write(CONTENT)
        if durably:
            os.fsync(file.fileno())
        file.seek(0)
        if file.read() != CONTENT:
            raise OSError(None, DIFFERENT)


class Prober:
    """The probes of one local tree."""

    def __init__(self, shop: Workshop, blobs: Blobs) -> None:
        self._shop, self._blobs = shop, blobs
        self._mutex = threading.Lock()
        self._looked = -FRESH_S
        self._found: RootFailed | None = None

    def probe(self) -> None:
        """Write a few bytes to both directories, make them durable, read and remove them.

        Raises
        ------
        RootFailed
            If something of that fails, for lack of a permission excepted: that says nothing of the disk.
        """
        with self._mutex:
            if time.monotonic() - self._looked >= FRESH_S:
                self._found = self._look()
                self._looked = time.monotonic()
        if self._found is not None:
            raise RootFailed(self._found.message)

    def _look(self) -> RootFailed | None:
        shop = self._shop
        for directory, attempt in ((shop.private, self._in_private), (shop.root.path, self._in_tree)):
            try:
                attempt()
            except OSError as error:
                found = explain(error, str(directory))
            except ArmillaryError as error:
                found = type(error)(f"{directory}: {error.message}")
            else:
                continue
            if not isinstance(found, StorageDenied):
                # Once it is back, it may have been mounted anew.
                with contextlib.suppress(OSError):
                    shop.root.reopen()
                return RootFailed(f"{found.message} No file of this directory can be changed until then.")
        return None

    def _in_tree(self) -> None:
        files, root = self._shop.files, self._shop.root
        directory = root.open_directory("")
        if directory is None:
            raise FileNotFoundError
        with Place(NAME, directory, NAME, NAME) as place:
            temporary = Temporary(place, self._shop.notes, files)
            try:
                files.write_at(temporary.fd, CONTENT, 0)
                files.sync(temporary.fd)
                if read_at(temporary.fd, 0, len(CONTENT)) != CONTENT:
                    raise OSError(None, DIFFERENT)
            finally:
                temporary.discard()

    def _in_private(self) -> None:
        self._blobs.put(NAME, CONTENT)
        self._blobs.delete(NAME)
