"""Any bytes of bzip2 data are read by decoding the blocks that hold them, and those of unknown length, alone."""

from __future__ import annotations

import bz2
import random
from pathlib import Path

import numpy as np
import pytest

from armillary.fits.bzip2 import Block
from armillary.fits.bzip2.places import Mark, Places, blocks_in, mark_of
from armillary.fits.container_errors import DamagedContainer


class Opened:
    """A compressed file, and what is read of it."""

    def __init__(self, path: Path, content: bytes, level: int = 1) -> None:
        path.write_bytes(bz2.compress(content, level))
        self.path, self.seen = path, 0

    def read(self, offset: int, size: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(offset)
            found = file.read(size)
        self.seen += len(found)
        return found

    def blocks(self) -> list[Block]:
        with self.path.open("rb") as file:
            return blocks_in(file.fileno())

    def places(self, lengths: dict[Mark, int] | None = None) -> Places:
        return Places(self.read, self.blocks(), lengths or {})


def content(size: int) -> bytes:
    noise = np.random.default_rng(4).normal(1000, 20, size // 2).astype(">i2").tobytes()
    return noise[: size // 2] + bytes(size // 4) + noise[size // 2 :]


def test_bytes_anywhere_are_those_of_the_whole(tmp_path: Path) -> None:
    whole = content(2_000_000)
    opened, dice = Opened(tmp_path / "a.bz2", whole), random.Random(3)
    places = opened.places()
    for _ in range(40):
        at, size = dice.randrange(len(whole) + 50), dice.choice([1, 80, 2880, 300_000])
        assert places.read(at, size) == whole[at : at + size]
    assert places.read(0, 10 * len(whole)) == whole
    assert sum(places.all_lengths()[mark_of(one)] for one in opened.blocks()) == len(whole)


def test_with_all_lengths_nothing_else_is_decoded(tmp_path: Path) -> None:
    whole = content(3_000_000)
    opened = Opened(tmp_path / "a.bz2", whole)
    lengths = opened.places().all_lengths()
    opened.seen = 0
    assert opened.places(lengths).read(1_000_000, 50) == whole[1_000_000:1_000_050]
    assert opened.seen < 150_000


def test_blocks_that_were_edited_are_measured_again(tmp_path: Path) -> None:
    whole = content(2_000_000)
    lengths = Opened(tmp_path / "a.bz2", whole).places().all_lengths()
    edited = b"another header" + whole[14:]
    opened = Opened(tmp_path / "b.bz2", edited)
    places = opened.places(lengths)
    assert places.read(1_200_000, 1000) == edited[1_200_000:1_201_000]
    assert len(places.lengths) == len(lengths) + 1


def test_damage_is_told(tmp_path: Path) -> None:
    whole = content(1_000_000)
    path = tmp_path / "a.bz2"
    opened = Opened(path, whole)
    lengths = opened.places().all_lengths()
    data = bytearray(path.read_bytes())
    data[2000:2100] = bytes(100)
    path.write_bytes(data)
    places = opened.places(lengths)
    with pytest.raises(DamagedContainer):
        places.read(0, 100)
