"""Passages of Sun and Moon against the searches of skyfield, and against astropy.

Where an altitude changes by more than an arcminute a minute, times agree within 0.05 s. Near a culmination a time
means little, so there the altitude at the time that is given must be right to 0.2 arcseconds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import AltAz, EarthLocation, get_body, solar_system_ephemeris
from astropy.time import Time
from astropy.utils import iers
from skyfield import almanac
from skyfield.api import load, wgs84
from skyfield.jpllib import SpiceKernel

from armillary.sky.almanac import MOON_CENTRE, MOON_LIMB, SUN_CENTRE, Horizon, Place
from armillary.sky.ephemeris import (
    EPOCH_JD,
    Floats,
    ephemeris_file,
    table_for,
    table_of,
    tai_day_of,
)
from armillary.sky.passages import passages_of

REFERENCE = Path(__file__).parent.parent.parent / "data" / "almanac.txt"
YEAR = 2025
TARGETS = {"sun": SUN_CENTRE, "moon": MOON_CENTRE}
DAY_S = 86_400.0
ARCSEC = 3600.0
CLOSE_S, CLOSE_ARCSEC = 0.05, 0.2
SLOW_ARCSEC_S = 1.0
"""An arcminute a minute."""


@dataclass(frozen=True)
class Series:
    """A line of the reference: what passes what where, in which direction, and when (days of TAI)."""

    name: str
    place: Place
    body: str
    what: str
    direction: str
    times: Floats

    def __str__(self) -> str:
        return f"{self.name}-{self.body}-{self.what[:6]}-{self.direction}"


def reference() -> Iterator[Series]:
    start = tai_day_of(date(YEAR, 1, 1))
    for line in REFERENCE.read_text().splitlines()[1:]:
        name, latitude, longitude, body, what, direction, *times = line.split()
        place = Place(float(latitude), float(longitude))
        yield Series(name, place, body, what, direction, start + np.array(times, float) / (DAY_S * 1000))


SERIES = list(reference())
ALTITUDES = [one for one in SERIES if one.what != "meridian"]


def altitudes_deg(horizon: Horizon, body: str, times: Floats) -> Floats:
    found: Floats = np.degrees(np.arcsin(horizon.sin_altitude(TARGETS[body].body, 0.0, times)))
    return found


def speeds_arcsec_s(horizon: Horizon, body: str, times: Floats) -> Floats:
    step = 2.0 / DAY_S
    change = altitudes_deg(horizon, body, times + step) - altitudes_deg(horizon, body, times - step)
    return np.abs(change) * ARCSEC / 4.0


def check_agreement(horizon: Horizon, body: str, altitude: float, ours: Floats, theirs: Floats) -> None:
    """Compare all passages of a span; ours that they have not must be real, and too short for their search."""
    speeds = speeds_arcsec_s(horizon, body, theirs)
    heights = np.abs(altitudes_deg(horizon, body, theirs) - altitude) * ARCSEC
    nearest = np.abs(ours[:, None] - theirs).min(axis=0) if len(ours) else np.full(len(theirs), np.inf)
    close = np.where(speeds > SLOW_ARCSEC_S, nearest * DAY_S <= CLOSE_S, heights <= CLOSE_ARCSEC)
    assert close.all()
    heights = np.abs(altitudes_deg(horizon, body, ours) - altitude) * ARCSEC
    assert (heights < CLOSE_ARCSEC).all()
    missed = [one for one in ours if not len(theirs) or np.abs(theirs - one).min() * DAY_S > CLOSE_S]
    assert (speeds_arcsec_s(horizon, body, np.array(missed)) < SLOW_ARCSEC_S).all() if missed else True


@pytest.mark.parametrize("series", ALTITUDES, ids=str)
def test_passages_of_a_year_are_those_of_the_reference(series: Series) -> None:
    start, end = tai_day_of(date(YEAR, 1, 1)), tai_day_of(date(YEAR + 1, 1, 1))
    horizon = Horizon(table_of(YEAR - 1, YEAR + 1), series.place)
    altitude = float(series.what)
    times = start + np.arange(-1, (end - start) * 48 + 2) / 48
    found = horizon.crossings([TARGETS[series.body]], times[None, :], np.array([[altitude]]))
    within = (found.tai_day >= start) & (found.tai_day <= end) & (found.rising == (series.direction == "up"))
    check_agreement(horizon, series.body, altitude, found.tai_day[within], series.times)


@pytest.mark.parametrize("name", dict.fromkeys(one.name for one in SERIES))
def test_dusks_and_dawns_of_nights_are_those_of_the_reference(name: str) -> None:
    mine = {(one.body, one.what, one.direction): one for one in ALTITUDES if one.name == name}
    place = next(one.place for one in ALTITUDES if one.name == name)
    levels = sorted({what for body, what, _ in mine if body == "sun"}, key=float)
    horizon = Horizon(table_of(YEAR - 1, YEAR + 1), place)
    noon = tai_day_of(date(YEAR, 1, 2)) + 0.5 - place.longitude_deg / 360
    starts = noon + np.arange(360.0)
    found = passages_of(horizon, starts, starts + 1, [float(one) for one in levels])
    for level, what in enumerate(levels):
        for direction, ours, side in (("down", found.dusk, -0.5), ("up", found.dawn, 0.5)):
            theirs = mine["sun", what, direction].times
            for middle, moment in zip(found.middle, ours[:, level], strict=True):
                low, high = sorted((middle, middle + side))
                inside = theirs[(theirs >= low) & (theirs <= high)]
                if not np.isnan(moment):
                    check_agreement(horizon, "sun", float(what), np.array([moment]), inside)
                elif len(inside):
                    assert speeds_arcsec_s(horizon, "sun", inside).max() < SLOW_ARCSEC_S


@pytest.mark.parametrize("series", [one for one in SERIES if one.what == "meridian"], ids=str)
def test_transits_are_those_of_the_reference(series: Series) -> None:
    horizon = Horizon(table_of(YEAR - 1, YEAR + 1), series.place)
    angle = 0.0 if series.direction == "transit" else np.pi
    ours = horizon.transits(TARGETS[series.body].body, series.times + 0.1, angle)
    assert np.abs(ours - series.times).max() * DAY_S < CLOSE_S
    following = horizon.next_transits(TARGETS[series.body].body, series.times[:-1] + 0.01, angle)
    assert np.abs(following - series.times[1:]).max() * DAY_S < CLOSE_S


SEED = random.SystemRandom().randrange(1 << 32)


def test_a_sample_of_places_and_days_agrees_with_a_search_made_now() -> None:
    print(f"seed of the sample: {SEED}")
    rng = random.Random(SEED)
    with closing(SpiceKernel(str(ephemeris_file()))) as kernel:
        timescale = load.timescale(builtin=True)
        for year in rng.sample(range(1901, 2053), 2):
            for _ in range(4):
                latitude = float(np.degrees(np.arcsin(rng.uniform(-1, 1))))
                longitude, first = rng.uniform(-180, 180), tai_day_of(date(year, 1, 1)) + rng.uniform(0, 364)
                body = rng.choice(["sun", "sun", "moon"])
                altitude = rng.choice([-0.25, -1.5, -6, -11.75, -12, -18]) if body == "sun" else -34 / 60
                up = almanac.risings_and_settings(
                    kernel, kernel[body], wgs84.latlon(latitude, longitude), horizon_degrees=altitude
                )
                up.step_days = 0.02
                ends = [timescale.tai_jd(first + EPOCH_JD), timescale.tai_jd(first + 2 + EPOCH_JD)]
                theirs, states = almanac.find_discrete(*ends, up)
                horizon = Horizon(table_for(first - 1, first + 3), Place(latitude, longitude))
                times = first + np.arange(-1, 2 * 48 + 2) / 48
                found = horizon.crossings([TARGETS[body]], times[None, :], np.array([[altitude]]))
                within = (found.tai_day >= first) & (found.tai_day <= first + 2)
                for rising in (True, False):
                    ours = found.tai_day[within & (found.rising == rising)]
                    there = (
                        np.array(theirs.tai)[states == rising] if len(states) else np.array([])
                    ) - EPOCH_JD
                    check_agreement(horizon, body, altitude, ours, there)


@contextmanager
def offline_astropy() -> Iterator[None]:
    """Let astropy use our ephemeris, and of the Earth's rotation what is installed with it."""
    with (
        iers.conf.set_temp("auto_download", False),
        iers.conf.set_temp("auto_max_age", None),
        solar_system_ephemeris.set(str(ephemeris_file())),
    ):
        yield


