"""A directory is the one on record, was moved, or is another one; what lies below it is addressed from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from armillary.base.place import NO_WORD, Place, Standing, address_of, path_at, place_of, standing

HOME = Path("/srv/archive")
RECORD = Place(HOME, "65024:17", "4711")


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        (RECORD, Standing.SAME),
        (Place(Path("/srv/moved"), "65024:17", "4711"), Standing.MOVED),
        (Place(HOME, "65024:18", "4711"), Standing.OTHER),
        (Place(Path("/srv/copy"), "65024:18", "4711"), Standing.OTHER),
        (Place(Path("/disk/moved"), "65025:17", "815"), Standing.OTHER),
        # A disk that is the copy of another one, byte for byte, and mounted beside it.
        (Place(Path("/disk/moved"), "65025:17", "4711"), Standing.OTHER),
        # The machine has numbered its devices otherwise.
        (Place(HOME, "65025:17", "4711"), Standing.SAME),
        (Place(HOME, "65025:17", NO_WORD), Standing.SAME),
        (Place(HOME, "65025:17", "815"), Standing.OTHER),
    ],
)
def test_a_directory_is_known_by_device_and_inode(here: Place, expected: Standing) -> None:
    assert standing(RECORD, here) is expected


def test_a_directory_without_a_record_is_new() -> None:
    assert standing(None, RECORD) is Standing.NEW


def test_a_directory_that_was_moved_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    before = place_of(tmp_path / "one")
    (tmp_path / "one").rename(tmp_path / "two")
    (tmp_path / "link").symlink_to(tmp_path / "two")
    (tmp_path / "one").mkdir()
    assert standing(before, place_of(tmp_path / "link")) is Standing.MOVED
    assert standing(before, place_of(tmp_path / "one")) is Standing.OTHER


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/srv/archive/store", "store"),
        ("/srv/archive/adopted/tree", "adopted/tree"),
        ("/srv/archives/store", "/srv/archives/store"),
        ("/srv", "/srv"),
    ],
)
def test_what_lies_below_the_directory_is_addressed_from_there(path: str, address: str) -> None:
    assert address_of(Path(path), HOME) == address
    assert path_at(address, HOME) == Path(path)
    moved = Path(path.replace("/srv/archive/", "/disk/moved/"))
    assert path_at(address, Path("/disk/moved")) == moved


def test_a_link_below_the_directory_leads_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "store").symlink_to(tmp_path / "elsewhere")
    assert path_at("store", tmp_path / "home") == tmp_path / "elsewhere"
