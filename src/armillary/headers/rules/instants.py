"""The times of a header as seconds since MJD 0, with what they were written to, and the scale they are in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from armillary.fits.models import Value
from armillary.headers.rules.sheet import Sheet, number_of
from armillary.sky.sidereal import greenwich_deg
from armillary.sky.timescales import tai_from_utc

DAY = 86400.0
_UNIX_MJD = 40587.0
_MJD_EPOCH = datetime(1858, 11, 17)
_FIRST, _LAST = 36934.0 * DAY, 88069.0 * DAY
"""1960 and 2100: what is outside is no date of an exposure."""
_TT_MINUS_TAI, _TAI_MINUS_GPS = 32.184, 19.0
_UTC = ("UTC", "UT", "UT1", "GMT", "")
_BEGINS = ("DATE-BEG", "DATE-OBS", "DATEOBS")
_CLOCKS = ("UTC-OBS", "TIME-OBS", "UT", "UTIME", "UTSTART", "UTSHUT", "UTC", "TIME")
_MJD_BEGINS = ("MJD-BEG", "MJD-OBS", "MJD_OBS", "MJDATE", "MJD-STR")
_ENDS = ("DATE-END", "DATEEND")
_END_CLOCKS = ("UTC-END", "UTCEND", "UTSTOP", "UTEND")
_MJD_ENDS = ("MJD-END", "MJDEND")


@dataclass(frozen=True, slots=True)
class Instant:
    """A time as written: seconds since MJD 0 in the scale of the header, and half a unit of its last digit."""

    keyword: str
    seconds: float
    rounding: float


@dataclass(frozen=True, slots=True)
class Span:
    """When an exposure began and ended and when its header was written, as far as it is told."""

    scale: str
    declared: bool
    begin: Instant | None
    end: Instant | None
    created: Instant | None
    exposure: float | None

    def to_utc(self, seconds: float) -> float:
        """Return the UTC of a reading on the scale of the header."""
        return seconds - offset_from_utc(self.scale, seconds)

    def to_tai(self, seconds: float) -> float:
        """Return the TAI of a reading on the scale of the header."""
        utc = self.to_utc(seconds)
        return utc + tai_minus_utc(int(utc // DAY))

    def local_sidereal_deg(self, longitude_deg: float) -> float:
        """Return the apparent sidereal time when the exposure began; longitudes count to the east.

        Raises
        ------
        ValueError
            If no beginning is told.
        """
        if self.begin is None:
            raise ValueError("no beginning")
        since_1970 = self.to_tai(self.begin.seconds) - _UNIX_MJD * DAY
        return (greenwich_deg(round(since_1970 * 1e9)) + longitude_deg) % 360.0

    @property
    def finish(self) -> float | None:
        """The end of the exposure, by its length if no end is written."""
        if self.end:
            return self.end.seconds
        return self.begin.seconds + self.exposure if self.begin and self.exposure is not None else None


def span_of(sheet: Sheet) -> Span:
    """Return the times of a header; computed once."""
    known = sheet.cache.get("span")
    if known is None:
        known = sheet.cache["span"] = _span(sheet)
    found: Span = known
    return found


def _span(sheet: Sheet) -> Span:
    scale = sheet.word("TIMESYS").partition("(")[0]
    begin = _instant(sheet, _BEGINS, _CLOCKS, _MJD_BEGINS)
    return Span(
        scale=scale if scale and _known(scale) else "UTC",
        declared=bool(scale) and _known(scale),
        begin=begin,
        end=_instant(sheet, _ENDS, _END_CLOCKS, _MJD_ENDS) or _by_clock(sheet, begin),
        created=_dated(sheet, "DATE"),
        exposure=sheet.number("EXPTIME"),
    )


def _known(scale: str) -> bool:
    return scale in (*_UTC, "TAI", "IAT", "TT", "TDT", "ET", "TDB", "GPS")


def _instant(
    sheet: Sheet, dates: tuple[str, ...], clocks: tuple[str, ...], mjds: tuple[str, ...]
) -> Instant | None:
    for keyword in dates:
        found = _dated(sheet, keyword)
        if found is None:
            continue
        if found.rounding < DAY / 2:
            return found
        for clock in clocks:
            if (of_day := clock_of(sheet.value(clock))) is not None:
                return Instant(f"{keyword}, {clock}", found.seconds + of_day[0], of_day[1])
    for keyword in mjds:
        number = sheet.number(keyword)
        if number is not None and _FIRST < number * DAY < _LAST:
            return Instant(keyword, number * DAY, half_unit(number) * DAY)
    return None


def _by_clock(sheet: Sheet, begin: Instant | None) -> Instant | None:
    """Return the end that a bare time of day tells, on the day of the beginning or the next."""
    if begin is None:
        return None
    for clock in _END_CLOCKS:
        if (of_day := clock_of(sheet.value(clock))) is not None:
            seconds = begin.seconds // DAY * DAY + of_day[0]
            if seconds < begin.seconds - DAY / 2:
                seconds += DAY
            return Instant(clock, seconds, of_day[1])
    return None


def _dated(sheet: Sheet, keyword: str) -> Instant | None:
    found = read_date(sheet.value(keyword))
    return Instant(keyword, *found) if found else None


def read_date(value: Value) -> tuple[float, float] | None:
    """Return the seconds since MJD 0 of an ISO date and its rounding; half a day if it has no time.

    None for what is no date, or lies outside 1960 to 2100.
    """
    if not isinstance(value, str) or len(value) < 8:
        return None
    found = _read_date(value.strip())
    return found if found and _FIRST < found[0] < _LAST else None


@lru_cache(maxsize=1 << 10)
def _read_date(text: str) -> tuple[float, float] | None:
    day, mark, time = text.partition("T")
    try:
        seconds = (datetime.fromisoformat(day) - _MJD_EPOCH).days * DAY
    except ValueError:
        return None
    if not mark:
        return seconds, DAY / 2
    of_day = clock_of(time.removesuffix("Z"))
    return (seconds + of_day[0], of_day[1]) if of_day else None


def is_epoch(value: Value) -> str | None:
    """Return which zero of a clock a date is, or None."""
    if isinstance(value, str):
        return _EPOCHS.get(value.strip().removesuffix("Z").partition(".")[0].replace(" ", "T"))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {0.0: "zero of MJD", 40587.0: "zero of Unix time", 44244.0: "zero of GPS time"}.get(
            float(value)
        )
    return None


_EPOCHS = {
    "1858-11-17T00:00:00": "zero of MJD",
    "1970-01-01T00:00:00": "zero of Unix time",
    "1970-01-01": "zero of Unix time",
    "1969-12-31T23:59:23": "zero of TAI as UTC",
    "1970-01-01T00:00:37": "zero of Unix time with TAI-UTC",
    "1980-01-06T00:00:00": "zero of GPS time",
    "1900-01-01T00:00:00": "zero of NTP time",
    "0001-01-01T00:00:00": "zero of a calendar",
}


def clock_of(value: Value) -> tuple[float, float] | None:
    """Return the seconds of the day of ``hh:mm:ss.s`` and their rounding."""
    if not isinstance(value, str):
        return None
    parts = value.strip().split(":")
    if len(parts) not in (2, 3):
        return None
    numbers = [number_of(part) for part in parts]
    if any(one is None or one < 0 for one in numbers):
        return None
    hour, minute, second = (*(one or 0.0 for one in numbers), 0.0)[:3]
    if hour >= 24 or minute >= 60 or second >= 61:
        return None
    if len(parts) == 2:
        return hour * 3600 + minute * 60, 30.0
    return hour * 3600 + minute * 60 + second, 0.5 * 10.0 ** -len(parts[2].partition(".")[2])


def half_unit(number: float) -> float:
    """Return half a unit of the last digit that a number was written with, as far as it still shows."""
    mantissa, _, exponent = repr(number).partition("e")
    digits = len(mantissa.partition(".")[2])
    if mantissa.endswith(".0"):
        digits = 0
    return 0.5 * 10.0 ** (int(exponent or 0) - digits)


@lru_cache(maxsize=1 << 10)
def tai_minus_utc(mjd: int) -> float:
    """Return TAI-UTC at the beginning of a day, in seconds."""
    day = (_MJD_EPOCH + timedelta(days=mjd)).replace(tzinfo=UTC)
    return (tai_from_utc(day) - day).total_seconds()


def offset_from_utc(scale: str, seconds: float) -> float:
    """Return how far a scale is ahead of UTC at a reading of it."""
    if scale in _UTC:
        return 0.0
    leap = tai_minus_utc(int((seconds - 37.0) // DAY))
    if scale in ("TAI", "IAT"):
        return leap
    return leap - _TAI_MINUS_GPS if scale == "GPS" else leap + _TT_MINUS_TAI


def iso(seconds: float) -> str:
    """Return seconds since MJD 0 as headers write them, to the millisecond."""
    return (_MJD_EPOCH + timedelta(seconds=round(seconds, 3))).isoformat(timespec="milliseconds")
