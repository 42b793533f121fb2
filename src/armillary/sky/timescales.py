"""From the time scales of headers to UTC. Instants are aware UTC datetimes everywhere else."""

from __future__ import annotations

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
_MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)
_TT_MINUS_TAI = timedelta(seconds=32.184)
_TAI_MINUS_GPS = timedelta(seconds=19)

SCALES = ("UTC", "TAI", "TT", "GPS")
"""Values of TIMESYS that are understood (FITS 4.0, section 9.2.1); UT1 and GMT count as UTC."""


def utc_from_scale(reading: datetime, scale: str) -> datetime:
    """Return the UTC instant of a clock reading (labelled UTC) on one of ``SCALES``.

    Raises
    ------
    ValueError
        If the scale is another one.
    """
    match scale.strip().upper():
        case "UTC" | "UT" | "UT1" | "GMT" | "":
            return reading
        case "TAI" | "IAT":
            return utc_from_tai(reading)
        case "TT" | "TDT" | "ET":
            return utc_from_tai(reading - _TT_MINUS_TAI)
        case "GPS":
            return utc_from_tai(reading + _TAI_MINUS_GPS)
    raise ValueError(f"unknown time scale {scale!r}; known are {', '.join(SCALES)}")


def utc_from_tai(reading: datetime) -> datetime:
    """Return the UTC instant of a TAI reading; before 1972 the offset of 10 s is used throughout."""
    leaps = bisect_right(_STARTS, reading)
    return reading - timedelta(seconds=9 + max(leaps, 1))


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
