"""Where a telescope looks, for headers that agree with themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

_J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """Geographic position of a telescope, east longitude, degrees."""

    longitude_deg: float
    latitude_deg: float
    height_m: float


@dataclass(frozen=True, slots=True)
class Target:
    """A thing on the sky; ``galaxy`` says what to draw in its middle."""

    name: str
    ra_deg: float
    dec_deg: float
    galaxy: bool = False


@dataclass(frozen=True, slots=True)
class Pointing:
    """The direction of a target at an instant, degrees."""

    azimuth_deg: float
    elevation_deg: float
    hour_angle_deg: float
    sidereal_deg: float

    @property
    def airmass(self) -> float:
        """Airmass by Pickering (2002)."""
        h = self.elevation_deg
        return 1 / math.sin(math.radians(h + 244 / (165 + 47 * h**1.1)))


def pointing(target: Target, place: Place, instant: datetime) -> Pointing:
    """Return where a target stands."""
    sidereal = sidereal_deg(place, instant)
    hour_angle = (sidereal - target.ra_deg + 180) % 360 - 180
    h, d, p = (math.radians(v) for v in (hour_angle, target.dec_deg, place.latitude_deg))
    sin_el = math.sin(p) * math.sin(d) + math.cos(p) * math.cos(d) * math.cos(h)
    azimuth = math.atan2(
        -math.cos(d) * math.sin(h), math.sin(d) * math.cos(p) - math.cos(d) * math.cos(h) * math.sin(p)
    )
    return Pointing(math.degrees(azimuth) % 360, math.degrees(math.asin(sin_el)), hour_angle, sidereal)


def sidereal_deg(place: Place, instant: datetime) -> float:
    """Return the local mean sidereal time (IAU 1982, UT1 taken as UTC: 15 arcseconds at most)."""
    days = (instant - _J2000).total_seconds() / 86400
    return (280.46061837 + 360.98564736629 * days + place.longitude_deg) % 360


def zenith(name: str, place: Place, instant: datetime) -> Target:
    """Return the point overhead, where telescopes look while they calibrate."""
    return Target(name, round(sidereal_deg(place, instant), 4), place.latitude_deg)


def sexagesimal(value: float, *, digits: int = 2, sign: bool = False) -> str:
    """Return ``[±]dd:mm:ss.ss``."""
    total = round(abs(value) * 3600, digits)
    whole, rest = divmod(total, 3600)
    minutes, seconds = divmod(rest, 60)
    mark = "-" if value < 0 else "+" if sign else ""
    return f"{mark}{int(whole):02d}:{int(minutes):02d}:{seconds:0{digits + 3}.{digits}f}"
