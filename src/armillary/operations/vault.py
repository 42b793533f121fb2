"""A directory of copies that are named by what is in them, and of the backups that need them.

What has the same size and CRC is there once, whatever it was called and however many backups hold it. Nothing
is ever overwritten, so a backup that breaks off takes nothing from those before it::

    objects/3f/3f...-2880      bytes by CRC-64/NVME and size
    backups/20260101T120000Z/  one backup; it is complete when its manifest.json is there
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from armillary.errors import ArmillaryError, Conflict, NotFound
from armillary.fits.crc import crc64

OBJECTS, BACKUPS, LOCK = "objects", "backups", ".lock"
MANIFEST, LIST, DUMP, SETTINGS = "manifest.json", "files.jsonl", "database.dump", "armillary.toml"
CHUNK = 1 << 20


class BackupBusy(Conflict):
    """Another backup is being written there; wait for its end."""

    code = "backup_busy"


class NoBackup(NotFound):
    """There is no complete backup in that directory."""

    code = "no_backup"


class BackupDamaged(ArmillaryError):
    """The backup is not as it was written; restore an earlier one with --at."""

    code, status = "backup_damaged", HTTPStatus.UNPROCESSABLE_ENTITY


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes in the vault."""

    crc: int
    size: int

    @property
    def name(self) -> str:
        """The name of the object."""
        return f"{self.crc:016x}-{self.size}"


class Vault:
    """The directory that backups are written to. Methods block; call them in threads."""

    def __init__(self, top: Path) -> None:
        self.top = top

    def path(self, kept: Kept) -> Path:
        """Return where bytes are, or would be."""
        return self.top / OBJECTS / kept.name[:2] / kept.name

    def holds(self, kept: Kept) -> bool:
        """Tell whether bytes of that sum and size are there."""
        try:
            return self.path(kept).stat().st_size == kept.size
        except FileNotFoundError:
            return False

    def put(self, chunks: Iterable[bytes], wanted: Kept | None = None) -> Kept | None:
        """Keep bytes durably under what they turn out to be; nothing if that is not what is wanted."""
        incoming = self.top / OBJECTS / "incoming"
        incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        part, crc, size = incoming / secrets.token_hex(8), 0, 0
        try:
            with part.open("xb") as file:
                for chunk in chunks:
                    crc, size = crc64(chunk, crc), size + len(chunk)
                    file.write(chunk)
                kept = Kept(crc, size)
                if wanted not in (None, kept):
                    return None
                file.flush()
                os.fsync(file.fileno())
            target = self.path(kept)
            target.parent.mkdir(mode=0o700, exist_ok=True)
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)
        return kept

    def read(self, kept: Kept) -> Iterator[bytes]:
        """Yield bytes, and fail at the end if they are not those that were kept.

        Raises
        ------
        BackupDamaged
            If so, or if they are gone.
        """
        crc = size = 0
        try:
            with self.path(kept).open("rb") as file:
                while chunk := file.read(CHUNK):
                    crc, size = crc64(chunk, crc), size + len(chunk)
                    yield chunk
        except FileNotFoundError:
            raise BackupDamaged(f"{self.path(kept)} is missing.") from None
        if (crc, size) != (kept.crc, kept.size):
            raise BackupDamaged(f"{self.path(kept)} is damaged: its checksum is {crc:016x}.")

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only one who writes; remove what others left unfinished.

        Raises
        ------
        BackupBusy
            If another one writes.
        """
        self.top.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.top / LOCK).open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BackupBusy(f"Another backup writes to {self.top}; wait for its end.") from None
            shutil.rmtree(self.top / OBJECTS / "incoming", ignore_errors=True)
            for unfinished in (self.top / BACKUPS).glob("*"):
                if not (unfinished / MANIFEST).is_file():
                    shutil.rmtree(unfinished, ignore_errors=True)
            yield

    def begin(self, stamp: str) -> Path:
        """Return the directory of a new backup."""
        directory = self.top / BACKUPS / stamp
        try:
            directory.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            raise BackupBusy(
                f"The backup {stamp} is there already; make the next one a second later."
            ) from None
        return directory

    def backups(self) -> list[str]:
        """Return the complete backups, oldest first."""
        return sorted(one.parent.name for one in (self.top / BACKUPS).glob(f"*/{MANIFEST}"))

    def find(self, stamp: str | None) -> Path:
        """Return the directory of a backup, the latest one by default.

        Raises
        ------
        NoBackup
            With those that there are.
        """
        there = self.backups()
        if not there:
            raise NoBackup(f"There is no complete backup in {self.top}.")
        if stamp is not None and stamp not in there:
            raise NoBackup(f"There is no backup '{stamp}' in {self.top}; there are {', '.join(there)}.")
        return self.top / BACKUPS / (stamp or there[-1])

    def prune(self, keep: int) -> tuple[int, int]:
        """Remove all backups but the last ``keep``, and what only they held; return how many of each."""
        old = self.backups()[:-keep]
        for stamp in old:
            # Without its manifest it is no backup any more, also if we are stopped here.
            (self.top / BACKUPS / stamp / MANIFEST).unlink()
            shutil.rmtree(self.top / BACKUPS / stamp)
        if not old:
            return 0, 0
        needed = {
            kept.name for stamp in self.backups() for kept in kept_in(self.top / BACKUPS / stamp / LIST)
        }
        removed = 0
        for one in (self.top / OBJECTS).glob("[0-9a-f][0-9a-f]/*"):
            if one.name not in needed:
                one.unlink()
                removed += 1
        return len(old), removed


def entries(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a list of files."""
    with path.open() as file:
        for line in file:
            yield json.loads(line)


def kept_in(path: Path) -> Iterator[Kept]:
    """Yield what the lines of a list of files need."""
    return (Kept(int(entry["crc"], 16), entry["size"]) for entry in entries(path))
