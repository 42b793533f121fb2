"""The staging area: received bytes, durable, until a worker has moved them into the store."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
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

from armillary.archive.errors import FileVanished
from armillary.base.log import get_logger
from armillary.base.place import STAGING
from armillary.base.store.errors import RootFailed, StorageDenied, StorageFailed, explain, naming
from armillary.base.store.probing import probe_directory
from armillary.base.store.reading import LocalSnapshot
from armillary.base.store.workshop import stored_object
from armillary.base.work import admin
from armillary.context import Context
from armillary.errors import ArmillaryError
from armillary.fits.crc import crc64

log = get_logger(__name__)
INGEST_UPLOAD = "ingest_upload"
PARTIAL = ".part"
PORTION = 1 << 20
"""Bytes gathered before a thread sums and writes them."""
TOKEN = re.compile(r"[0-9a-f]{32}")
DAY_S = 86_400.0
ABANDONED_S, KEPT_S = DAY_S, 14 * DAY_S
"""How long an upload that broke off stays, and one whose order failed, or is not known any more."""
UNCLAIMED_S = {"Queued": math.inf, "Started": math.inf, "Failed": KEPT_S, "Completed": 0.0}


class UploadTooLarge(ArmillaryError):
    """The file is larger than archive.max_upload allows."""

    code, status = "upload_too_large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UploadIncomplete(ArmillaryError):
    """The connection ended before all declared bytes were there; send the file again."""

    code, status = "upload_incomplete", HTTPStatus.BAD_REQUEST


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


async def stage(context: Context, chunks: AsyncIterable[bytes], *, declared: int | None) -> Staged:
    """Write received bytes to the staging area, summing them on the way; an aborted upload leaves nothing.

    Raises
    ------
    UploadTooLarge, UploadIncomplete
        If there are too many bytes, or fewer than declared.
    """
    area, token, limit = context.settings.data / STAGING, uuid4().hex, context.settings.archive.max_upload
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
    FileVanished
        If they are not there, or what is there was never staged.
    """
    gone = FileVanished(f"The upload of {name} is not in the staging area any more; send it again.")
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


async def sweep_staging(context: Context) -> int:
    """Remove from the staging area what nobody waits for; return how many files.

    Uploads that broke off, and complete ones that are in the store. One whose order failed stays for two
    weeks, so that its bytes are not lost, even if the order is forgotten earlier.
    """
    area = context.settings.data / STAGING
    idle_s = await asyncio.to_thread(_idle_times, area)
    async with context.database.begin() as connection:
        states = await admin.states_by_argument(connection, INGEST_UPLOAD, "staged", idle_s)
    idle = [name for name, seconds in idle_s.items() if seconds > _patience_s(name, states.get(name))]
    return sum(discard(area, name) for name in idle)


def _patience_s(name: str, state: str | None) -> float:
    if name.endswith(PARTIAL):
        return ABANDONED_S
    return UNCLAIMED_S.get(state or "", KEPT_S)


def _idle_times(area: Path) -> dict[str, float]:
    found, now = {}, time.time()
    for path in area.glob("*"):
        with contextlib.suppress(OSError):
            found[path.name] = now - path.stat().st_mtime
    return found
