"""Hour angles against sidereal time and right ascension, and against the turning of the sky."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from armillary.headers.rules.instants import DAY, Span, offset_from_utc, span_of, tai_minus_utc
from armillary.headers.rules.models import Deviation, Group, Rule, Severity
from armillary.headers.rules.places import place_of
from armillary.headers.rules.sheet import Sheet, sexagesimal
from armillary.headers.rules.target import TURN_PER_SECOND, Frame, Target, target_of, wrap

_SECONDS = 240.0
"""Seconds of time in a degree."""
_NAMED = 1.5
"""Seconds within which another instant is believed to be the cause: programs may leave out UT1-UTC."""
_LST = ("LST-OBS", "LST", "ST", "LSTHDR")


@dataclass(frozen=True, slots=True)
class Shift:
    """An instant for which a value may have been computed: seconds after the nominal one, and what to call it."""

    seconds: float
    name: str = ""
    innocent: bool = True
    """Whether the header leaves it open, so that nothing is wrong."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A hypothesis that explains a value: what it is off by as declared, and what is left then, in seconds."""

    frame: Frame
    value_deg: float
    off: float
    left: float
    words: tuple[str, ...]

    @property
    def cost(self) -> float:
        """How far-fetched it is: each assumption weighs as much as two seconds that are left."""
        return abs(self.left) + 2.0 * len(self.words)


def hour_angle_readings(sheet: Sheet, keyword: str) -> list[tuple[float, str]]:
    """Return what an hour angle may mean in degrees: as declared, or in degrees and in hours."""
    found = sexagesimal(sheet.value(keyword))
    if found is not None:
        return [(wrap(found), "")]
    number = sheet.number(keyword)
    if number is None:
        return []
    unit = sheet.unit(keyword).lower()
    if unit in ("h", "hours", "hr", "sexagesimal"):
        return [(number * 15.0, ""), (number, "in degrees")]
    if unit in ("deg", "degrees"):
        return [(number, ""), (number * 15.0, "in hours")]
    return [(number, ""), (number * 15.0, "")]


def shifts(span: Span, nominal: float, *, free: bool = False) -> list[Shift]:
    """Return the instants that a value may be of: the nominal one, scales mixed up, other moments, and both.

    Parameters
    ----------
    free
        Whether the header leaves open of which moment of the exposure the value is.
    """
    lost = _lost_scale(span, nominal)
    moments = [
        Shift(one - nominal, name, free)
        for one, name in (
            (span.begin.seconds if span.begin else None, "computed for the beginning"),
            (span.finish, "computed for the end"),
            (_middle(span), "computed for the middle of the exposure"),
        )
        if one is not None and 1e-3 < abs(one - nominal) < DAY / 2
    ]
    late = span.created.seconds - span.begin.seconds if span.created and span.begin else 0.0
    if 1e-3 < abs(late) < DAY / 2:
        moments.append(Shift(late, f"computed from DATE, {late:g} s after the beginning", free))
    # A reading that is used as if it were UTC lies `lost` later in real time than it says.
    both = [
        Shift(one.seconds + seconds, f"{one.name}; {said}", False)
        for one in moments
        for seconds, said in lost
    ]
    return [Shift(0.0), *(Shift(seconds, said, False) for seconds, said in lost), *moments, *both]


