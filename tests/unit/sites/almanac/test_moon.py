"""Rises of the Moon with what follows, and the almanac and the schedule of a site."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.sites.almanac.errors import BadInstant, BadPosition, BadSpan, SpanTooLong
from armillary.sites.almanac.models import Adjustments, MoonPassage, SitePlace
from armillary.sites.almanac.moon import moon_passages, read_moment
from armillary.sites.almanac.nights import night_holding, read_instant
from armillary.sites.almanac.proper import almanac_of
from armillary.sites.almanac.schedule import pressure_mbar, refraction_deg, schedule_of
from armillary.sky.errors import OutsideEphemeris

CALIFORNIA = SitePlace("sro", 34.0, -119.0, "America/Los_Angeles", 317.0)


def moon(start: str, end: str, latitude: float = 34.0) -> list[MoonPassage]:
    return moon_passages(latitude, -119.0, read_moment(start), read_moment(end))


def near(instant: datetime | str | None, text: str, seconds: float) -> bool:
    found = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    return found is not None and abs(found - datetime.fromisoformat(text)) <= timedelta(seconds=seconds)


def test_the_worked_example_of_the_moon() -> None:
    (found,) = moon("2020-10-02T02:00:00Z", "2020-10-02T15:00:00Z")
    assert near(found.rise, "2020-10-02T02:02:06Z", 1)
    assert near(found.transit, "2020-10-02T08:11:08Z", 1)
    assert near(found.set, "2020-10-02T14:27:16Z", 1)
    assert found.illumination == pytest.approx(0.9964145, abs=1e-4)
    assert found.rise.microsecond == found.transit.microsecond == found.set.microsecond == 0


@pytest.mark.parametrize(
    ("start", "end", "count"),
    [
        ("2020-10-02T02:03:00Z", "2020-10-02T15:00:00Z", 0),
        ("2020-10-02T02:00:00Z", "2020-10-02T14:27:00Z", 0),
        ("2020-10-01T12:00:00Z", "2020-10-03T12:00:00Z", 1),
        ("2020-10-02T02:00:00Z", "2020-10-02T02:00:00Z", 0),
        ("2020-10-02T02:00:00Z", "2021-11-05T02:00:00Z", 386),
    ],
)
def test_a_set_before_and_a_rise_after_are_dropped(start: str, end: str, count: int) -> None:
    found = moon(start, end)
    assert len(found) == pytest.approx(count, abs=2 if count > 1 else 0)
    for one in found:
        assert one.rise < one.transit < one.set


def test_where_the_moon_stays_up_or_down_there_is_nothing() -> None:
    assert moon("2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z", latitude=90.0) == []


@pytest.mark.parametrize(
    "text",
    ["", "2020-10-02", "2020-10-02T02:00:00", "now", "2020-10-02T25:00:00Z", "0001-01-01T00:00:00+14:00"],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(BadInstant):
        read_moment(text)


def test_bad_spans_and_positions_are_refused() -> None:
    with pytest.raises(BadSpan):
        moon("2020-10-02T02:00:01Z", "2020-10-02T02:00:00Z")
    with pytest.raises(SpanTooLong):
        moon("2020-10-02T02:00:00Z", "2021-11-06T02:00:01Z")
    with pytest.raises(BadPosition):
        moon("2020-10-02T02:00:00Z", "2020-10-03T02:00:00Z", latitude=90.5)
    with pytest.raises(OutsideEphemeris):
        moon("2053-10-01T02:00:00Z", "2053-10-02T02:00:00Z")


@given(
    st.floats(-90, 90),
    st.floats(-180, 360),
    st.datetimes(datetime(2019, 1, 1), datetime(2020, 1, 1), timezones=st.just(UTC)),
    st.timedeltas(timedelta(0), timedelta(days=60)),
)
def test_moon_passages_lie_within_and_follow_each_other(
    latitude: float, longitude: float, start: datetime, span: timedelta
) -> None:
    second = timedelta(seconds=1)
    found = moon_passages(latitude, longitude, start, start + span)
    for one in found:
        assert start - second <= one.rise <= one.set <= start + span + second
        assert one.rise <= one.transit <= one.rise + timedelta(hours=26)
        assert 0 <= one.illumination <= 1
    assert all(first.set <= second.rise for first, second in pairwise(found))


def test_the_almanac_of_a_night() -> None:
    # USNO, complete sun and moon data for one day, 34 N 119 W, 2020-08-01 and 02, to the minute.
    night = night_holding(CALIFORNIA, read_instant(1596308460))
    found = almanac_of(CALIFORNIA, night)
    assert near(found.sun.set, "2020-08-02T02:56Z", 30)
    assert near(found.sun.civil_dusk, "2020-08-02T03:23:30Z", 30)
    assert near(found.sun.rise, "2020-08-02T13:08:30Z", 30)
    assert found.sun.missing == {}
    assert found.moon.phase == "full moon"
    assert found.moon.illumination == pytest.approx(0.98, abs=0.005)
    high = SitePlace("sro", 34.0, -119.0, "America/Los_Angeles", 2500.0, adjustments=Adjustments(dip=True))
    low = datetime.fromisoformat(found.sun.set or "")
    later = datetime.fromisoformat(almanac_of(high, night).sun.set or "") - low
    # 1.76' times the root of 2500 is 88', which the Sun takes seven minutes for here.
    assert timedelta(minutes=6) < later < timedelta(minutes=8)


def test_the_almanac_says_why_the_sun_does_not_set() -> None:
    tromso = SitePlace("tos", 69.65, 18.96, "Europe/Oslo")
    found = almanac_of(tromso, night_holding(tromso, read_instant("2025-06-21T12:00:00Z"))).sun
    assert (found.set, found.rise) == (None, None)
    assert found.missing["set"] == found.missing["astronomical_dawn"] == "sun-stays-above"
    assert set(found.missing) == {name for name in found.__slots__ if getattr(found, name) is None}


def test_the_schedule_of_a_site() -> None:
    found = schedule_of(CALIFORNIA, datetime(2020, 8, 2, 1, tzinfo=UTC)).schedule
    days = {name: value for name, value in found.items() if isinstance(value, float)}
    origin = datetime(1899, 12, 31, 12, tzinfo=UTC)
    when = {name: origin + timedelta(days=value) for name, value in days.items()}
    assert near(when["Naut Dusk"], "2020-08-02T03:56:25.6Z", 1)
    minutes = {name: (days[name] - days["Sun Set"]) * 1440 for name in days}
    assert minutes["Cool Down, Open"] == pytest.approx(-65, abs=1e-4)
    assert minutes["Eve Bias Dark"] == pytest.approx(-185, abs=1e-4)
    assert (days["use_by"] - days["Sun Rise"]) * 24 == pytest.approx(4, abs=1e-6)
    # Refraction for the horizon and once more for the air, and the limb: some minutes after 2:56.
    assert near(when["Sun Set"], "2020-08-02T02:59:45Z", 20)
    assert found["day_directory"] == "20200801"


def test_after_midnight_the_evening_is_the_past_one() -> None:
    now = datetime(2020, 8, 2, 9, tzinfo=UTC)
    found = schedule_of(CALIFORNIA, now).schedule
    origin = datetime(1899, 12, 31, 12, tzinfo=UTC)
    sunset, sunrise = (origin + timedelta(days=float(found[name] or 0)) for name in ("Sun Set", "Sun Rise"))
    assert sunset < now < sunrise < now + timedelta(days=1)
    assert found["day_directory"] == "20200801"
    assert schedule_of(CALIFORNIA, now + timedelta(hours=6)).schedule["day_directory"] == "20200802"


@pytest.mark.parametrize("latitude", [-90.0, -66.0, 0.0, 78.0, 90.0])
def test_every_latitude_has_a_schedule(latitude: float) -> None:
    place = SitePlace("x", latitude, 20.0, "UTC")
    found = schedule_of(place, datetime(2025, 12, 21, tzinfo=UTC)).schedule
    assert len(found) == 33
    assert found["Middle of Night"] is not None


def test_air_bends_light_as_it_should() -> None:
    # Bennett: 34.5 arcminutes at the horizon at 1010 mbar and 10 degrees.
    assert refraction_deg(0.0, 1010.0, 10.0) * 60 == pytest.approx(34.5, abs=0.1)
    assert pressure_mbar(0.0) == 1013.25
    assert pressure_mbar(2000.0) == pytest.approx(795.0, abs=0.5)
