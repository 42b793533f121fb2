"""Observing nights: which night an instant belongs to, and when a night begins and ends.

Every convention is a night's first instant relative to midnight UTC of the date that names it, or local noon
of a civil time zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_NOON = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class NightRule:
    """How a site names its nights.

    ``offset`` is added to 00:00 UTC of the naming date to get the first instant; ``zone`` takes its place
    where nights run from one civil noon to the next.
    """

    offset: timedelta = timedelta(0)
    zone: ZoneInfo | None = None


UTC_DAY = NightRule()
"""The night is the UTC day (Gemini North, where local noon is 22:00 UTC and dusk about 04:00)."""

EVENING_18_UTC = NightRule(timedelta(hours=-6))
"""Night N runs from 18:00 UTC on N-1 to 18:00 on N (Gemini South)."""

NOON_UTC = NightRule(_NOON)
"""Noon to noon UTC, for files that tell no place."""


def local_noon(longitude_deg: float) -> NightRule:
    """Return the rule of nights from local mean noon to local mean noon, named by their evening."""
    east = (longitude_deg + 180.0) % 360.0 - 180.0
    return NightRule(_NOON - timedelta(hours=east / 15.0))


def civil_noon(zone: str) -> NightRule:
    """Return the rule of nights from civil noon to civil noon in an IANA time zone.

    Raises
    ------
    zoneinfo.ZoneInfoNotFoundError
        If the zone is unknown here.
    """
    return NightRule(zone=ZoneInfo(zone))


def night_of(instant: datetime, rule: NightRule) -> date:
    """Return the night that an aware instant belongs to; of its bounds, the first is within."""
    if rule.zone is None:
        return (instant.astimezone(UTC) - rule.offset).date()
    return (instant.astimezone(rule.zone).replace(tzinfo=None) - _NOON).date()


def night_bounds(night: date, rule: NightRule) -> tuple[datetime, datetime]:
    """Return the first instant of a night and that of the next, in UTC."""
    return _start(night, rule), _start(night + _DAY, rule)


def _start(night: date, rule: NightRule) -> datetime:
    if rule.zone is None:
        return datetime.combine(night, time(0), UTC) + rule.offset
    return datetime.combine(night, time(12), rule.zone).astimezone(UTC)
