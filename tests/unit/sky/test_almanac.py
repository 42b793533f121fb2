"""Sun and Moon from tables, against skyfield itself, whose tables they are."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skyfield.api import load, wgs84
from skyfield.jpllib import SpiceKernel

from armillary.sky.almanac import (
    MOON_CENTRE,
    MOON_LIMB,
    SUN_CENTRE,
    Horizon,
    Place,
    illumination,
    moon_phase_deg,
)
from armillary.sky.ephemeris import (
    EPOCH_JD,
    MOON,
    SUN,
    check_covered,
    ephemeris_file,
    table_for,
    table_of,
    tai_day_of,
)
from armillary.sky.errors import OutsideEphemeris
from armillary.sky.timescales import tai_day_from_utc, tai_from_utc, utc_from_tai, utc_from_tai_day

ARCSEC = 3600.0
START = tai_day_of(date(2024, 1, 1))
PLACES = (Place(0, 10), Place(34, -119, 2000), Place(-67.5, 139), Place(78.2, 15.6), Place(-90, 0))


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_altitudes_and_hour_angles_are_those_of_skyfield(place: Place) -> None:
    times = START + np.random.default_rng(1).uniform(0, 366, 300)
    horizon = Horizon(table_of(2024, 2024), place)
    with closing(SpiceKernel(str(ephemeris_file()))) as kernel:
        time = load.timescale(builtin=True).tai_jd(times + EPOCH_JD)
        site = wgs84.latlon(place.latitude_deg, place.longitude_deg, place.elevation_m)
        here = (kernel["earth"] + site).at(time)
        for body, name, tolerance in ((SUN, "sun", 0.005), (MOON, "moon", 0.02)):
            seen = here.observe(kernel[name]).apparent()
            altitude, hour_angle = seen.altaz()[0].degrees, seen.hadec()[0].radians
            ours = np.degrees(np.arcsin(horizon.sin_altitude(body, 0.0, times)))
            assert np.abs(ours - altitude).max() * ARCSEC < tolerance
            off = (horizon.hour_angle(body, times) - hour_angle + np.pi) % (2 * np.pi) - np.pi
            across = np.degrees(off * np.cos(np.radians(altitude))) * ARCSEC
            # At the very pole an hour angle depends on how the longitude is rounded.
            assert abs(place.latitude_deg) == 90 or np.abs(across).max() < tolerance


def test_phases_are_those_of_skyfield() -> None:
    from skyfield import almanac

    times = START + np.random.default_rng(2).uniform(0, 366, 200)
    table = table_of(2024, 2024)
    with closing(SpiceKernel(str(ephemeris_file()))) as kernel:
        time = load.timescale(builtin=True).tai_jd(times + EPOCH_JD)
        lit = almanac.fraction_illuminated(kernel, "moon", time)
        phase = almanac.moon_phase(kernel, time).degrees
    assert np.abs(illumination(table, times) - lit).max() < 1e-4
    off = (moon_phase_deg(table, times) - phase + 180) % 360 - 180
    assert np.abs(off).max() < 0.01


def test_a_table_of_two_years_is_that_of_each() -> None:
    both = table_of(2023, 2024)
    for first, second in ((2023, 2023), (2024, 2024)):
        one = table_of(first, second)
        times = one.start + np.linspace(0.0, 364.9, 50)
        for body in (SUN, MOON):
            assert (both.at(body, times) == one.at(body, times)).all()


def test_intervals_join_smoothly() -> None:
    table = table_of(2023, 2024)
    joints = START + np.arange(-10, 10) / 4
    for body in (SUN, MOON):
        before, after = table.at(body, joints - 1e-9), table.at(body, joints + 1e-9)
        # A nanoday is 6e-9 radians; between years the hour angle may differ by turns.
        turns = (after - before) / (2 * np.pi)
        assert np.abs(turns[0] - turns[0].round()).max() < 3e-9
        assert np.abs(after - before)[1:].max() < 1e-9


def test_what_the_ephemeris_does_not_cover_is_refused_by_its_dates() -> None:
    check_covered(date(1900, 1, 1), date(2053, 10, 1))
    for first, last in (
        (date(1899, 12, 31), date(1950, 1, 1)),
        (date(1950, 1, 1), date(2053, 10, 2)),
    ):
        with pytest.raises(OutsideEphemeris, match="1900-01-01 to 2053-10-01"):
            check_covered(first, last)
    with pytest.raises(OutsideEphemeris):
        table_for(tai_day_of(date(2053, 10, 1)), tai_day_of(date(2053, 10, 9)))


@pytest.mark.parametrize(("first", "last"), [("1899-12-03", "1900-01-04"), ("2053-10-02", "2053-10-03")])
def test_tables_reach_beyond_what_may_be_asked(first: str, last: str) -> None:
    ends = [tai_day_of(date.fromisoformat(one)) for one in (first, last)]
    table = table_for(*ends)
    assert np.isfinite(table.at(MOON, np.array(ends))).all()


@given(st.floats(-89.9, 89.9), st.floats(-180, 180), st.floats(0, 350), st.floats(-30, 60))
def test_every_passage_is_at_its_altitude_and_none_is_missed(
    latitude: float, longitude: float, day: float, altitude: float
) -> None:
    horizon = Horizon(table_of(2024, 2024), Place(latitude, longitude))
    times = START + day + np.arange(0, 10 * 48 + 1) / 48
    rows = np.stack([times, times, times])
    levels = np.full((3, 1), altitude)
    found = horizon.crossings([SUN_CENTRE, MOON_CENTRE, MOON_LIMB], rows, levels)
    for row, (body, radius) in enumerate(((SUN, 0.0), (MOON, 0.0), (MOON, MOON_LIMB.radius_au))):
        mine, rising = found.tai_day[found.row == row], found.rising[found.row == row]
        heights = np.degrees(np.arcsin(horizon.sin_altitude(body, radius, mine)))
        assert (np.abs(heights - altitude) * ARCSEC < 0.01).all()
        # Up and down take turns, and where nothing passes in between, a sample shows the side.
        assert (np.diff(rising.astype(int)) != 0).all()
        fine = START + day + np.linspace(0, 10, 4801)
        up = horizon.sin_altitude(body, radius, fine) > np.sin(np.radians(altitude))
        assert len(mine) >= np.count_nonzero(up[1:] != up[:-1])


@pytest.mark.parametrize("margin", [1e-3, 1e-6, 1e-9])
def test_passages_beside_a_culmination_are_found(margin: float) -> None:
    horizon = Horizon(table_of(2024, 2024), Place(60.0, 25.0))
    times = START + 171.5 + np.arange(0, 49) / 48
    fine = START + 171.5 + np.linspace(0, 1, 86_401)
    lowest = np.degrees(np.arcsin(horizon.sin_altitude(SUN, 0.0, fine).min()))
    levels = np.array([[lowest + margin, lowest - margin]])
    found = horizon.crossings([SUN_CENTRE], times[None, :], levels)
    assert [bool(one) for one in found.rising[found.level == 0]] == [False, True]
    # The lowest of these samples is a second from the culmination at most: no altitude shows that to 1e-8.
    assert margin < 1e-8 or not (found.level == 1).any()


def test_next_transits_come_after_and_nearest_ones_are_near() -> None:
    horizon = Horizon(table_of(2024, 2024), Place(-30.0, -70.0))
    times = START + np.linspace(1, 360, 100)
    for body, longest in ((SUN, 1.001), (MOON, 1.08)):
        after = horizon.next_transits(body, times)
        assert (after > times).all()
        assert (after - times).max() < longest
        assert np.abs(horizon.hour_angle(body, after)).max() < 1e-7
        assert np.abs(horizon.transits(body, times, np.pi) - times).max() < longest / 2


@given(st.datetimes(datetime(1960, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)))
def test_tai_and_utc_are_there_and_back(instant: datetime) -> None:
    assert utc_from_tai(tai_from_utc(instant)) == instant
    assert abs(utc_from_tai_day(tai_day_from_utc(instant)) - instant).total_seconds() < 2e-6


@pytest.mark.parametrize(
    ("utc", "seconds"), [("1960-01-01", 10), ("1972-01-01", 10), ("1999-01-01", 32), ("2026-11-30", 37)]
)
def test_tai_is_ahead_by_the_leap_seconds(utc: str, seconds: int) -> None:
    instant = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert (tai_from_utc(instant) - instant).total_seconds() == seconds
