"""A staging area: received bytes, durable, until somebody has moved them into a store."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import stat
import time
from collections.abc import AsyncIterable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from armillary.base.log import get_logger
from armillary.base.store.errors import RootFailed, StorageDenied, StorageFailed, explain, naming
from armillary.base.store.probing import probe_directory
from armillary.base.store.reading import LocalSnapshot
from armillary.base.store.workshop import stored_object
from armillary.errors import ArmillaryError, NotFound
from armillary.fits.crc import crc64

log = get_logger(__name__)
PARTIAL = ".part"
PORTION = 1 << 20
"""Bytes gathered before a thread sums and writes them."""
TOKEN = re.compile(r"[0-9a-f]{32}")


class UploadTooLarge(ArmillaryError):
    """The file is larger than archive.max_upload allows."""

    code, status = "upload_too_large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UploadIncomplete(ArmillaryError):
    """The connection ended before all declared bytes were there; send the file again."""

    code, status = "upload_incomplete", HTTPStatus.BAD_REQUEST


class NotStaged(NotFound):
    """The received bytes are not in the staging area any more; send the file again."""

    code = "not_staged"


@dataclass(frozen=True, slots=True)
class Staged:
    """Received bytes, durable in the staging area."""

    token: str
    size: int
    md5: str
    crc: int


class Sink:
    """A file that sums what is written to it. For threads: every method blocks."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._md5, self._crc, self.size = hashlib.md5(usedforsecurity=False), 0, 0

    def add(self, data: bytes) -> None:
        """Write data behind what was written."""
        self._md5.update(data)
        self._crc = crc64(data, self._crc)
        self._file.write(data)
        self.size += len(data)

    def finish(self, token: str, partial: Path) -> Staged:
        """Make the bytes durable, then their name."""
        self._file.flush()
        os.fsync(self._file.fileno())
        partial.rename(partial.with_name(token))
        _sync_directory(partial.parent)
        return Staged(token, self.size, self._md5.hexdigest(), self._crc)


async def stage(area: Path, chunks: AsyncIterable[bytes], *, declared: int | None, limit: int) -> Staged:
    """Write received bytes to the staging area, summing them on the way; an aborted upload leaves nothing.

    Raises
    ------
    UploadTooLarge, UploadIncomplete
        If there are too many bytes, or fewer than declared.
    """
    token = uuid4().hex
    if declared is not None and declared > limit:
        raise UploadTooLarge(f"More than {limit} bytes; raise archive.max_upload to allow that.")
    partial = area / f"{token}{PARTIAL}"
    try:
        with naming("the staging area"):
            area.mkdir(mode=0o700, exist_ok=True)
            with partial.open("xb") as file:
                os.fchmod(file.fileno(), _mode_in(area))
                sink = Sink(file)
                await _fill(sink, chunks, limit=limit)
                if declared is not None and sink.size != declared:
                    raise UploadIncomplete(f"{sink.size} of {declared} bytes came; send the file again.")
                return await asyncio.to_thread(sink.finish, token, partial)
    except BaseException:
        # A cancelled request may find the file renamed already.
        partial.unlink(missing_ok=True)
        raise


def _mode_in(area: Path) -> int:
    """Return the mode of a staged file: who may use the directory may use the file, whatever the umask says.

    The web process may run under another account than the worker, which has to read what it received.
    """
    return area.stat().st_mode & 0o666


def check_area(area: Path) -> None:
    """Make the staging area if it is missing, and warn of one from which this process cannot take files away."""
    try:
        area.mkdir(mode=0o700, exist_ok=True)
        found = area.stat()
    except OSError as error:
        log.warning("staging area not usable", path=str(area), error=error.strerror)
        return
    ours = os.geteuid() in (0, found.st_uid)
    if not os.access(area, os.R_OK | os.W_OK | os.X_OK) or (found.st_mode & stat.S_ISVTX and not ours):
        log.warning("uploads cannot be taken away; the worker needs to own the staging area", path=str(area))


async def _fill(sink: Sink, chunks: AsyncIterable[bytes], *, limit: int) -> None:
    waiting, size = bytearray(), 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise UploadTooLarge(f"More than {limit} bytes; raise archive.max_upload to allow that.")
        waiting += chunk
        if len(waiting) >= PORTION:
            await asyncio.to_thread(sink.add, bytes(waiting))
            waiting.clear()
    await asyncio.to_thread(sink.add, bytes(waiting))


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_staged(area: Path, token: str, name: str) -> LocalSnapshot:
    """Open staged bytes for reading; ``name`` is the file that they shall become.

    Raises
    ------
    NotStaged
        If they are not there, or what is there was never staged.
    """
    gone = NotStaged(f"The upload of {name} is not in the staging area any more; send it again.")
    if not TOKEN.fullmatch(token):
        raise gone
    with naming(f"the upload of {name}"):
        try:
            descriptor = os.open(area / token, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            raise gone from None
        found = os.fstat(descriptor)
        snapshot = LocalSnapshot(stored_object(name, found), descriptor)
    if not stat.S_ISREG(found.st_mode):
        snapshot.close()
        raise gone
    return snapshot


def whole_or_part(area: Path, error: Exception) -> Exception:
    """Return an error, or RootFailed if nothing can be staged, so that no upload is to blame for it."""
    if not isinstance(error, StorageFailed | OSError):
        return error
    try:
        probe_directory(area)
    except OSError as trouble:
        found = explain(trouble, "the staging area")
        return error if isinstance(found, StorageDenied) else RootFailed(found.message)
    return error


def discard(area: Path, token: str) -> bool:
    """Remove staged bytes that nobody needs any more; tell whether they are gone.

    What cannot be removed costs room and nothing else, so it is no reason to fail; it is swept later.
    """
    try:
        (area / token).unlink(missing_ok=True)
    except OSError as error:
        log.warning("staged bytes not removed", path=str(area / token), error=error.strerror)
        return False
    return True


def idle_times(area: Path) -> dict[str, float]:
    """Return for how many seconds nobody has written to each staged file, by name."""
    found, now = {}, time.time()
    for path in area.glob("*"):
        with contextlib.suppress(OSError):
            # Directories are for other things that wait to be taken in.
            if path.is_file():
                found[path.name] = now - path.stat().st_mtime
    return found
