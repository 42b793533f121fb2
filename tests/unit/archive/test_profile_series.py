"""Frames of a series are those that a fresh reading gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.archive.intake.profiles import FrameReader, load_profiles
from armillary.fits.models import Value
from armillary.fits.series import HeaderValues, Series
from tests.support.frames import Frame, a_header, frame_from, headers_of_text
from tests.support.realdata import header_texts

PROFILES = load_profiles()
LAS_CUMBRES: dict[str, Value] = {
    "ORIGIN": "LCOGT",
    "SITEID": "cpt",
    "TELID": "1m0a",
    "INSTRUME": "fa14",
    "OBSTYPE": "EXPOSE",
    "DATE-OBS": "2026-01-01T20:00:07.125",
    "UTSTOP": "20:01:07.5",
    "EXPTIME": 60.0,
    "RA": "05:41:42.500",
    "DEC": "-01:51:22.00",
    "RADESYS": "ICRS",
    "TIMESYS": "UTC",
    "L1PUBDAT": "2027-01-01T00:00:00",
}
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-400, 3000),
    st.floats(-100, 400),
    st.text("0123456789:-.TPFA ", max_size=12),
)
NAMES = [
    "N20221215S0001.fits",
    "cpt1m010-fa14-20260101-0001-e00.fits",
    "site-inst-20260101-00000001-EX00.fits",
    "x.fits",
]


def compare(first: dict[str, Value], changes: dict[str, Value], before: str, name: str) -> None:
    second = {**first, **{k: v for k, v in changes.items() if k in first}}
    changed = frozenset(changes.keys() & first.keys())
    reader = FrameReader(PROFILES, "here")
    series = Series([b""], [first])
    reader.fields(HeaderValues((first,), series), before)
    found = reader.fields(HeaderValues((second,), series, changed), name)
    assert Frame(**found) == frame_from(second, filename=name, profiles=PROFILES, site="here")


@given(st.data())
def test_frames_of_a_series_are_those_of_a_fresh_reading(data: st.DataObject) -> None:
    first = data.draw(st.sampled_from([a_header(), LAS_CUMBRES, {**a_header(), "ORIGIN": "x"}]))
    changes = data.draw(st.dictionaries(st.sampled_from(sorted(first)), VALUES, max_size=6))
    compare(first, changes, data.draw(st.sampled_from(NAMES)), data.draw(st.sampled_from(NAMES)))


@pytest.mark.parametrize("path", header_texts(), ids=lambda path: Path(path).name)
def test_every_keyword_of_real_headers_may_change(path: Path) -> None:
    first = dict(headers_of_text(path)[0])
    for keyword in first:
        for value in ("2021-02-03", 7):
            compare(first, {keyword: value}, "a.fits", path.name)


def test_warnings_of_changed_keywords_come_and_go() -> None:
    first = a_header(EXPTIME="long", RAWIQ="superb")
    compare(first, {"EXPTIME": 5.0}, "a.fits", "a.fits")
    compare(first, {"RAWIQ": "Any"}, "a.fits", "a.fits")
    compare(a_header(), {"DEC": 95.0, "EXPTIME": -1.0, "DATE-OBS": "never"}, "a.fits", "a.fits")
