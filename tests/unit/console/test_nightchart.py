"""The drawing of a night: instants in their places, the Sun's bands anywhere on Earth, and ticks that stay few."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from armillary.archive.query.service import Exposed
from armillary.console.nightchart import (
    MOST_TICKS,
    SKY,
    WIDTH,
    Scale,
    chart_of,
    hours_of,
    lanes_of,
    skies_of,
    y_of,
)
from armillary.sites.almanac.events import events_of
from armillary.sites.almanac.models import Night, SitePlace
from armillary.sites.almanac.skies import altitudes_of
from armillary.sky.nights import civil_noon, night_bounds
from armillary.sky.timescales import utc_from_tai_day

TROMSO = SitePlace("tos", 69.65, 18.96, "Europe/Oslo")
CHILE = SitePlace("tololo", -30.1673833, -70.8047889, "America/Santiago")
START = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = Scale(START, START + timedelta(days=1))


def night_of(place: SitePlace, day: date) -> Night:
    return Night(day, *night_bounds(day, civil_noon(place.zone)))


def looks(place: SitePlace, day: date) -> list[str]:
    """Return day, twilights and dark in the order of a night."""
    night = night_of(place, day)
    bands = list(skies_of(Scale(night.start, night.end), altitudes_of(place, night)))
    assert bands[0].x == 0
    for one, following in pairwise(bands):
        assert one.x + one.width == pytest.approx(following.x, abs=0.11)
    assert bands[-1].x + bands[-1].width == pytest.approx(WIDTH, abs=0.11)
    return [one.look for one in bands]


def an_exposure(
    at: datetime, instrument: str = "cam", exposure_s: float = 1.0, name: str = "f.fits"
) -> Exposed:
    return Exposed(name, "", instrument, "OBJECT", None, at, exposure_s)


def test_a_night_has_its_twilights_twice() -> None:
    evening = ["day", "civil", "nautical", "astronomical"]
    assert looks(CHILE, date(2026, 1, 1)) == [*evening, "dark", *evening[::-1]]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        # The Sun does not set from late in May to late in July, and does not rise from late in November on.
        (date(2026, 6, 21), ["day"]),
        (
            date(2026, 12, 21),
            ["civil", "nautical", "astronomical", "dark", "astronomical", "nautical", "civil"],
        ),
        (date(2026, 8, 1), ["day", "civil", "day"]),
    ],
)
def test_near_the_pole_bands_are_what_there_is(day: date, expected: list[str]) -> None:
    assert looks(TROMSO, day) == expected


@pytest.mark.parametrize(
    ("day", "hours", "first", "last"),
    [
        # Clocks in Oslo go forward on 2026-03-29 and back on 2026-10-25, each at 01:00 UTC.
        (date(2026, 3, 28), 23, ("12", "13:00"), ("10", "12:00")),
        (date(2026, 10, 24), 25, ("10", "12:00"), ("10", "11:00")),
        (date(2026, 7, 1), 24, ("10", "12:00"), ("10", "12:00")),
    ],
)
def test_hours_of_the_site_follow_its_clocks(
    day: date, hours: int, first: tuple[str, str], last: tuple[str, str]
) -> None:
    night = night_of(TROMSO, day)
    assert night.end - night.start == timedelta(hours=hours)
    told = list(hours_of(Scale(night.start, night.end), ZoneInfo(TROMSO.zone)))
    assert (told[0].utc, told[0].local) == first
    assert (told[-1].utc, told[-1].local) == last
    assert {round((b.x - a.x) * hours / WIDTH, 2) for a, b in pairwise(told)} == {2.0}


def test_altitudes_are_those_by_which_events_go() -> None:
    place = SitePlace("saf", 34.459375, -119.681172, "America/Los_Angeles")
    night = night_of(place, date(2020, 8, 1))
    found = altitudes_of(place, night)
    assert (found[0].at, found[-1].at) == (night.start, night.end)
    times = {one.name: one.tai_day for one in events_of(place, [night])[0]}
    for name, altitude in (
        ("Sun Set", -0.25),
        ("Civil Dusk", -6.0),
        ("Naut Dawn", -12.0),
        ("Astro Dark", -18.0),
    ):
        day = times[name]
        assert day is not None
        when = utc_from_tai_day(day)
        before = max((one for one in found if one.at <= when), key=lambda one: one.at)
        after = min((one for one in found if one.at > when), key=lambda one: one.at)
        share = (when - before.at) / (after.at - before.at)
        # A straight line over five minutes is good to a second or two, in which the Sun moves 0.005 degrees.
        assert before.sun_deg + (after.sun_deg - before.sun_deg) * share == pytest.approx(altitude, abs=0.005)
    assert (y_of(90.0), y_of(0.0), y_of(-90.0)) == (0.0, SKY / 2, SKY)


def test_exposures_are_where_they_began_and_as_wide_as_they_lasted() -> None:
    some = [an_exposure(START + timedelta(hours=6), exposure_s=1440.0 * 6), an_exposure(START, "other", 0.0)]
    cam, other = lanes_of(DAY, some, 10.0)
    (tick,) = cam.ticks
    assert (tick.x, tick.width) == (250.0, 100.0)
    assert (other.ticks[0].x, other.ticks[0].width) == (0.0, 1.5)
    assert cam.y < other.y
    assert cam.colour != other.colour


def test_exposures_of_one_pixel_are_one_tick_that_says_how_many() -> None:
    some = [an_exposure(START + timedelta(seconds=k)) for k in range(0, 80, 8)]
    (lane,) = lanes_of(DAY, [*some, an_exposure(START + timedelta(hours=1))], 0.0)
    assert [len(one.exposures) for one in lane.ticks] == [10, 1]
    assert lane.count == 11


@pytest.mark.parametrize("instruments", [1, 5, 500])
def test_ticks_stay_few(instruments: int) -> None:
    some = [an_exposure(START + timedelta(seconds=17 * k), f"i{k % instruments}") for k in range(5000)]
    lanes = lanes_of(DAY, some, 0.0)
    assert sum(len(lane.ticks) for lane in lanes) <= max(MOST_TICKS, instruments)
    assert sum(len(tick.exposures) for lane in lanes for tick in lane.ticks) == 5000


def test_what_headers_say_breaks_no_drawing() -> None:
    some = [an_exposure(START - timedelta(days=400), exposure_s=1e8), an_exposure(START, exposure_s=-5.0)]
    (lane,) = lanes_of(DAY, some, 0.0)
    assert all(0 <= tick.x <= WIDTH and 0 < tick.width <= WIDTH for tick in lane.ticks)


def test_a_night_without_anything_is_drawn() -> None:
    chart = chart_of(DAY, None, None, [], [], site_events=False)
    assert (chart.sun, chart.lanes, chart.skies, chart.log) == ("", [], [], [])
    assert {one.local for one in chart.hours} == {None}
    assert chart.height > chart.lanes_y
