"""Where an archive is: whether its directory is the one that it was, and what lies below that."""

from __future__ import annotations

import os
import re
import zlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

STORE, IMAGES, STAGING, PRIVATE, POSTGRES = "store", "images", "staging", "private", "postgres"
"""What is in the directory of an archive."""
OWN = (STORE, IMAGES)
"""The roots that every archive has in its directory, by name and place."""
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://")
NO_WORD = "0"
"""What file systems say that give themselves no name, such as those of other machines."""


@dataclass(frozen=True, slots=True)
class Place:
    """A directory as the system knows it: its path, device and inode, the name of its file system."""

    path: Path
    directory: str
    filesystem: str


class Standing(StrEnum):
    """How a directory compares with the one on record."""

    NEW = "new"
    """There is no record."""
    SAME = "same"
    MOVED = "moved"
    """It is the same directory, under another path."""
    OTHER = "other"
    """It is a copy, or was moved to another disk."""


def place_of(directory: Path) -> Place:
    """Return where a directory is."""
    path = directory.resolve()
    found = path.stat()
    return Place(path, f"{found.st_dev}:{found.st_ino}", str(os.statvfs(path).f_fsid))


def standing(recorded: Place | None, here: Place) -> Standing:
    """Return how a directory compares with the one on record."""
    if recorded is None:
        return Standing.NEW
    if recorded.directory == here.directory:
        return Standing.SAME if recorded.path == here.path else Standing.MOVED
    # A machine that starts anew may number its devices otherwise. Then all else is as it was.
    inodes = [place.directory.partition(":")[2] for place in (recorded, here)]
    names = {recorded.filesystem, here.filesystem} - {NO_WORD}
    same = inodes[0] == inodes[1] and recorded.path == here.path and len(names) < 2
    return Standing.SAME if same else Standing.OTHER


def address_of(path: Path, home: Path) -> str:
    """Return how a path is recorded: relative to the directory of the archive if it lies below that."""
    return path.relative_to(home).as_posix() if path.is_relative_to(home) else str(path)


def path_at(address: str, home: Path) -> Path:
    """Return the path that is recorded so; links below the directory may lead out of it."""
    return Path(address) if address.startswith("/") else (home / address).resolve()


def is_path(address: str) -> bool:
    """Tell whether an address on record is a path; other addresses are the URLs of stores elsewhere."""
    return _SCHEME.match(address) is None


def url_at(address: str, home: Path) -> str:
    """Return the URL that is recorded so: ``file://`` for a path."""
    return path_at(address, home).as_uri() if is_path(address) else address


def path_of(url: str) -> Path | None:
    """Return the directory of this machine that a URL means, or None if it means another place."""
    parts = urlsplit(url)
    return Path(os.fsdecode(unquote_to_bytes(parts.path))) if parts.scheme == "file" else None


def root_name(path: Path) -> str:
    """Return a short name for a root, which also names its private directory."""
    word = re.sub(r"[^A-Za-z0-9._-]", "_", path.name)[:40] or "root"
    return f"{word}-{zlib.crc32(bytes(path)):08x}"
