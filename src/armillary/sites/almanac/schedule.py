"""The schedule that a site keeps in `events` of its configuration, for sites that send none.

It goes by other rules than the events of a night: with refraction and the pressure at the elevation of the site,
the upper limb of the Sun, and from the present instant instead of the night that holds it. Values are UTC in
Dublin Julian days.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import radians, tan
from zoneinfo import ZoneInfo

import numpy as np

from armillary.sites.almanac.documents import Schedule
from armillary.sites.almanac.models import SitePlace
from armillary.sky.almanac import MOON_CENTRE, SUN_CENTRE, SUN_LIMB, Crossings, Horizon, Place, Target
from armillary.sky.ephemeris import MOON, SUN, check_covered, table_for
from armillary.sky.passages import MOON_DEG
from armillary.sky.timescales import tai_day_from_utc, utc_from_tai_day

SCALE = "UTC Dublin Julian Day (JD - 2415020)"
_EPOCH = datetime(1899, 12, 31, 12, tzinfo=UTC)
_HORIZON_DEG = -34.0 / 60.0
_TURN = timedelta(hours=6, minutes=30)
_AHEAD_DAY, _STEP_DAY, _MARGIN_DAY = 2.0, 1.0 / 48.0, 4.0
_MIN = 1.0 / 1440.0
_DAY = 1.0
_LATE_MIN = 120.0
Moments = dict[str, float | None]


def schedule_of(place: SitePlace, now: datetime) -> Schedule:
    """Return the schedule of a site at an instant; what depends on a passage that does not occur is null.

    Raises
    ------
    OutsideEphemeris
    """
    check_covered(now.date(), now.date())
    start = tai_day_from_utc(now)
    table = table_for(start - _MARGIN_DAY, start + _MARGIN_DAY)
    horizon = Horizon(table, Place(place.latitude_deg, place.longitude_deg, place.elevation_m))
    found: Moments = _of_sun(place, horizon, start) | _of_moon(horizon, start)
    ordered = sorted(found.items(), key=lambda item: float("inf") if item[1] is None else item[1])
    schedule: dict[str, float | str | None] = {name: _dublin(value) for name, value in ordered}
    day = (now.astimezone(ZoneInfo(place.zone)).replace(tzinfo=None) - _TURN).date()
    schedule["day_directory"] = f"{day:%Y%m%d}"
    return Schedule(place.site, SCALE, now, schedule)


def refraction_deg(apparent_deg: float, pressure_mbar: float, ambient_c: float) -> float:
    """Return the refraction at an apparent altitude (Bennett 1982), scaled to pressure and temperature."""
    arcmin = 1.0 / tan(radians(apparent_deg + 7.31 / (apparent_deg + 4.4)))
    return arcmin / 60.0 * (pressure_mbar / 1010.0) * (283.0 / (273.0 + ambient_c))


def pressure_mbar(elevation_m: float) -> float:
    """Return the pressure at an elevation in the standard atmosphere (ICAO, troposphere)."""
    share: float = max(1.0 - 2.25577e-5 * elevation_m, 0.0) ** 5.25588
    return 1013.25 * share


def _of_sun(place: SitePlace, horizon: Horizon, start: float) -> Moments:
    pressure = pressure_mbar(place.elevation_m)
    level = _HORIZON_DEG - refraction_deg(_HORIZON_DEG, pressure, place.ambient_c)
    sunset, sunrise = _next(horizon, start, SUN_LIMB, level)
    civil, naut, astro = (_next(horizon, start, SUN_CENTRE, one) for one in (-6.0, -12.0, -18.0))
    opens, closes = _after(sunset, place.cool_down_open_min), _after(sunrise, place.close_and_park_min)
    begins, ends = _after(astro[0], -35.0), _after(astro[1], 35.0)
    evening: Moments = {
        "Eve Bias Dark": _after(opens, -120.0),
        "End Eve Bias Dark": _after(opens, -5.0),
        "Ops Window Start": opens,
        "Cool Down, Open": opens,
        "Eve Sky Flats": _after(sunset, -40.0),
        "Sun Set": sunset,
        "Civil Dusk": civil[0],
        "Naut Dusk": naut[0],
        "End Eve Sky Flats": _after(begins, -17.0),
        "Clock & Auto Focus": _after(begins, -15.0),
        "Observing Begins": begins,
        "Astro Dark": astro[0],
        "Middle of Night": float(horizon.next_transits(SUN, np.array([start]), np.pi)[0]),
        "End Astro Dark": astro[1],
        "Naut Dawn": naut[1],
        "Civil Dawn": civil[1],
    }
    late = _after(sunrise, _LATE_MIN)
    for name, value in evening.items():
        if value is not None and late is not None and value > late:
            evening[name] = value - _DAY
    return evening | {
        "Observing Ends": ends,
        "Morn Sky Flats": _after(ends, 15.0),
        "Sun Rise": sunrise,
        "End Morn Sky Flats": _after(closes, -5.0),
        "Ops Window Closes": _after(closes, -2.0),
        "Close and Park": closes,
        "Morn Bias Dark": _after(closes, 5.0),
        "End Morn Bias Dark": _after(closes, 120.0),
        "Nightly Reset": _after(closes, 125.0),
        "use_by": _after(sunrise, 240.0),
    }


def _of_moon(horizon: Horizon, start: float) -> Moments:
    before = _around(horizon, start - _AHEAD_DAY, start, MOON_CENTRE, MOON_DEG)
    moon_set, moon_rise = _next(horizon, start, MOON_CENTRE, MOON_DEG)
    transit = horizon.next_transits(MOON, np.array([start]))
    prior = horizon.transits(MOON, transit - 1.035)
    return {
        "Prior Moon Rise": _one(before, rising=True, last=True),
        "Prior Moon Transit": float(prior[0]),
        "Prior Moon Set": _one(before, rising=False, last=True),
        "Moon Rise": moon_rise,
        "Moon Transit": float(transit[0]),
        "Moon Set": moon_set,
    }


def _next(
    horizon: Horizon, start: float, target: Target, level_deg: float
) -> tuple[float | None, float | None]:
    """Return the next passages down and up through an altitude."""
    found = _around(horizon, start, start + _AHEAD_DAY, target, level_deg)
    return _one(found, rising=False), _one(found, rising=True)


def _around(horizon: Horizon, first: float, last: float, target: Target, level_deg: float) -> Crossings:
    times = np.arange(first - _STEP_DAY, last + 2.0 * _STEP_DAY, _STEP_DAY)
    found = horizon.crossings([target], times[None, :], np.array([[level_deg]]))
    within = (found.tai_day >= first) & (found.tai_day <= last)
    return Crossings(found.row[within], found.level[within], found.rising[within], found.tai_day[within])


def _one(found: Crossings, *, rising: bool, last: bool = False) -> float | None:
    times = found.tai_day[found.rising == rising]
    return float(times[-1 if last else 0]) if len(times) else None


def _after(moment: float | None, minutes: float) -> float | None:
    return None if moment is None else moment + minutes * _MIN


def _dublin(tai_day: float | None) -> float | None:
    if tai_day is None:
        return None
    return (utc_from_tai_day(tai_day) - _EPOCH) / timedelta(days=1)
