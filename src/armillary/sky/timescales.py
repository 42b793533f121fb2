"""From the time scales of headers to UTC. Instants are aware UTC datetimes everywhere else."""

from __future__ import annotations

import re
from bisect import bisect_right
from datetime import UTC, datetime, timedelta

_JANUARIES = (
    1972,
    1973,
    1974,
    1975,
    1976,
    1977,
    1978,
    1979,
    1980,
    1988,
    1990,
    1991,
    1996,
    1999,
    2006,
    2009,
    2017,
)
_JULIES = (1972, 1981, 1982, 1983, 1985, 1992, 1993, 1994, 1997, 2012, 2015)
_LEAPS = sorted([(year, 1) for year in _JANUARIES] + [(year, 7) for year in _JULIES])
"""First months with one more leap second, from TAI-UTC = 10 s (IERS Bulletin C; none announced after)."""

_STARTS = tuple(
    datetime(year, month, 1, tzinfo=UTC) + timedelta(seconds=10 + n) for n, (year, month) in enumerate(_LEAPS)
)
LEAP_DATES = tuple(datetime(year, month, 1, tzinfo=UTC) for year, month in _LEAPS)
_TAI_DAY_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)
_TT_MINUS_TAI = timedelta(seconds=32.184)
_TAI_MINUS_GPS = timedelta(seconds=19)

SCALES = ("UTC", "TAI", "TT", "GPS", "TDB", "TCG", "TCB")
"""Values of TIMESYS that are understood (FITS 4.0, section 9.2.1); UT1 and GMT count as UTC."""
_REALISATION = re.compile(r"([A-Z0-9]*)\s*(?:\(.*\))?", re.DOTALL)
_COORDINATE_EPOCH = datetime(1977, 1, 1, 0, 0, 32, 184000, tzinfo=UTC)
"""When TT, TCG and TCB told the same at the geocentre: 1977 January 1.0 TAI (IAU 1991, recommendation III)."""
_TCG_RATE = 6.969290134e-10
"""1 - dTT/dTCG (IAU 2000, resolution B1.9)."""
_TCB_RATE = 1.550519768e-8
"""1 - dTDB/dTCB (IAU 2006, resolution B3)."""


def utc_from_scale(reading: datetime, scale: str) -> datetime:
    """Return the UTC instant of a clock reading (labelled UTC) on one of ``SCALES``.

    A realisation in parentheses, as in ``TT(TAI)``, makes no difference that a search could see. TDB counts as
    TT, from which it never differs by more than 2 ms (FITS 4.0, table 30).

    Raises
    ------
    ValueError
        If the scale is another one; so is ``LOCAL``, of which a header tells nothing else.
    """
    found = _REALISATION.fullmatch(scale.strip().upper())
    match found[1] if found else None:
        case "UTC" | "UT" | "UT1" | "GMT" | "":
            return reading
        case "TAI" | "IAT":
            return utc_from_tai(reading)
        case "TT" | "TDT" | "ET" | "TDB":
            return _utc_from_tt(reading)
        case "TCG":
            return _utc_from_tt(reading - (reading - _COORDINATE_EPOCH) * _TCG_RATE)
        case "TCB":
            return _utc_from_tt(reading - (reading - _COORDINATE_EPOCH) * _TCB_RATE)
        case "GPS":
            return utc_from_tai(reading + _TAI_MINUS_GPS)
    raise ValueError(f"unknown time scale {scale!r}; known are {', '.join(SCALES)}")


def _utc_from_tt(reading: datetime) -> datetime:
    return utc_from_tai(reading - _TT_MINUS_TAI)


def utc_from_tai(reading: datetime) -> datetime:
    """Return the UTC instant of a TAI reading; before 1972 the offset of 10 s is used throughout."""
    leaps = bisect_right(_STARTS, reading)
    return reading - timedelta(seconds=9 + max(leaps, 1))


def tai_from_utc(instant: datetime) -> datetime:
    """Return the TAI reading (labelled UTC) of an instant; before 1972 the offset of 10 s is used throughout."""
    leaps = bisect_right(LEAP_DATES, instant)
    return instant + timedelta(seconds=9 + max(leaps, 1))


def tai_day_from_utc(instant: datetime) -> float:
    """Return the days of TAI from 2000-01-01 00:00 TAI to an instant."""
    return (tai_from_utc(instant) - _TAI_DAY_EPOCH) / timedelta(days=1)


def utc_from_tai_day(tai_day: float) -> datetime:
    """Return the instant of a day of TAI since 2000-01-01 00:00 TAI, to the microsecond."""
    return utc_from_tai(_TAI_DAY_EPOCH + timedelta(days=tai_day))


def utc_from_mjd(mjd: float) -> datetime:
    """Return the instant of a modified Julian date, to the microsecond that a float still tells.

    Raises
    ------
    ValueError
        If it is not finite or outside the years 1 to 9999.
    """
    try:
        return _MJD_EPOCH + timedelta(days=mjd)
    except (OverflowError, ValueError) as error:
        raise ValueError(f"no modified Julian date: {mjd!r}") from error
