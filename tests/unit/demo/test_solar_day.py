"""An observing day holds what archives meet."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from astropy.io import fits
from PIL import Image

from armillary.archive.cubes.derived.derivation import DerivedKind
from armillary.archive.cubes.observations import grouping_of
from armillary.archive.cubes.oids import oid_in
from armillary.archive.cubes.words.vocabularies import Vocabulary, assess, terms_of
from armillary.demo.solar import write_day
from armillary.demo.solar.day import cubes_of_day
from tests.support.solar import Opened, opened

Day = dict[Path, Opened]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("day")
    write_day(top / "sst", vocabularies=top / "words")
    return top


@pytest.fixture(scope="module")
def day(directory: Path) -> Day:
    paths = [directory / "sst" / filed.path for filed in cubes_of_day()]
    return {path: opened(path.read_bytes()) for path in paths}


def oid(one: Opened) -> str:
    return oid_in(one.read, one.layout, one.values.headers)


def test_the_files_are_sound(day: Day) -> None:
    for path in day:
        with fits.open(path, checksum=True) as file:
            assert file[0].data is not None
            assert file[0].header["FILENAME"] == path.name


def test_one_of_24_cubes_was_exported_again(day: Day) -> None:
    oids = Counter(map(oid, day.values()))
    assert (len(day), len(oids)) == (25, 24)
    (twice,) = [one for one, count in oids.items() if count == 2]
    first, again = [one.values.headers[0] for one in day.values() if oid(one) == twice]
    assert str(first["DATE"]) < str(again["DATE"])
    assert first["FILENAME"] != again["FILENAME"]
    assert "2026-06-21T08:10:00_6563_1-3,7-8,12" in oids


def test_two_cubes_are_not_public_yet(day: Day) -> None:
    releases = [date.fromisoformat(str(one.values.headers[0]["RELEASE"])) for one in day.values()]
    assert sorted(one > date(2100, 1, 1) for one in releases)[-3:] == [False, True, True]


def test_eight_pointings_group_them_and_one_is_a_mosaic(day: Day) -> None:
    groups = Counter(grouping_of(one.values.headers[0]) for one in day.values())
    assert sorted(groups.values()) == [3] * 7 + [4]
    assert [group.key for group in groups if group.tag == "mosaic"] == ["2026-06-21T10:50:00_mosaic"]


def test_words_are_those_of_the_vocabularies_but_one(day: Day, directory: Path) -> None:
    known = {
        name: Vocabulary.of_terms(name, terms_of((directory / "words" / f"{name.lower()}.txt").read_bytes()))
        for name in ("FEATURES", "EVENTS")
    }
    found = [assess(one.values.headers[0], known) for one in day.values()]
    assert {warning for one in found for warning in one.warnings} == {
        "FEATURES: 'Fibril' is not in the vocabulary"
    }
    assert {one.features for one in found} == {one.events for one in found} == {True, False}
    assert {("FEATURES", "Flare"), ("EVENTS", "Flare")} <= {tag for one in found for tag in one.tags}


def test_axes_and_extensions_differ(day: Day) -> None:
    assert {one.values.headers[0]["NAXIS"] for one in day.values()} == {2, 3, 4, 5}
    kinds = Counter(kind for one in day.values() for kind, made in one.derived().items() if made.content)
    assert kinds[DerivedKind.WCS] == 25
    assert (kinds[DerivedKind.R0], kinds[DerivedKind.SPECTRAL_LINE]) == (24, 23)


def test_pictures_lie_beside_most_of_them(day: Day) -> None:
    pictures = [path.with_suffix(".png") for path in day if path.with_suffix(".png").exists()]
    assert len(pictures) == 17
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.size == (384, 256)


def test_the_day_is_the_same_every_time(day: Day, directory: Path, tmp_path: Path) -> None:
    for path in write_day(tmp_path):
        for one in (path, path.with_suffix(".png")):
            before = directory / "sst" / one.relative_to(tmp_path)
            assert one.exists() == before.exists()
            if one.exists():
                assert (
                    hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(before.read_bytes()).digest()
                )
