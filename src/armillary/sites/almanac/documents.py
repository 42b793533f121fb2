"""What is told of nights, the Moon and schedules of sites."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated

import msgspec

from armillary.base.clock import Instant
from armillary.sites.almanac.models import Missing

UtcText = Annotated[
    str,
    msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", description="UTC to the millisecond."),
]
_MILLISECOND = timedelta(milliseconds=1)


def utc_text(instant: datetime) -> UtcText:
    """Return an instant to the nearest millisecond."""
    rounded = instant + _MILLISECOND / 2
    return f"{rounded:%Y-%m-%dT%H:%M:%S}.{rounded.microsecond // 1000:03d}Z"


@dataclass(frozen=True, slots=True)
class NightEvent:
    """An event of a night; without a time, ``reason`` says why. ``tai_jd`` is a Julian date in TAI."""

    name: str
    tai_jd: float | None
    utc: UtcText | None
    unix: float | None
    reason: Missing | None


@dataclass(frozen=True, slots=True)
class SunAlmanac:
    """The Sun in a night: rise and set of the upper limb, twilights, and the meridian before and within it.

    A time is null where the Sun does not pass; ``missing`` says why, by field.
    """

    transit: UtcText
    set: UtcText | None
    civil_dusk: UtcText | None
    nautical_dusk: UtcText | None
    astronomical_dusk: UtcText | None
    antitransit: UtcText
    astronomical_dawn: UtcText | None
    nautical_dawn: UtcText | None
    civil_dawn: UtcText | None
    rise: UtcText | None
    altitude_deg: Annotated[float, msgspec.Meta(description="Of the centre when it rises and sets.")]
    missing: dict[str, Missing]


@dataclass(frozen=True, slots=True)
class MoonAlmanac:
    """The Moon in a night: its upper limb rises and sets, its centre passes the meridian; null where not.

    ``illumination`` is the lit fraction, and ``phase_deg`` 0 at new moon, 90 at the first quarter, 180 at full
    moon, both at the antitransit of the Sun.
    """

    rise: UtcText | None
    transit: UtcText | None
    set: UtcText | None
    illumination: float
    phase_deg: float
    phase: str
    altitude_deg: Annotated[float, msgspec.Meta(description="Of the upper limb when it rises and sets.")]


@dataclass(frozen=True, slots=True)
class Almanac:
    """What an almanac prints of a night: refraction at the horizon, and on demand its dip, count."""

    sun: SunAlmanac
    moon: MoonAlmanac


@dataclass(frozen=True, slots=True)
class NightEvents:
    """A night of a site: its events ordered by time, and its almanac."""

    site: str
    night: date
    start: Instant
    end: Instant
    events: list[NightEvent]
    almanac: Almanac


@dataclass(frozen=True, slots=True)
class TabledNight:
    """A row of the table of a year: events in UTC by name, null where they do not occur in the night."""

    night: date
    start: Instant
    end: Instant
    events: dict[str, UtcText | None]
    missing: dict[str, Missing]


@dataclass(frozen=True, slots=True)
class YearEvents:
    """The nights of a site whose evenings are in a year."""

    site: str
    year: int
    zone: str
    nights: list[TabledNight]


@dataclass(frozen=True, slots=True)
class Schedule:
    """The schedule that a site would compute for itself; numbers are days on the scale that is named."""

    site: str
    scale: str
    computed_at: Instant
    schedule: dict[str, float | str | None]
