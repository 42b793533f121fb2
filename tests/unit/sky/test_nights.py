"""Nights of sites on both hemispheres, at their edges and through changes of civil time."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.sky.nights import (
    EVENING_18_UTC,
    NOON_UTC,
    UTC_DAY,
    civil_noon,
    local_noon,
    night_bounds,
    night_of,
)

instants = st.datetimes(datetime(1980, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))
rules = st.one_of(
    st.sampled_from(
        [UTC_DAY, EVENING_18_UTC, NOON_UTC, civil_noon("America/Santiago"), civil_noon("Australia/Sydney")]
    ),
    st.floats(-360, 360).map(local_noon),
)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@given(instants, rules)
def test_every_instant_lies_within_its_night(instant, rule):
    start, end = night_bounds(night_of(instant, rule), rule)
    assert start <= instant < end


@given(st.dates(date(1980, 1, 1), date(2060, 1, 1)), rules)
def test_nights_join_without_gap_and_last_about_a_day(night, rule):
    start, end = night_bounds(night, rule)
    assert night_bounds(night + timedelta(days=1), rule)[0] == end
    assert timedelta(hours=22) <= end - start <= timedelta(hours=26)


@pytest.mark.parametrize(
    ("instant", "night"),
    [("2022-12-15T00:00", date(2022, 12, 15)), ("2022-12-15T23:59:59", date(2022, 12, 15))],
)
def test_gemini_north_names_a_night_by_its_utc_day(instant, night):
    assert night_of(at(instant), UTC_DAY) == night


@pytest.mark.parametrize(
    ("instant", "night"),
    [
        ("2023-05-17T17:59:59", date(2023, 5, 17)),
        ("2023-05-17T18:00:00", date(2023, 5, 18)),
        ("2023-05-18T09:12:53", date(2023, 5, 18)),
    ],
)
def test_gemini_south_turns_at_18_utc(instant, night):
    assert night_of(at(instant), EVENING_18_UTC) == night


def test_local_noon_names_a_night_by_its_evening():
    # Siding Spring, 149 E: 19:34 UTC on the 16th is early morning of the 17th, still the night of the 16th.
    assert night_of(at("2015-12-16T19:33:54"), local_noon(149.07)) == date(2015, 12, 16)
    # Cerro Tololo, 71 W: 08:01 UTC on 10 November is the night that began on the 9th.
    assert night_of(at("2015-11-10T08:01:07"), local_noon(-70.8)) == date(2015, 11, 9)


def test_night_through_a_change_of_civil_time_has_23_or_25_hours():
    start, end = night_bounds(date(2024, 3, 9), civil_noon("America/Los_Angeles"))
    assert end - start == timedelta(hours=23)
