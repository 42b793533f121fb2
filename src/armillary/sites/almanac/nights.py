"""Which nights a site has, within what the ephemeris covers, and which instants callers mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from armillary.sites.almanac.errors import BadInstant
from armillary.sites.almanac.models import Night, SitePlace
from armillary.sites.almanac.places import number_of
from armillary.sky.almanac import Horizon, Place
from armillary.sky.ephemeris import FIRST_NIGHT, LAST_NIGHT, Floats, check_covered, is_at_hand, table_for
from armillary.sky.errors import OutsideEphemeris
from armillary.sky.nights import night_bounds, night_of
from armillary.sky.timescales import tai_day_from_utc

MARGIN_DAY = 2.0
"""How far beyond the ends of nights anything is looked for."""
_DAY = timedelta(days=1)
_SPACE_OFFSET = re.compile(r"(:[0-9.]+) ([0-9]{2}(:?[0-9]{2})?)$")
"""An offset whose plus became a space when a URL was decoded."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_instant(value: Any) -> datetime:
    """Return the instant that a number of seconds since 1970, or an ISO date, is. Without offset it is UTC.

    Raises
    ------
    BadInstant
        If it is neither.
    OutsideEphemeris
        If it is an instant far outside of what the ephemeris covers.
    """
    seconds = number_of(value)
    if seconds is None and not isinstance(value, str):
        raise BadInstant
    try:
        instant = _instant(str(value)) if seconds is None else _EPOCH + timedelta(seconds=seconds)
    except ValueError as error:
        raise BadInstant from error
    except OverflowError as error:
        raise OutsideEphemeris from error
    if not FIRST_NIGHT - _DAY <= instant.date() <= LAST_NIGHT + 2 * _DAY:
        raise OutsideEphemeris
    return instant


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(_SPACE_OFFSET.sub(r"\1+\2", text.strip()))
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def night_holding(place: SitePlace, instant: datetime) -> Night:
    """Return the night of a site that an instant belongs to.

    Raises
    ------
    OutsideEphemeris
    """
    night = night_of(instant, place.rule)
    check_covered(night, night)
    return Night(night, *night_bounds(night, place.rule))


def start_of_night(place: SitePlace, night: date) -> datetime:
    """Return the first instant of the night that is named by a date.

    Raises
    ------
    OutsideEphemeris
    """
    check_covered(night, night)
    return night_bounds(night, place.rule)[0]


def nights_of_year(place: SitePlace, year: int) -> list[Night]:
    """Return the nights whose evenings are in a year, as far as the ephemeris goes.

    A date that a change of the zone leaves out, as Samoa did, has none.

    Raises
    ------
    OutsideEphemeris
        If there is none.
    """
    if not FIRST_NIGHT.year <= year <= LAST_NIGHT.year:
        raise OutsideEphemeris
    first, last = max(date(year, 1, 1), FIRST_NIGHT), min(date(year, 12, 31), LAST_NIGHT)
    dates = [first + k * _DAY for k in range((last - first).days + 1)]
    nights = [Night(one, *night_bounds(one, place.rule)) for one in dates]
    return [one for one in nights if one.start < one.end]


def bounds_of(nights: Sequence[Night]) -> tuple[Floats, Floats]:
    """Return the first and last instants of nights as days of TAI."""
    starts = np.array([tai_day_from_utc(one.start) for one in nights])
    ends = np.array([tai_day_from_utc(one.end) for one in nights])
    return starts, ends


def is_prompt(night: Night) -> bool:
    """Tell whether a night takes a millisecond or two only, since the table of its year is at hand."""
    start, end = tai_day_from_utc(night.start), tai_day_from_utc(night.end)
    return is_at_hand(start - MARGIN_DAY, end + MARGIN_DAY)


def horizon_of(place: SitePlace, start: float, end: float) -> Horizon:
    """Return what is seen at sea level between two times, days of TAI, and a little around them."""
    table = table_for(start - MARGIN_DAY, end + MARGIN_DAY)
    return Horizon(table, Place(place.latitude_deg, place.longitude_deg))
