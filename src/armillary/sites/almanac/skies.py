"""The sky over a night: how high Sun and Moon stand, in even steps, for those who draw it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from armillary.sites.almanac.documents import NightEvents
from armillary.sites.almanac.models import Night, SitePlace
from armillary.sites.almanac.nights import horizon_of
from armillary.sky.ephemeris import MOON, SUN
from armillary.sky.timescales import tai_day_from_utc

STEP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Altitudes:
    """How high the centres of Sun and Moon stand at an instant, in degrees, without refraction."""

    at: datetime
    sun_deg: float
    moon_deg: float


@dataclass(frozen=True, slots=True)
class NightSky:
    """A night of a site with its events and its almanac, and altitudes from its beginning to its end."""

    night: NightEvents
    altitudes: tuple[Altitudes, ...]


def altitudes_of(place: SitePlace, night: Night) -> tuple[Altitudes, ...]:
    """Return the altitudes of Sun and Moon every five minutes of a night, and at its end.

    Raises
    ------
    OutsideEphemeris
    """
    steps = (night.end - night.start) // STEP
    times = [night.start + k * STEP for k in range(steps + 1)]
    if times[-1] < night.end:
        times.append(night.end)
    days = np.array([tai_day_from_utc(one) for one in times])
    horizon = horizon_of(place, float(days[0]), float(days[-1]))
    sun, moon = (np.degrees(np.arcsin(horizon.sin_altitude(body, 0.0, days.copy()))) for body in (SUN, MOON))
    return tuple(
        Altitudes(at, float(high), float(low)) for at, high, low in zip(times, sun, moon, strict=True)
    )
