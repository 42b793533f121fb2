"""Dusk, dawn, and rise and set of the Moon in observing nights, for any number of nights at once.

With M the solar antitransit nearest the middle of a night, dusk is the passage down through an altitude in the
12 hours before M, and dawn the passage up in the 12 hours after it: dawn never comes before dusk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from armillary.sky.almanac import MOON_CENTRE, SUN_CENTRE, Horizon, Target
from armillary.sky.ephemeris import SUN, Floats

MOON_DEG = -34.0 / 60.0
"""Where the centre of the Moon stands when almanacs of sites let it rise or set: refraction at the horizon."""
_HALF_DAY, _EDGE_DAY = 0.5, 1.0 / 24.0
_SAMPLES = 27
_SUN_OFFSETS = np.linspace(-_HALF_DAY - _EDGE_DAY, _HALF_DAY + _EDGE_DAY, _SAMPLES)
_SHARES = np.linspace(0.0, 1.0, _SAMPLES)


@dataclass(frozen=True, slots=True)
class Passages:
    """Times in days of TAI, by night and altitude; not a number where there is no passage.

    ``above`` tells whether the Sun stands above an altitude at M: why there is none.
    """

    middle: Floats
    dusk: Floats
    dawn: Floats
    above: NDArray[np.bool_]
    moon_rise: Floats
    moon_set: Floats


def passages_of(
    horizon: Horizon,
    starts: Floats,
    ends: Floats,
    altitudes_deg: Sequence[float],
    *,
    sun: Target = SUN_CENTRE,
    moon: Target = MOON_CENTRE,
    moon_deg: float = MOON_DEG,
) -> Passages:
    """Return the passages of the Sun through altitudes, and of the Moon through one, of nights.

    Of the Moon, those from ``starts`` on and before ``ends`` count; of two the last.
    """
    nights = len(starts)
    middle = horizon.transits(SUN, (starts + ends) / 2.0, np.pi)
    # One sample more on either side shows a culmination beside the end of what is looked at.
    first, last = starts - _EDGE_DAY, ends + _EDGE_DAY
    times = np.concatenate(
        [middle[:, None] + _SUN_OFFSETS, first[:, None] + (last - first)[:, None] * _SHARES]
    )
    levels = np.full((2 * nights, len(altitudes_deg)), np.nan)
    levels[:nights] = altitudes_deg
    levels[nights:, 0] = moon_deg
    found = horizon.crossings([sun] * nights + [moon] * nights, times, levels)
    row, level, rising, when = found.row, found.level, found.rising, found.tai_day

    dusk = np.full((nights, len(altitudes_deg)), np.nan)
    dawn = dusk.copy()
    of_sun = row < nights
    centre = middle[row % nights]
    evening = of_sun & ~rising & (when <= centre) & (when >= centre - _HALF_DAY)
    dusk[row[evening], level[evening]] = when[evening]
    morning = np.flatnonzero(of_sun & rising & (when >= centre) & (when <= centre + _HALF_DAY))[::-1]
    dawn[row[morning], level[morning]] = when[morning]

    within = ~of_sun & (when >= starts[row % nights]) & (when < ends[row % nights])
    moons = np.full((2, nights), np.nan)
    moons[rising[within].astype(np.intp), row[within] - nights] = when[within]
    lowest = horizon.sin_altitude(sun.body, sun.radius_au, middle)
    above = lowest[:, None] > np.sin(np.radians(np.asarray(altitudes_deg)))
    return Passages(middle, dusk, dawn, above, moon_rise=moons[1], moon_set=moons[0])
