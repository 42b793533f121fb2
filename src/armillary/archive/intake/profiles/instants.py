"""Dates and clocks as headers write them. Each reader raises ``ValueError`` with the reason.

The forms are those of FITS 4.0, section 9.1.1, and of programs that write others: ISO 8601 (basic form, ordinal
dates, offsets), names of months (SolarSoft, ctime), points between the parts and a scale behind them (JSOC).
"""

from __future__ import annotations

import contextlib
import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from armillary.fits.models import Value

_USUAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?")
"""What the library of the language reads fast and alike."""
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_NAME = rf"(?P<name>{'|'.join(_MONTHS)})[A-Z]*"
_WEEKDAY = r"(?:(?:MON|TUE|WED|THU|FRI|SAT|SUN)[A-Z]*,?\s+)?"
_DAYS = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        r"(?P<year>[+-]\d{5}|\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})(?!\d)",
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?=\D|\d{6}(?!\d)|$)",
        r"(?P<year>\d{4})[-.:](?P<ordinal>\d{3})(?!\d)",
        r"(?P<first>\d{1,2})(?P<mark>[-/.])(?P<second>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})(?!\d)",
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})[-/. ]*{_NAME}[-/., ]*(?P<year>\d{{4}}|\d{{2}})(?!\d)",
        rf"(?P<year>\d{{4}})[-/. ]*{_NAME}[-/. ]*(?P<day>\d{{1,2}})(?!\d)",
        rf"{_WEEKDAY}{_NAME}[-/. ]+(?P<day>\d{{1,2}}),?\s+(?P<year>\d{{4}})(?!\d)",
    )
)
_CTIME = re.compile(
    rf"{_WEEKDAY}({'|'.join(_MONTHS)})\s+(\d{{1,2}})\s+(\d+:\d+:[\d.]+)\s+(\d{{4}})", re.ASCII
)
_CLOCK = re.compile(
    r"(?:(?P<h>\d{1,2})(?P<mark>[:H ])\s*(?P<m>\d{1,2})(?:[:M ]\s*(?P<s>\d{1,2}(?:\.\d*)?)S?|M)?"
    r"|(?P<hh>\d{2})(?P<mm>\d{2})(?P<ss>\d{2}(?:\.\d*)?))"
    r"[\s_]*(?:(?P<sign>[+-])(?P<oh>\d{2}):?(?P<om>\d{2})?|(?P<scale>[A-Z][A-Z0-9]*(?:\s*\([^()]*\))?|\([^()]*\)))?",
    re.ASCII,
)
_SECONDS = {"h": 3600.0, "min": 60.0, "s": 1.0, "ms": 1e-3, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Stamp:
    """A day, and the time of day if one is told, on the scale that stands behind it.

    ``scale`` is empty where the text names none; with an offset from UTC it is UTC, the offset taken off.
    """

    day: date
    seconds: float | None = None
    scale: str = ""

    def reading(self, seconds: float | None = None) -> datetime:
        """Return the reading of the clock, labelled UTC whatever its scale; a leap second runs on."""
        told = self.seconds if self.seconds is not None else seconds
        return datetime.combine(self.day, time(0), UTC) + timedelta(seconds=told or 0.0)


def usual_instant(value: Value) -> datetime | None:
    """Return an instant in the form that FITS recommends, labelled UTC; None for all other forms."""
    if isinstance(value, str) and _USUAL.fullmatch(value):
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return None


def read_stamp(value: Value) -> Stamp:
    """Return the day of a value, and its time of day if it has one.

    Old dates ``DD/MM/YY`` are of the twentieth century (FITS 4.0, section 9.1.1). Of numbers with a year of four
    digits behind, points mean day first; otherwise they count if only one order gives a date.
    """
    text = str(value).strip().upper()
    if found := _CTIME.fullmatch(text):
        text = f"{found[4]}-{found[1]}-{found[2]}T{found[3]}"
    day, rest = _leading_day(text)
    if not rest:
        return Stamp(day)
    if not rest[0].isdigit():
        if rest[0] not in "T_ ,:":
            raise ValueError("not a date")
        rest = rest[1:].lstrip(" ")
    seconds, scale = _clock(rest)
    return Stamp(day, seconds, scale)


def seconds_of_day(value: Value, unit: str = "") -> float:
    """Return the seconds since midnight of ``hh:mm[:ss.s]``, or of a number with a unit (h, min, s)."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if unit not in _SECONDS:
            raise ValueError("not a time of day hh:mm:ss, and no unit is told")
        seconds = float(value) * _SECONDS[unit]
        if not (math.isfinite(seconds) and 0 <= seconds <= 86401):
            raise ValueError("not a time of day")
        return seconds
    return _clock(str(value).strip().upper())[0]


def _leading_day(text: str) -> tuple[date, str]:
    """Return the day that a text begins with, and what follows it."""
    for pattern in _DAYS:
        if found := pattern.match(text):
            return _day(found.groupdict()), text[found.end() :]
    raise ValueError("not a date")


def _day(told: dict[str, str | None]) -> date:
    year, digits = int(told["year"] or 0), len(told["year"] or "")
    if ordinal := told.get("ordinal"):
        first = date(year, 1, 1)
        found = first + timedelta(days=int(ordinal) - 1)
        if found.year != year:
            raise ValueError("not a day of that year")
        return found
    if told.get("first"):
        return _day_of_numbers(int(told["first"] or 0), int(told["second"] or 0), year, digits, told["mark"])
    if name := told.get("name"):
        # As SolarSoft reads two digits: from 1950 to 2049.
        year += 0 if digits > 2 else 2000 if year < 50 else 1900
        return date(year, _MONTHS.index(name) + 1, int(told["day"] or 0))
    return date(year, int(told["month"] or 0), int(told["day"] or 0))


def _day_of_numbers(first: int, second: int, year: int, digits: int, mark: str | None) -> date:
    if digits == 2:
        if mark != "/":
            raise ValueError("not a date: the order of day, month and year cannot be told")
        return date(1900 + year, second, first)
    if mark == "." or first == second or first > 12:
        return date(year, second, first)
    if second > 12:
        return date(year, first, second)
    raise ValueError("day and month cannot be told apart")


def _clock(text: str) -> tuple[float, str]:
    """Return seconds since midnight and the scale behind them; an offset from UTC is taken off."""
    found = _CLOCK.fullmatch(text)
    if not found:
        raise ValueError("not a time of day hh:mm:ss")
    hour, minute = int(found["h"] or found["hh"]), int(found["m"] or found["mm"])
    second = float(found["s"] or found["ss"] or 0)
    if hour > 24 or minute > 59 or second >= 61:
        raise ValueError("not a time of day")
    seconds = hour * 3600 + minute * 60 + second
    if found["sign"]:
        offset = int(found["oh"]) * 3600 + int(found["om"] or 0) * 60
        return seconds - (offset if found["sign"] == "+" else -offset), "UTC"
    scale = (
        (found["scale"] or "").strip("()") if (found["scale"] or "").startswith("(") else found["scale"] or ""
    )
    return seconds, "UTC" if scale == "Z" else scale