@pytest.mark.parametrize("latitude", [0.0, 34.0, -30.24, 60.17, 69.65])
@pytest.mark.parametrize("body", ["sun", "moon"])
def test_rise_and_set_agree_with_astropy_within_a_second(body: str, latitude: float) -> None:
    target, altitude = (SUN_CENTRE, -50 / 60) if body == "sun" else (MOON_LIMB, -34 / 60)
    horizon = Horizon(table_of(YEAR, YEAR), Place(latitude, 18.96))
    days = tai_day_of(date(YEAR, 3, 1)) + np.arange(0, 30 * 48) / 48
    found = horizon.crossings([target], days[None, :], np.array([[altitude]]))
    assert len(found.tai_day) > 30
    step = 5.0 / DAY_S
    with offline_astropy():
        low, here, high = (
            upper_limb_deg(body, latitude, found.tai_day + shift) for shift in (-step, 0.0, step)
        )
    off_s = (here - altitude) / ((high - low) / 10.0)
    assert np.abs(off_s).max() < 1.0


def upper_limb_deg(body: str, latitude: float, tai_day: Floats) -> Any:
    """Return the altitude by astropy: of the centre of the Sun, of the upper limb of the Moon."""
    times = Time(EPOCH_JD + tai_day, format="jd", scale="tai")
    site = EarthLocation.from_geodetic(18.96 * u.deg, latitude * u.deg, 0 * u.m)
    seen = get_body(body, times, site).transform_to(AltAz(obstime=times, location=site))
    size = 0.0 if body == "sun" else np.degrees(np.arcsin(1737.4 / seen.distance.to_value(u.km)))
    return seen.alt.deg + size