def _lost_scale(span: Span, nominal: float) -> list[tuple[float, str]]:
    ahead = offset_from_utc(span.scale, nominal)
    if ahead:
        return [(ahead, f"{span.scale} used as UTC: {span.scale}-UTC lost ({ahead:g} s)")]
    leap = tai_minus_utc(int(nominal // DAY))
    return [(-leap, f"times are TAI, not {span.scale}: TAI-UTC not taken off ({leap:g} s)")]


def _middle(span: Span) -> float | None:
    return (span.begin.seconds + span.finish) / 2 if span.begin and span.finish is not None else None


def hour_angles(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Compare each hour angle with LAST - RA at its moment."""
    span = span_of(sheet)
    if span.begin is None or not sheet.sidereal:
        return
    for keyword in ("HASTART", "HA", "HAEND"):
        readings = hour_angle_readings(sheet, keyword)
        target = target_of(sheet, end=keyword == "HAEND") if readings else None
        nominal = span.finish if keyword == "HAEND" else span.begin.seconds
        if target is None or nominal is None or not -1 < nominal - span.begin.seconds < DAY / 4:
            continue
        sidereal = target.sidereal_deg + (nominal - span.begin.seconds) * TURN_PER_SECOND
        limits = [_limit(frame, tolerance) + span.begin.rounding for frame in target.frames]
        bases = [
            (frame, limit, value, unit, wrap(value - sidereal + frame.ra) * _SECONDS)
            for value, unit in readings
            for frame, limit in zip(target.frames, limits, strict=True)
        ]
        if any(frame.declared and not unit and abs(off) <= limit for frame, limit, _, unit, off in bases):
            continue
        moments = shifts(span, nominal, free=keyword == "HA")
        if found := _explain(bases, moments):
            yield _told(sheet, keyword, found)
        elif found is None:
            first = bases[0]
            turned = _turned(target, sidereal, readings, tolerance)
            yield _told(sheet, keyword, turned or Fit(first[0], first[2], first[4], first[4], ()))


def _limit(frame: Frame, tolerance: float) -> float:
    return tolerance / max(math.cos(math.radians(frame.dec)), 0.1)


_Base = tuple[Frame, float, float, str, float]


def _explain(bases: list[_Base], moments: list[Shift]) -> Fit | Literal[False] | None:
    """Return the likeliest explanation of a difference; False if nothing is wrong, None if nothing explains it."""
    best: Fit | None = None
    for shift in moments:
        turn = shift.seconds * 1.00273790935
        for frame, limit, value, unit, off in bases:
            left = (off - turn + 43200.0) % 86400.0 - 43200.0
            if abs(left) > limit:
                continue
            if frame.declared and not unit and shift.innocent:
                return False
            if shift.name and abs(left) > _NAMED:
                continue
            words = tuple(word for word in (frame.name, unit, shift.name) if word)
            fit = Fit(frame, value, off, left, words)
            if best is None or fit.cost < best.cost:
                best = fit
    return best


def _turned(
    target: Target, sidereal: float, readings: list[tuple[float, str]], tolerance: float
) -> Fit | None:
    """Return whether the sign, a turn or the sense of longitude explains a difference."""
    for value, unit in readings:
        for frame in target.frames:
            limit = _limit(frame, tolerance) / _SECONDS
            true = sidereal - frame.ra
            wrong = (
                (wrap(value + true), "sign reversed"),
                (wrap(value - true - 180.0), "half a turn off"),
                (wrap(value - true + 2 * target.place.longitude), "longitude taken to the west"),
                (wrap(value - true + target.place.longitude), "Greenwich sidereal time used"),
            )
            for left, name in wrong:
                if abs(left) <= limit:
                    words = tuple(word for word in (frame.name, unit, name) if word)
                    return Fit(frame, value, wrap(value - true) * _SECONDS, left * _SECONDS, words)
    return None


def _told(sheet: Sheet, keyword: str, fit: Fit) -> Deviation:
    expected = wrap(fit.value_deg - fit.off / _SECONDS)
    words = list(fit.words)
    if words and not fit.frame.declared:
        words[0] += f", although the header declares {sheet.word('RADESYS', 'RADECSYS', 'FRAME') or 'J2000'}"
    return Deviation(
        keyword=keyword,
        expected=round(expected, 6),
        actual=round(fit.value_deg, 6),
        residual=round(fit.off, 4),
        hypothesis="; ".join(words) or None,
        text=f"{keyword} is {abs(fit.off):.1f} s {'ahead of' if fit.off > 0 else 'behind'} sidereal time"
        " less right ascension; expected and actual in degrees.",
    )


def hour_angle_rate(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Compare HAEND - HASTART with the turning of the sky between beginning and end."""
    first, last = hour_angle_readings(sheet, "HASTART"), hour_angle_readings(sheet, "HAEND")
    if not first:
        first = hour_angle_readings(sheet, "HA")
    span = span_of(sheet)
    if not first or not last or span.begin is None or span.finish is None or not sheet.sidereal:
        return
    length = span.finish - span.begin.seconds
    if not 0 < length < DAY / 4:
        return
    wanted = length * TURN_PER_SECOND * _SECONDS
    both = [
        (wrap(b - a) * _SECONDS, a_unit)
        for (a, a_unit), (b, b_unit) in zip(first, last, strict=False)
        if a_unit == b_unit
    ]
    limit = tolerance + 0.02 * length
    if not both or any(abs(rate - wanted) <= limit for rate, unit in both if not unit):
        return
    rate, unit = min(both, key=lambda one: abs(one[0] - wanted))
    fits = abs(rate - wanted) <= limit
    if not fits:
        rate, unit = both[0]
    hypothesis = (
        unit
        if fits
        else "the same value twice"
        if rate == 0
        else "sign reversed"
        if abs(rate + wanted) <= limit
        else None
    )
    yield Deviation("HASTART, HAEND", round(wanted, 3), round(rate, 3), round(rate - wanted, 3), hypothesis)


def sidereal_times(sheet: Sheet, tolerance: float) -> Iterator[Deviation]:
    """Compare a sidereal time with that of the site."""
    span, target = span_of(sheet), None
    keyword = next((key for key in _LST if sexagesimal(sheet.value(key)) is not None), None)
    if keyword is None or span.begin is None:
        return
    target = sidereal_of(sheet)
    stated = sexagesimal(sheet.value(keyword))
    if target is None or stated is None:
        return
    off = wrap(stated - target) * _SECONDS
    limit = tolerance + span.begin.rounding
    if abs(off) <= limit:
        return
    explained = [
        one
        for one in shifts(span, span.begin.seconds, free=True)
        if abs(wrap(off / _SECONDS - one.seconds * TURN_PER_SECOND)) * _SECONDS <= limit
    ]
    if any(one.innocent for one in explained):
        return
    yield Deviation(
        keyword,
        round(target / 15.0, 6),
        round(stated / 15.0, 6),
        round(off, 3),
        explained[0].name if explained else None,
        text=f"{keyword} is not the sidereal time of the site during the exposure; expected and actual in hours.",
    )


def sidereal_of(sheet: Sheet) -> float | None:
    """Return the sidereal time of the site at the beginning of an exposure, in degrees."""
    span, place = span_of(sheet), place_of(sheet)
    if span.begin is None or place is None or span.begin.rounding > 30:
        return None
    return span.local_sidereal_deg(place.longitude)


RULES = (
    Rule(
        "hour-angle",
        Group.HOUR_ANGLE,
        Severity.ERROR,
        "HASTART, HA, HAEND, RA, DEC, DATE-BEG, DATE-END, TIMESYS, RADESYS, site",
        "HA = LAST - RA",
        "The hour angle is not the local sidereal time less right ascension.",
        hour_angles,
        tolerance=3.0,
        unit="s",
        hypotheses=(
            "RA of date, or of J2000",
            "degrees, or hours",
            "TAI-UTC lost, or not taken off",
            "another moment: beginning, end, middle, DATE",
            "sign, half a turn, longitude to the west, Greenwich",
        ),
    ),
    Rule(
        "hour-angle-rate",
        Group.HOUR_ANGLE,
        Severity.ERROR,
        "HASTART, HAEND, DATE-BEG, DATE-END, EXPTIME",
        "HAEND - HASTART = 1.0027379 (end - begin)",
        "The hour angle did not change as the sky turned; expected and actual in seconds.",
        hour_angle_rate,
        tolerance=1.5,
        unit="s",
        hypotheses=("degrees, or hours", "sign", "one value twice"),
    ),
    Rule(
        "sidereal-time",
        Group.HOUR_ANGLE,
        Severity.WARNING,
        "LST-OBS, LST, ST, DATE-BEG, TIMESYS, site",
        "LST = LAST of the site at the beginning",
        "The sidereal time is not that of the site.",
        sidereal_times,
        tolerance=3.0,
        unit="s",
        hypotheses=("TAI-UTC lost, or not taken off", "another moment: end, middle, DATE"),
    ),
)
