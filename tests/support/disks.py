"""Small file systems that really are full or read-only, as only root can mount them."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DETACH = 2


@contextmanager
def mounted(directory: Path, size: str) -> Iterator[Path]:
    """Mount an empty file system of a few megabytes; skip the test where that is not allowed."""
    directory.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here")
    try:
        yield directory
    finally:
        ctypes.CDLL(None).umount2(os.fsencode(directory), DETACH)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of four megabytes."""
    with mounted(tmp_path / "disk", "4m") as disk:
        yield disk


def fill(disk: Path) -> Path:
    """Use all space up; it is free again when the file that is returned is removed."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as sink:
        for portion in (1 << 20, 4096):
            try:
                while sink.write(bytes(portion)):
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    return ballast


def remount(disk: Path, how: str) -> None:
    """Make a mounted file system writable or not."""
    subprocess.run(["mount", "-o", f"remount,{how}", disk], check=True)
