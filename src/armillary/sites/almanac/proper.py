"""The almanac of a night as almanacs print it: refraction at the horizon, limbs, the meridian, the phase."""

from __future__ import annotations

from math import isnan, sqrt

import numpy as np

from armillary.sites.almanac.documents import Almanac, MoonAlmanac, SunAlmanac, UtcText, utc_text
from armillary.sites.almanac.models import Missing, Night, SitePlace
from armillary.sites.almanac.nights import bounds_of, horizon_of
from armillary.sky.almanac import MOON_LIMB, illumination, moon_phase_deg
from armillary.sky.ephemeris import MOON, SUN
from armillary.sky.passages import passages_of
from armillary.sky.timescales import utc_from_tai_day

_TWILIGHTS = {"civil": -6.0, "nautical": -12.0, "astronomical": -18.0}
_DIP_DEG = 1.76 / 60.0
"""Dip of the horizon at one metre, refraction included; it grows with the root (Nautical Almanac)."""
_PHASES = (
    "new moon",
    "waxing crescent",
    "first quarter",
    "waxing gibbous",
    "full moon",
    "waning gibbous",
    "last quarter",
    "waning crescent",
)


def almanac_of(place: SitePlace, night: Night) -> Almanac:
    """Return the almanac of a night, by the angles that the site has set."""
    starts, ends = bounds_of([night])
    horizon = horizon_of(place, starts[0], ends[0])
    angles = place.adjustments
    dip = _DIP_DEG * sqrt(max(place.elevation_m, 0.0)) if angles.dip else 0.0
    sun_deg, moon_deg = angles.sun_deg - dip, angles.moon_deg - dip
    altitudes = (sun_deg, *_TWILIGHTS.values())
    found = passages_of(horizon, starts, ends, altitudes, moon=MOON_LIMB, moon_deg=moon_deg)
    names = [("set", "rise"), *((f"{name}_dusk", f"{name}_dawn") for name in _TWILIGHTS)]
    times: dict[str, UtcText | None] = {}
    missing: dict[str, Missing] = {}
    for level, (dusk, dawn) in enumerate(names):
        for name, when in ((dusk, found.dusk[0, level]), (dawn, found.dawn[0, level])):
            times[name] = _text(when)
            if times[name] is None:
                missing[name] = Missing.STAYS_ABOVE if found.above[0, level] else Missing.STAYS_BELOW
    middle = found.middle
    noon, culmination = horizon.transits(SUN, middle - 0.5), horizon.next_transits(MOON, starts)
    sun = SunAlmanac(
        transit=_shown(noon[0]),
        antitransit=_shown(middle[0]),
        altitude_deg=round(sun_deg, 4),
        missing=missing,
        **times,
    )
    phase_deg = float(moon_phase_deg(horizon.table, middle)[0])
    moon = MoonAlmanac(
        rise=_text(found.moon_rise[0]),
        transit=_text(culmination[0] if culmination[0] < ends[0] else np.nan),
        set=_text(found.moon_set[0]),
        illumination=round(float(illumination(horizon.table, middle)[0]), 4),
        phase_deg=round(phase_deg, 2) % 360.0,
        phase=_PHASES[round(phase_deg / 45.0) % len(_PHASES)],
        altitude_deg=round(moon_deg, 4),
    )
    return Almanac(sun, moon)


def _text(tai_day: float) -> UtcText | None:
    return None if isnan(tai_day) else _shown(tai_day)


def _shown(tai_day: float) -> UtcText:
    return utc_text(utc_from_tai_day(float(tai_day)))
