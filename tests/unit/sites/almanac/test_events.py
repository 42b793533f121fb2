"""Events of nights: the worked example, nights and clock changes, what does not occur, every latitude."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armillary.sites.almanac.errors import BadInstant
from armillary.sites.almanac.events import EVENING, MIDDLE, MOON_RISE, MOON_SET, MORNING, NAMES, events_of
from armillary.sites.almanac.models import Missing, SitePlace, TimedEvent
from armillary.sites.almanac.nights import night_holding, nights_of_year, read_instant
from armillary.sky.ephemeris import EPOCH_JD
from armillary.sky.errors import OutsideEphemeris
from armillary.sky.timescales import utc_from_tai_day

CALIFORNIA = SitePlace("sro", 34.0, -119.0, "America/Los_Angeles")
EXAMPLE = {
    "Eve Bias Dark": 0.1778599,
    "End Eve Bias Dark": 0.5111933,
    "Eve Scrn Flats": 0.5156493,
    "End Eve Scrn Flats": 0.5781493,
    "Ops Window Start": 0.5790173,
    "Cool Down, Open": 0.5793646,
    "Moon Rise": 0.5804618,
    "Eve Sky Flats": 0.5998507,
    "Sun Set": 0.6206840,
    "Civil Dusk": 0.6417346,
    "End Eve Sky Flats": 0.6636363,
    "Clock & Auto Focus": 0.6643307,
    "Naut Dusk": 0.6646132,
    "Observing Begins": 0.6680854,
    "Astro Dark": 0.6888792,
    "Middle of Night": 0.8354475,
    "End Astro Dark": 0.9820098,
    "Moon Set": 0.9983735,
    "Observing Ends": 1.0028050,
    "Final Clock & Auto Focus": 1.0034995,
    "Naut Dawn": 1.0062772,
    "Morn Sky Flats": 1.0072542,
    "Civil Dawn": 1.0291578,
    "End Morn Sky Flats": 1.0456926,
    "Ops Window Closes": 1.0460398,
    "Sunrise": 1.0502111,
}
"""Of 2020-08-01 at 34 north, 119 west, as Photon Ranch answers: Julian dates in TAI, less 2459063."""
SUN_NAMES = [*(one.name for one in EVENING), MIDDLE, *(one.name for one in MORNING)]
places = st.builds(
    SitePlace,
    st.just("x"),
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.sampled_from(["Pacific/Kiritimati", "Europe/Oslo", "America/Santiago", "UTC", "Australia/Lord_Howe"]),
)
instants = st.datetimes(datetime(2024, 12, 1), datetime(2025, 12, 31), timezones=st.just(UTC))
years = st.sampled_from([1900, 1972, 2024, 2053])


def events(place: SitePlace, when: str | float) -> list[TimedEvent]:
    (found,) = events_of(place, [night_holding(place, read_instant(when))])
    return found


def test_the_worked_example_of_a_night() -> None:
    found = events(CALIFORNIA, 1596308460)
    assert [one.name for one in found] == list(EXAMPLE)
    for one in found:
        assert one.tai_day is not None
        assert one.tai_day + EPOCH_JD - 2459063 == pytest.approx(EXAMPLE[one.name], abs=1e-7)
    when = {one.name: utc_from_tai_day(one.tai_day or 0.0) for one in found}
    for name, told in (("Sun Set", "2020-08-02T02:53:10.1Z"), ("Sunrise", "2020-08-02T13:11:41.2Z")):
        assert abs(when[name] - datetime.fromisoformat(told)).total_seconds() < 0.1


def test_offsets_are_exact() -> None:
    found = {one.name: one.tai_day or 0.0 for one in events(CALIFORNIA, "2020-08-01T19:01:00Z")}
    seconds = {name: (when - found["Sun Set"]) * 86_400 for name, when in found.items()}
    for name, minutes in {
        "Eve Bias Dark": -637 - 40 / 60,
        "Eve Scrn Flats": -151.25,
        "Cool Down, Open": -59.5,
    }.items():
        assert seconds[name] == pytest.approx(minutes * 60, abs=1e-4)
    assert found[MIDDLE] == (found["Sun Set"] + found["Sunrise"]) / 2


@pytest.mark.parametrize(
    ("when", "night", "hours"),
    [
        ("2020-08-01T18:59:59.999Z", date(2020, 7, 31), 24),
        ("2020-08-01T19:00:00Z", date(2020, 8, 1), 24),
        ("2025-03-08T20:00:00Z", date(2025, 3, 8), 23),
        ("2025-03-09T18:59:59Z", date(2025, 3, 8), 23),
        ("2025-03-09T19:00:00Z", date(2025, 3, 9), 24),
        ("2025-11-01T19:00:00Z", date(2025, 11, 1), 25),
        ("2025-11-02T19:59:59Z", date(2025, 11, 1), 25),
        ("2025-11-02T20:00:00Z", date(2025, 11, 2), 24),
    ],
)
def test_nights_turn_over_at_civil_noon_and_last_as_long_as_clocks_say(
    when: str, night: date, hours: int
) -> None:
    found = night_holding(CALIFORNIA, read_instant(when))
    assert (found.night, (found.end - found.start) / timedelta(hours=1)) == (night, hours)
    for end in (found.start, found.end):
        assert end.astimezone(ZoneInfo(CALIFORNIA.zone)).hour == 12


@pytest.mark.parametrize("when", ["2025-03-08T21:00:00Z", "2025-03-09T08:00:00Z", "2025-03-09T18:00:00Z"])
def test_every_instant_of_a_night_with_a_clock_change_gives_the_same_events(when: str) -> None:
    assert events(CALIFORNIA, when) == events(CALIFORNIA, "2025-03-09T09:59:59Z")


def test_what_does_not_occur_is_null_with_its_reason_where_it_usually_is() -> None:
    helsinki = SitePlace("hel", 60.0, 25.0, "Europe/Helsinki")
    found = events(helsinki, "2025-06-21T12:00:00Z")
    sun = [one for one in found if one.name in SUN_NAMES]
    assert [one.name for one in sun] == SUN_NAMES
    missing = {one.name for one in sun if one.tai_day is None}
    first, last = SUN_NAMES.index("End Eve Sky Flats"), SUN_NAMES.index("Morn Sky Flats")
    assert missing == {*SUN_NAMES[first : last + 1]} - {MIDDLE}
    assert {one.reason for one in sun if one.tai_day is None} == {Missing.STAYS_ABOVE}
    assert {one.reason for one in found if one.tai_day is not None} == {None}


def test_in_polar_night_the_sun_stays_below_and_twilight_may_come() -> None:
    svalbard = SitePlace("sva", 78.22, 15.65, "Arctic/Longyearbyen")
    found = {one.name: one for one in events(svalbard, "2025-12-21T12:00:00Z")}
    assert (
        found["Sun Set"].reason is found[MIDDLE].reason is found["Civil Dusk"].reason is Missing.STAYS_BELOW
    )
    assert found["Naut Dusk"].tai_day is not None


def test_at_the_pole_the_sun_sets_once_a_year() -> None:
    pole = SitePlace("spt", -90.0, 0.0, "Antarctica/South_Pole")
    nights = events_of(pole, nights_of_year(pole, 2025))
    named = [{one.name: one for one in night} for night in nights]
    sets, rises = ([k for k, one in enumerate(named) if one[name].tai_day] for name in ("Sun Set", "Sunrise"))
    assert (len(sets), len(rises)) <= (1, 1)
    assert all(one[MIDDLE].tai_day is None for one in named)
    midsummer, midwinter = named[354], named[171]
    assert midsummer["Sun Set"].reason is Missing.STAYS_ABOVE
    assert midwinter["Sun Set"].reason is midwinter["Astro Dark"].reason is Missing.STAYS_BELOW


@given(places, instants)
def test_every_place_has_every_event_of_the_sun_in_order_and_dawn_after_dusk(
    place: SitePlace, instant: datetime
) -> None:
    night = night_holding(place, instant)
    assert night.start <= instant < night.end
    (found,) = events_of(place, [night])
    names = [one.name for one in found]
    assert sorted(set(names) - {MOON_RISE, MOON_SET}) == sorted(SUN_NAMES)
    assert len(names) == len(set(names)) <= len(NAMES)
    times = [one.tai_day for one in found if one.tai_day is not None]
    assert times == sorted(times)
    assert all((one.tai_day is None) == (one.reason is not None) for one in found)
    when = {one.name: one.tai_day for one in found}
    for dusk, dawn in (("Sun Set", "Sunrise"), ("Naut Dusk", "Naut Dawn"), ("Astro Dark", "End Astro Dark")):
        first, last = when[dusk], when[dawn]
        assert first is None or last is None or first <= last
    for name in (MOON_RISE, MOON_SET):
        moment = when.get(name)
        assert moment is None or night.start <= utc_from_tai_day(moment + 1e-9) <= night.end


@settings(max_examples=15)
@given(places, years)
def test_a_year_is_its_nights(place: SitePlace, year: int) -> None:
    nights = nights_of_year(place, year)
    chosen = [0, len(nights) // 3, len(nights) - 1]
    together = events_of(place, nights)
    for k in chosen:
        (alone,) = events_of(place, [nights[k]])
        assert [one.name for one in alone] == [one.name for one in together[k]]
        for one, other in zip(alone, together[k], strict=True):
            assert one.reason == other.reason
            assert one.tai_day == pytest.approx(other.tai_day, abs=1e-7)


def test_a_date_that_a_zone_left_out_has_no_night() -> None:
    samoa = SitePlace("apw", -13.8, -171.8, "Pacific/Apia")
    nights = nights_of_year(samoa, 2011)
    assert len(nights) == 364
    assert date(2011, 12, 30) not in {one.night for one in nights}
    assert all(one.end == other.start for one, other in pairwise(nights))


def test_the_last_year_ends_with_the_ephemeris() -> None:
    assert nights_of_year(CALIFORNIA, 2053)[-1].night == date(2053, 10, 1)
    assert len(nights_of_year(CALIFORNIA, 1900)) == 365
    for year in (1899, 2054):
        with pytest.raises(OutsideEphemeris):
            nights_of_year(CALIFORNIA, year)


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        (1596308460, "2020-08-01T19:01:00Z"),
        ("1596308460.5", "2020-08-01T19:01:00.5Z"),
        ("2020-08-01T19:01:00Z", "2020-08-01T19:01:00Z"),
        ("2020-08-01T12:01-07:00", "2020-08-01T19:01:00Z"),
        ("2020-08-01T21:01:00+02:00", "2020-08-01T19:01:00Z"),
        ("2020-08-01T21:01:00 02:00", "2020-08-01T19:01:00Z"),
        ("2020-08-01 19:01", "2020-08-01T19:01:00Z"),
        ("2020-08-01", "2020-08-01T00:00:00Z"),
        (-1.5, "1969-12-31T23:59:58.5Z"),
    ],
)
def test_instants_are_seconds_or_iso_dates(value: str | float, instant: str) -> None:
    assert read_instant(value) == datetime.fromisoformat(instant)


@pytest.mark.parametrize(
    "value", ["", "noon", "nan", "inf", float("nan"), True, None, [], {}, "2020-13-01", "\0", "1e999"]
)
def test_what_is_no_instant_is_refused(value: object) -> None:
    with pytest.raises(BadInstant):
        read_instant(value)


@pytest.mark.parametrize(
    "value", [1e300, -1e18, 1e13, "0001-01-01", "9999-12-31T23:59:59-14:00", "1899-12-31", "2053-10-03"]
)
def test_instants_outside_the_ephemeris_are_refused_by_its_dates(value: object) -> None:
    with pytest.raises(OutsideEphemeris, match="2053-10-01"):
        night_holding(CALIFORNIA, read_instant(value))
