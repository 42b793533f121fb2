"""Rises of the Moon with the transit and the set that follow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np

from armillary.sites.almanac.errors import BadInstant, BadSpan, SpanTooLong
from armillary.sites.almanac.models import MoonPassage
from armillary.sites.almanac.places import check_position
from armillary.sky.almanac import MOON_CENTRE, Horizon, Place, illumination
from armillary.sky.ephemeris import MOON, check_covered, table_for
from armillary.sky.passages import MOON_DEG
from armillary.sky.timescales import tai_day_from_utc, utc_from_tai_day

LONGEST = timedelta(days=400)
_STEP_DAY = 1.0 / 48.0
_MARGIN_DAY = 2.0
_HALF_SECOND = timedelta(milliseconds=500)


def read_moment(text: str) -> datetime:
    """Return the instant that an ISO time with an offset is.

    Raises
    ------
    BadInstant
        If it is none, or has no time of day or no offset.
    """
    try:
        found = datetime.fromisoformat(text.strip())
        if found.tzinfo is None:
            raise BadInstant
        return found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInstant from error


def moon_passages(
    latitude_deg: float, longitude_deg: float, start: datetime, end: datetime
) -> list[MoonPassage]:
    """Return the rises within two instants whose set is within them, too: the centre at -34 arcminutes.

    Times are whole seconds. The transit is the first after the rise, and the illumination that at the transit.

    Raises
    ------
    BadPosition, BadSpan, SpanTooLong, OutsideEphemeris
    """
    check_position(latitude_deg, longitude_deg)
    if end < start:
        raise BadSpan
    if end - start > LONGEST:
        raise SpanTooLong
    check_covered(start.date(), end.date())
    first, last = tai_day_from_utc(start), tai_day_from_utc(end)
    table = table_for(first - _MARGIN_DAY, last + _MARGIN_DAY)
    horizon = Horizon(table, Place(latitude_deg, longitude_deg))
    # One sample more on either side shows a culmination beside an end.
    times = first + np.arange(-1, (last - first) / _STEP_DAY + 2) * _STEP_DAY
    found = horizon.crossings([MOON_CENTRE], times[None, :], np.array([[MOON_DEG]]))
    within = (found.tai_day >= first) & (found.tai_day <= last)
    passages = list(zip(found.rising[within], found.tai_day[within], strict=True))
    pairs = [(rise, sets) for (up, rise), (_, sets) in pairwise(passages) if up]
    if not pairs:
        return []
    transits = horizon.next_transits(MOON, np.array([rise for rise, _ in pairs]))
    lit = illumination(table, transits)
    return [
        MoonPassage(_whole(rise), _whole(transit), _whole(sets), float(fraction))
        for (rise, sets), transit, fraction in zip(pairs, transits, lit, strict=True)
    ]


def _whole(tai_day: float) -> datetime:
    """Return the nearest whole second."""
    return (utc_from_tai_day(float(tai_day)) + _HALF_SECOND).replace(microsecond=0)
