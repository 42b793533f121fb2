"""Positions and radii as people write them, and the middle of several positions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.archive.query.grammar.places import middle_of, read_extent, read_place
from armillary.errors import BadRequest

ARCSECOND = 1 / 3600


@pytest.mark.parametrize(
    "text",
    [
        "10.6847 41.2688",
        "10.6847,41.2688",
        " 10.6847 , +41.2688 ",
        "00:42:44.33 +41:16:07.7",
        "0h42m44.33s +41d16m07.7s",
        "00 42 44.33 +41 16 07.7",
        "0h42m44.33s +41°16′07.7″",
    ],
)
def test_a_position_is_read_in_every_notation(text: str) -> None:
    """M 31 as SIMBAD has it: 00 42 44.330 +41 16 07.50."""
    found = read_place(text)
    assert found is not None
    assert found[0] == pytest.approx(10.684708, abs=ARCSECOND)
    assert found[1] == pytest.approx(41.26875, abs=ARCSECOND)


@pytest.mark.parametrize("text", ["M 31", "NGC 7027", "433", "", "HD-12345 b", "2MASS J00424433+4116085"])
def test_a_name_is_no_position(text: str) -> None:
    assert read_place(text) is None


@pytest.mark.parametrize("text", ["400 10", "10 91", "25:00:00 10:00:00", "1:2:3:4 5", "-10 10", "10:61 5"])
def test_what_looks_like_a_position_and_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        read_place(text)


@pytest.mark.parametrize(
    ("text", "degrees"),
    [("0.5", 0.5), ("6'", 0.1), ("30 arcsec", 30 / 3600), ('36"', 0.01), (".1d", 0.1), ("180°", 180.0)],
)
def test_a_radius_is_read_with_its_unit(text: str, degrees: float) -> None:
    assert read_extent(text) == pytest.approx(degrees)


@pytest.mark.parametrize("text", ["", "wide", "-1", "181", "1 parsec", "1e3", "nan"])
def test_what_is_no_radius_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        read_extent(text)


@given(st.floats(0, 359.99), st.floats(-89, 89), st.floats(1e-6, 0.4))
def test_the_middle_of_two_positions_lies_between_them(ra: float, dec: float, offset: float) -> None:
    found_ra, found_dec, spread = middle_of([(ra, dec - offset), (ra, dec + offset)])
    assert (found_ra - ra + 180) % 360 - 180 == pytest.approx(0, abs=1e-9)
    assert found_dec == pytest.approx(dec, abs=1e-9)
    assert spread == pytest.approx(offset, rel=1e-6, abs=1e-9)


def test_the_middle_is_right_across_the_origin_and_at_a_pole() -> None:
    ra, dec, spread = middle_of([(359.9, 0.0), (0.1, 0.0)])
    assert min(ra, 360 - ra) == pytest.approx(0, abs=1e-9)
    assert (dec, spread) == (pytest.approx(0, abs=1e-12), pytest.approx(0.1))
    _, dec, spread = middle_of([(0.0, 89.9), (120.0, 89.9), (240.0, 89.9)])
    assert dec == pytest.approx(90, abs=1e-6)
    assert spread == pytest.approx(0.1, rel=1e-6)
    assert middle_of([(0.0, 0.0), (180.0, 0.0)])[2] == 180.0
    assert math.isfinite(middle_of([(12.0, -90.0)])[0])
