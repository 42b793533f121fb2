"""Synthetic frames: as many as wanted, always the same, and true to their headers."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from armillary.archive.catalog.rows import NewVersion
from armillary.demo.frames import NIGHTS, STATIONS, make_frames
from armillary.fits.crc import crc64
from armillary.fits.header import read_values
from armillary.fits.scan import scan
from tests.support.frames import Frame


def frames(count: int, *, seed: int = 1) -> list[NewVersion]:
    return [one for _, night in make_frames(count, root_id=7, seed=seed) for one in night]


def frame_of(version: NewVersion) -> Frame:
    return Frame(**version.fields)


@pytest.fixture(scope="module")
def made() -> list[NewVersion]:
    return frames(5000)


@pytest.mark.parametrize("count", [1, 7, NIGHTS])
def test_as_many_are_made_as_are_wanted_and_no_name_twice(count: int) -> None:
    assert len({one.name for one in frames(count)}) == count


def test_more_are_made_than_there_are_nights(made: list[NewVersion]) -> None:
    assert len({one.name for one in made}) == 5000 > NIGHTS


def test_equal_seeds_give_equal_frames_and_others_give_others() -> None:
    once = frames(200)
    assert once == frames(200)
    assert once != frames(200, seed=2)


def test_a_million_frames_are_made_night_by_night() -> None:
    nights = [len(night) for _, night in itertools.islice(make_frames(1_000_000, root_id=1), 5)]
    assert all(500 < count < 600 for count in nights)


def test_every_kind_of_frame_is_there(made: list[NewVersion]) -> None:
    known = [frame_of(one) for one in made]
    assert {one.site for one in known} == {station.site for station in STATIONS}
    assert len({one.instrument for one in known}) == 10
    assert len({one.qa_state for one in known}) == 5
    assert len({one.program for one in known}) > 500
    assert Counter(one.observation_type for one in known)["OBJECT"] > 2500
    assert any(one.proprietary_coordinates for one in known)
    assert any(one.started_at is None for one in known)
    assert any(one.ra_deg is None for one in known)
    assert len({one.release for one in known}) > 1000


def test_positions_cover_the_sphere_and_crowd_in_fields(made: list[NewVersion]) -> None:
    known = [frame_of(one) for one in made]
    decs = np.array([one.dec_deg for one in known if one.dec_deg is not None])
    assert abs((np.abs(decs) < 30).mean() - 0.5) < 0.05
    cells = Counter((int(one.ra_deg), int(one.dec_deg or 0)) for one in known if one.ra_deg)
    assert cells.most_common(1)[0][1] >= 5


def test_no_telescope_would_give_a_file_such_a_name(made: list[NewVersion]) -> None:
    assert all("Y" in one.name or "m0sy-" in one.name for one in made)


def test_headers_say_what_the_frames_say(made: list[NewVersion]) -> None:
    for one in made[::100]:
        (header,) = one.headers
        values = read_values(header)
        assert values["DATALAB"] == frame_of(one).data_label
        assert values.get("RA") == frame_of(one).ra_deg
        assert (one.file_size, one.file_crc) == (len(header), crc64(header))
        assert scan(lambda at, size, header=header: header[at : at + size], len(header)).size == len(header)
