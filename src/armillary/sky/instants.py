"""Instants as integers: nanoseconds of TAI since 1970-01-01T00:00:00 TAI, and how headers write them.

Integers, because telemetry is ordered by them and a float of this size tells only a quarter of a microsecond.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from datetime import UTC, date, datetime
from typing import Final

from armillary.sky.timescales import LEAP_DATES

SECOND: Final = 1_000_000_000
_DAY_S: Final = 86_400
_DAY: Final = _DAY_S * SECOND
_MS: Final = 1_000_000
_NOON: Final = _DAY // 2
_MJD_EPOCH: Final = 40_587
"""The modified Julian date of 1970-01-01."""
_TT_MINUS_TAI: Final = 32_184 * _MS
_TAI_MINUS_GPS: Final = 19 * SECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()

_LEAP_DAYS = tuple((one - _EPOCH).days for one in LEAP_DATES)
_LEAP_STARTS = tuple((day * _DAY_S + 10 + n) * SECOND for n, day in enumerate(_LEAP_DAYS))
"""The first instants with TAI-UTC = 10 s, 11 s and so on, in TAI."""

CLOCKS = ("tai", "utc", "unix")
"""What clocks sources have: seconds of TAI, or of UTC without leap seconds, both since 1970."""
HEADER_SCALES = ("TAI", "UTC", "TT", "TDB", "GPS")
"""Values of TIMESYS that headers are written in."""

_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?)?Z?", re.ASCII)


def ns_of(seconds: float) -> int:
    """Return seconds as whole nanoseconds.

    Raises
    ------
    ValueError
        If the number is not finite.
    """
    if not math.isfinite(seconds):
        raise ValueError(f"no time: {seconds!r}")
    # The whole seconds apart: multiplied together, both would lose what a float of this size cannot tell.
    whole = math.floor(seconds)
    return whole * SECOND + round((seconds - whole) * SECOND)


def tai_of_clock(seconds: float, clock: str) -> int:
    """Return the instant that a clock of ``CLOCKS`` tells as seconds since 1970."""
    ns = ns_of(seconds)
    return ns if clock == "tai" else tai_of_utc(ns)


def tai_of_utc(utc_ns: int) -> int:
    """Return the instant of nanoseconds of UTC since 1970, leap seconds not counted (POSIX time)."""
    leaps = bisect_right(_LEAP_DAYS, utc_ns // _DAY)
    return utc_ns + (9 + max(leaps, 1)) * SECOND


def tai_of_datetime(instant: datetime) -> int:
    """Return the TAI nanoseconds of an aware datetime."""
    since = instant - _EPOCH
    return tai_of_utc((since.days * _DAY_S + since.seconds) * SECOND + since.microseconds * 1000)


def leap_offset(tai_ns: int) -> int:
    """Return TAI-UTC in seconds at an instant; before 1972, 10 s throughout."""
    return 9 + max(bisect_right(_LEAP_STARTS, tai_ns), 1)


def reading(tai_ns: int, scale: str) -> int:
    """Return what a clock of a scale of ``HEADER_SCALES`` shows at an instant, in nanoseconds since its 1970.

    Raises
    ------
    ValueError
        If the scale is another one.
    """
    match scale:
        case "TAI":
            return tai_ns
        case "UTC":
            return tai_ns - leap_offset(tai_ns) * SECOND
        case "TT":
            return tai_ns + _TT_MINUS_TAI
        case "TDB":
            return tai_ns + _TT_MINUS_TAI + _tdb_minus_tt(tai_ns)
        case "GPS":
            return tai_ns - _TAI_MINUS_GPS
    raise ValueError(f"unknown time scale {scale!r}; known are {', '.join(HEADER_SCALES)}")


def _tdb_minus_tt(tai_ns: int) -> int:
    """Return TDB-TT in nanoseconds, to 10 microseconds (USNO Circular 179, equation 2.6, largest terms)."""
    t = (tai_ns / _DAY - 10_957.5) / 36_525
    return round(
        1e9
        * (
            0.001657 * math.sin(628.3076 * t + 6.2401)
            + 0.000022 * math.sin(575.3385 * t + 4.2970)
            + 0.000014 * math.sin(1256.6152 * t + 6.1969)
        )
    )


def iso_ms(tai_ns: int, scale: str = "TAI") -> str:
    """Return an instant as FITS writes it, to the nearest millisecond (FITS 4.0, section 9.1.1)."""
    # UTC is rounded first: what is added may end a leap second. TDB runs at another rate, and is rounded itself.
    if scale == "TDB":
        shown = _to_ms(reading(tai_ns, scale))
    else:
        tai_ns = _to_ms(tai_ns)
        shown = reading(tai_ns, scale)
    leap = scale == "UTC" and _is_leap_second(tai_ns)
    seconds, rest = divmod(shown - leap * SECOND, SECOND)
    days, second = divmod(seconds, _DAY_S)
    day = date.fromordinal(_EPOCH_ORDINAL + days)
    minutes, second = divmod(second, 60)
    hour, minute = divmod(minutes, 60)
    return f"{day.isoformat()}T{hour:02d}:{minute:02d}:{second + leap:02d}.{rest // _MS:03d}"


def _to_ms(ns: int) -> int:
    return (ns + _MS // 2) // _MS * _MS


def _is_leap_second(tai_ns: int) -> bool:
    """Tell whether UTC reads 23:59:60 at an instant."""
    after = bisect_right(_LEAP_STARTS, tai_ns + SECOND)
    return after > 1 and tai_ns < _LEAP_STARTS[after - 1] and tai_ns >= _LEAP_STARTS[after - 1] - SECOND


def mjd(tai_ns: int, scale: str = "TAI") -> float:
    """Return the modified Julian date of an instant in a scale: the double next to it.

    A day of UTC with a leap second is divided by 86401 s, as SOFA and astropy do.
    """
    shown = reading(tai_ns, scale)
    if scale != "UTC":
        return _mjd(shown, _DAY)
    leap = _is_leap_second(tai_ns)
    day = (shown - leap * SECOND) // _DAY
    length = _DAY + SECOND * (day + 1 in _LEAP_DAYS[1:])
    return ((_MJD_EPOCH + day) * length + shown - day * _DAY) / length


def _mjd(shown: int, length: int) -> float:
    # One division of integers is rounded once.
    return (_MJD_EPOCH * length + shown) / length


def tai_of_iso(text: str, scale: str = "TAI") -> int:
    """Return the instant that a date of a header tells in a scale of ``HEADER_SCALES``.

    Raises
    ------
    ValueError
        If the text has another form, or the scale is unknown.
    """
    found = _ISO.fullmatch(text.strip())
    if not found:
        raise ValueError(f"no date: {text!r}")
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    if hour > 23 or minute > 59 or second > 60 - (scale != "UTC"):
        raise ValueError(f"no time of day: {text!r}")
    days = date(year, month, day).toordinal() - _EPOCH_ORDINAL
    fraction = int((found[7] or "").ljust(9, "0"))
    shown = (days * _DAY_S + hour * 3600 + minute * 60 + second) * SECOND + fraction
    match scale:
        case "UTC":
            # Of the leap second, the offset is that of the day which it ends.
            return tai_of_utc(days * _DAY) + shown - days * _DAY
        case "TDB":
            tai = shown - _TT_MINUS_TAI
            return tai - _tdb_minus_tt(tai)
    return shown - reading(0, scale)


def observing_day(tai_ns: int) -> int:
    """Return the date of TAI twelve hours before an instant, as YYYYMMDD."""
    day = date.fromordinal(_EPOCH_ORDINAL + (tai_ns - _NOON) // _DAY)
    return day.year * 10_000 + day.month * 100 + day.day
