"""The fingerprint by which an edit sees that somebody changed or exchanged the file under its hands."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from armillary.base.store.copying import check_unchanged
from armillary.base.store.errors import ChangedOutside
from armillary.base.store.places import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    path = tmp_path / "a.fits"
    path.write_bytes(b"old")
    os.utime(path, ns=(1, 1_000_000_000))
    with Place("night/a.fits", os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY), "a.fits", str(path)) as one:
        yield one


def exchange(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"old")
    os.utime(other, ns=(1, 1_000_000_000))
    other.replace(path)


def lengthen(path: Path) -> None:
    path.write_bytes(b"older")
    os.utime(path, ns=(1, 1_000_000_000))


def rewrite(path: Path) -> None:
    path.write_bytes(b"new")
    os.utime(path, ns=(1, 1_000_000_001))


def link(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


@pytest.mark.parametrize("change", [exchange, lengthen, rewrite, link])
def test_another_file_size_or_time_is_a_change(place: Place, change: Callable[[Path], None]) -> None:
    opened = place.stat()
    change(Path(place.path))
    with pytest.raises(ChangedOutside) as caught:
        check_unchanged(place, opened)
    assert caught.value.message == (
        "night/a.fits was changed outside Armillary while it was edited; it was left alone."
    )


def test_reading_and_attributes_are_none(place: Place) -> None:
    opened = place.stat()
    path = Path(place.path)
    os.utime(path, ns=(2_000_000_000, opened.st_mtime_ns))
    path.chmod(0o600)
    path.with_name("b.fits").hardlink_to(path)
    check_unchanged(place, opened)


def test_a_file_that_is_gone_is_not_called_unchanged(place: Place) -> None:
    opened = place.stat()
    Path(place.path).unlink()
    with pytest.raises(FileNotFoundError):
        check_unchanged(place, opened)
