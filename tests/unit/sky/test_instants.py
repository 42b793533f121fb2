"""Instants as headers write them, against astropy's, whose time is SOFA's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from armillary.sky.instants import (
    CLOCKS,
    HEADER_SCALES,
    SECOND,
    iso_ms,
    mjd,
    ns_of,
    observing_day,
    tai_of_clock,
    tai_of_datetime,
    tai_of_iso,
    tai_of_utc,
)

MS = 1_000_000
YEARS = st.integers(tai_of_iso("1975-01-01T00:00:00"), tai_of_iso("2028-01-01T00:00:00"))
SCALES = st.sampled_from([scale for scale in HEADER_SCALES if scale != "GPS"])
EPOCH = Time("1970-01-01T00:00:00", scale="tai", format="isot")
START = 1590098178.28


def of_astropy(tai_ns: int, scale: str) -> Time:
    days, rest = divmod(tai_ns, 86400 * SECOND)
    time = Time(EPOCH.jd1 + EPOCH.jd2 + days, rest / (86400 * SECOND), format="jd", scale="tai")
    return getattr(time, scale.lower())


def test_the_instant_of_the_specification() -> None:
    at = ns_of(START)
    assert iso_ms(at) == "2020-05-21T21:56:18.280"
    assert mjd(at) == pytest.approx(58990.914100463, abs=5e-10)
    assert observing_day(at) == 20200521


@given(YEARS, SCALES)
def test_dates_are_those_of_astropy(tai_ns: int, scale: str) -> None:
    tai_ns -= tai_ns % MS
    theirs = of_astropy(tai_ns, scale)
    # TDB is known to ten microseconds, so at the edge of a millisecond either may be the nearest.
    assert abs(mjd(tai_ns, scale) - theirs.mjd) * 86400 < 2e-5
    if scale != "TDB":
        theirs.precision = 3
        assert iso_ms(tai_ns, scale) == theirs.isot


@given(YEARS, st.sampled_from(HEADER_SCALES))
def test_dates_read_back(tai_ns: int, scale: str) -> None:
    assert abs(tai_of_iso(iso_ms(tai_ns, scale), scale) - tai_ns) <= MS // 2 + 1


def test_the_last_leap_second_has_a_name_of_its_own() -> None:
    midnight = tai_of_iso("2017-01-01T00:00:00", "UTC")
    assert iso_ms(midnight - SECOND // 2, "UTC") == "2016-12-31T23:59:60.500"
    assert iso_ms(midnight - SECOND, "UTC") == "2016-12-31T23:59:60.000"
    assert iso_ms(midnight - SECOND - MS, "UTC") == "2016-12-31T23:59:59.999"
    assert iso_ms(midnight - 1, "UTC") == "2017-01-01T00:00:00.000"
    for ns in (0, SECOND // 2, SECOND, 3 * SECOND // 2):
        assert mjd(midnight - ns, "UTC") == pytest.approx(of_astropy(midnight - ns, "UTC").mjd, abs=1e-11)


def test_gps_is_nineteen_seconds_behind() -> None:
    assert iso_ms(ns_of(START), "GPS") == "2020-05-21T21:55:59.280"


def test_clocks_of_sources() -> None:
    at = ns_of(START)
    assert tai_of_clock(START, "tai") == at
    assert tai_of_clock(START - 37, "utc") == tai_of_clock(START - 37, "unix") == pytest.approx(at, abs=500)
    assert set(CLOCKS) == {"tai", "utc", "unix"}


@given(st.datetimes(datetime(1973, 1, 1), datetime(2040, 1, 1)))
def test_datetimes_keep_their_microseconds(instant: datetime) -> None:
    tai = tai_of_datetime(instant.replace(tzinfo=UTC))
    assert tai == tai_of_utc(round(instant.replace(tzinfo=UTC).timestamp() * 1e6) * 1000)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -float("inf")])
def test_times_are_finite(seconds: float) -> None:
    with pytest.raises(ValueError, match="no time"):
        ns_of(seconds)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2020-13-01", "2020-05-21T24:00:00", "2020-05-21T10:00:60"]
)
def test_other_texts_are_no_dates(text: str) -> None:
    with pytest.raises(ValueError, match=r"no date|no time|month"):
        tai_of_iso(text, "TAI")


def test_other_scales_are_unknown() -> None:
    with pytest.raises(ValueError, match="known are TAI"):
        iso_ms(0, "LOCAL")
