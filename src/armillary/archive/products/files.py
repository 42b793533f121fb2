"""The files that products are kept in, which are named by what is in them. Plain functions, for any process."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from armillary.base.store.errors import naming
from armillary.base.store.files import UnsyncedFiles, read_at
from armillary.base.store.workshop import own_directory
from armillary.base.store.writing import NEW_MODE

_FILES = UnsyncedFiles()
JPEG = "image/jpeg"
ENDINGS = {
    JPEG: ".jpg",
    "image/png": ".png",
    "image/tiff+bzip2": ".tif.bz2",
    "application/fits": ".fits",
    "video/webm": ".webm",
    "application/x-armillary-tiles": ".tiles",
}


def key_of(media_type: str, content: bytes) -> str:
    """Return where the bytes of a product are kept."""
    digest = hashlib.sha256(content).hexdigest()
    return f"{digest[:2]}/{digest}{ENDINGS.get(media_type, '')}"


def digest_in(key: str) -> str:
    """Return the SHA-256 of the bytes that are kept under a key."""
    return key.partition("/")[2].partition(".")[0]


def write_new(directory: Path, contents: Mapping[str, bytes]) -> list[str]:
    """Write what is not there yet; return the keys of which there are other bytes.

    Under its own name at once, since nothing speaks of an object before it is whole: what an interrupted write
    leaves behind is found when the bytes are stored again, or read.
    """
    own_directory(directory)
    top = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        there = [key for key, content in contents.items() if not _write(top, key, content)]
        return [key for key in there if _read(top, key, len(contents[key]) + 1) != contents[key]]
    finally:
        os.close(top)


def _write(top: int, key: str, content: bytes) -> bool:
    """Write an object; False if there is one already."""
    with naming(key):
        try:
            fd = _create(top, key)
        except FileExistsError:
            return False
        try:
            _FILES.write_at(fd, content, 0)
        except BaseException:
            _FILES.unlink(top, key)
            raise
        finally:
            os.close(fd)
    return True


def _read(top: int, key: str, size: int) -> bytes | None:
    """Return what is there, None if it is gone again."""
    with naming(key):
        try:
            fd = os.open(key, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=top)
        except FileNotFoundError:
            return None
        try:
            return read_at(fd, 0, size)
        finally:
            os.close(fd)


def _create(top: int, key: str) -> int:
    try:
        return _FILES.create(top, key, NEW_MODE)
    except FileNotFoundError:
        _FILES.make_directory(top, key.partition("/")[0])
        return _FILES.create(top, key, NEW_MODE)
