"""The words of the almanac of sites: places, nights, and why an event does not occur."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from armillary.sky.nights import NightRule, civil_noon


class Missing(StrEnum):
    """Why the Sun does not pass an altitude in a night."""

    STAYS_ABOVE = "sun-stays-above"
    STAYS_BELOW = "sun-stays-below"


@dataclass(frozen=True, slots=True)
class Adjustments:
    """What a site has its proper almanac go by, instead of what is usual: altitudes in degrees."""

    sun_deg: float = -50.0 / 60.0
    moon_deg: float = -34.0 / 60.0
    dip: bool = False


@dataclass(frozen=True, slots=True)
class SitePlace:
    """Where a site is, as its configuration says; the names of fields have their units."""

    site: str
    latitude_deg: float
    longitude_deg: float
    zone: str
    elevation_m: float = 0.0
    ambient_c: float = 10.0
    cool_down_open_min: float = -65.0
    close_and_park_min: float = 32.0
    adjustments: Adjustments = field(default_factory=Adjustments)

    @property
    def rule(self) -> NightRule:
        """How nights are named here: from one civil noon to the next."""
        return civil_noon(self.zone)


@dataclass(frozen=True, slots=True)
class Night:
    """A night of a site, with its first instant and that of the next."""

    night: date
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class TimedEvent:
    """When an event of a night is, in days of TAI since 2000-01-01 00:00 TAI, or why it is not."""

    name: str
    tai_day: float | None
    reason: Missing | None = None


@dataclass(frozen=True, slots=True)
class MoonPassage:
    """A rise of the Moon with what follows: its next transit and set, and its lit fraction at the transit."""

    rise: datetime
    transit: datetime
    set: datetime
    illumination: float
