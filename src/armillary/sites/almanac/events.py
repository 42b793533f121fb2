"""The events of a night: when a site cools down, opens, takes flats, observes and closes.

Each is a passage of the centre of the Sun through an altitude (no refraction, sea level), or so many seconds
before or after one; offsets are seconds of TAI.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np

from armillary.sites.almanac.models import Missing, Night, SitePlace, TimedEvent
from armillary.sites.almanac.nights import bounds_of, horizon_of
from armillary.sky.passages import Passages, passages_of

MIDDLE = "Middle of Night"
_MIN = 60.0
_DAY_S = 86_400.0
_SET, _CIVIL, _NAUTICAL, _ASTRONOMICAL, _FLATS, _BRIGHT = 0.25, 6.0, 12.0, 18.0, 11.75, 1.5
_DEPRESSIONS = (_SET, _BRIGHT, _CIVIL, _FLATS, _NAUTICAL, _ASTRONOMICAL)
ALTITUDES = tuple(-one for one in _DEPRESSIONS)
"""What the centre of the Sun passes, in degrees."""


@dataclass(frozen=True, slots=True)
class Formula:
    """An event: so many seconds after the Sun has sunk that many degrees below the horizon, or rises to there."""

    name: str
    dawn: bool
    depression_deg: float
    offset_s: float = 0.0


def _dusk(name: str, depression_deg: float, offset_s: float = 0.0) -> Formula:
    return Formula(name, False, depression_deg, offset_s)


def _dawn(name: str, depression_deg: float, offset_s: float = 0.0) -> Formula:
    return Formula(name, True, depression_deg, offset_s)


EVENING = (
    _dusk("Eve Bias Dark", _SET, -(637 * _MIN + 40)),
    _dusk("End Eve Bias Dark", _SET, -(157 * _MIN + 40)),
    _dusk("Eve Scrn Flats", _SET, -(151 * _MIN + 15)),
    _dusk("End Eve Scrn Flats", _SET, -(61 * _MIN + 15)),
    _dusk("Ops Window Start", _SET, -60 * _MIN),
    _dusk("Cool Down, Open", _SET, -59.5 * _MIN),
    _dusk("Eve Sky Flats", _SET, -30 * _MIN),
    _dusk("Sun Set", _SET),
    _dusk("Civil Dusk", _CIVIL),
    _dusk("End Eve Sky Flats", _FLATS),
    _dusk("Clock & Auto Focus", _FLATS, 1 * _MIN),
    _dusk("Naut Dusk", _NAUTICAL),
    _dusk("Observing Begins", _NAUTICAL, 5 * _MIN),
    _dusk("Astro Dark", _ASTRONOMICAL),
)
"""The events before the middle of the night, in their usual order.

Screen flats take an hour and a half after whose end the longest one still fits (75 s); bias and dark frames eight
hours, the longest of them 385 s.
"""
MORNING = (
    _dawn("End Astro Dark", _ASTRONOMICAL),
    _dawn("Observing Ends", _NAUTICAL, -5 * _MIN),
    _dawn("Final Clock & Auto Focus", _NAUTICAL, -4 * _MIN),
    _dawn("Naut Dawn", _NAUTICAL),
    _dawn("Morn Sky Flats", _FLATS),
    _dawn("Civil Dawn", _CIVIL),
    _dawn("End Morn Sky Flats", _BRIGHT),
    _dawn("Ops Window Closes", _BRIGHT, 0.5 * _MIN),
    _dawn("Sunrise", _SET),
)
MOON_RISE, MOON_SET = "Moon Rise", "Moon Set"
NAMES = (*(one.name for one in EVENING), MIDDLE, *(one.name for one in MORNING), MOON_RISE, MOON_SET)
"""All events; those of the Sun in their usual order."""


def events_of(place: SitePlace, nights: Sequence[Night]) -> list[list[TimedEvent]]:
    """Return the events of nights, each ordered by time.

    An event that does not occur stands behind the one that usually comes before it; rise and set of the Moon are
    left out where there is none in a night.
    """
    starts, ends = bounds_of(nights)
    horizon = horizon_of(place, starts[0], ends[-1])
    passages = passages_of(horizon, starts, ends, ALTITUDES)
    return [_ordered(list(_sun_events(passages, k)), _moon_events(passages, k)) for k in range(len(nights))]


def _sun_events(passages: Passages, night: int) -> Iterator[TimedEvent]:
    """Yield the events of the Sun in one night, in their usual order."""
    yield from (_event(one, passages, night) for one in EVENING)
    sunset, sunrise = passages.dusk[night, 0], passages.dawn[night, 0]
    middle = float(sunset + (sunrise - sunset) / 2.0)
    yield (
        TimedEvent(MIDDLE, None, _reason(passages, night, 0)) if isnan(middle) else TimedEvent(MIDDLE, middle)
    )
    yield from (_event(one, passages, night) for one in MORNING)


def _event(formula: Formula, passages: Passages, night: int) -> TimedEvent:
    level = _DEPRESSIONS.index(formula.depression_deg)
    passage = float((passages.dawn if formula.dawn else passages.dusk)[night, level])
    if isnan(passage):
        return TimedEvent(formula.name, None, _reason(passages, night, level))
    return TimedEvent(formula.name, passage + formula.offset_s / _DAY_S)


def _reason(passages: Passages, night: int, level: int) -> Missing:
    return Missing.STAYS_ABOVE if passages.above[night, level] else Missing.STAYS_BELOW


def _moon_events(passages: Passages, night: int) -> list[TimedEvent]:
    found = ((MOON_RISE, passages.moon_rise[night]), (MOON_SET, passages.moon_set[night]))
    return [TimedEvent(name, float(when)) for name, when in found if not np.isnan(when)]


def _ordered(sun: list[TimedEvent], moon: list[TimedEvent]) -> list[TimedEvent]:
    """Order events by time, those without a time right behind the one that comes before them in the list."""
    keys, last = [], float("-inf")
    for event in sun:
        last = last if event.tai_day is None else event.tai_day
        keys.append(last)
    keys += [event.tai_day or 0.0 for event in moon]
    # The sort is stable: of equal keys, the usual order decides.
    order = sorted(range(len(keys)), key=keys.__getitem__)
    events = [*sun, *moon]
    return [events[k] for k in order]
