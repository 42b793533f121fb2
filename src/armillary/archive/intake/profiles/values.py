"""From the value of a card to the value of a field. Each reader raises ``ValueError`` with the reason."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta

from armillary.archive.fields import FieldRule
from armillary.archive.intake.profiles.instants import read_stamp, seconds_of_day
from armillary.archive.models import parse_release, percentile
from armillary.fits.models import Value
from armillary.sky.coordinates import parse_angle
from armillary.sky.timescales import utc_from_mjd, utc_from_scale

_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_BINNING = re.compile(r"(\d+)\D+(\d+)")

FLAGS = {"T": True, "TRUE": True, "YES": True, "1": True, "F": False, "FALSE": False, "NO": False, "0": False}


def read_text(value: Value, rule: FieldRule) -> str:
    """Return the text of a value, without control characters."""
    if isinstance(value, bool):
        return "T" if value else "F"
    text = str(value).strip()
    return text if text.isprintable() else "".join(c for c in text if c.isprintable())


def read_number(value: Value, rule: FieldRule) -> float:
    """Return a finite number within the limits of the field; numbers in quotes count."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("not a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError("not a number") from None
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    if not rule.low <= number <= rule.high:
        raise ValueError(f"not within {rule.low:g}..{rule.high:g}")
    return number % 360.0 if rule.turn else number


def read_count(value: Value, rule: FieldRule) -> int:
    """Return a whole number."""
    number = read_number(value, rule)
    if number != int(number):
        raise ValueError("not a whole number")
    return int(number)


def read_flag(value: Value, rule: FieldRule) -> bool:
    """Return a truth value; T, YES, TRUE, 1 and their opposites count."""
    found = FLAGS.get(str(value).strip().upper())
    if found is None:
        raise ValueError("neither true nor false")
    return found


def read_percentile(value: Value, rule: FieldRule) -> int:
    """Return the number of a site condition."""
    found = percentile(value)
    if found is None:
        raise ValueError("not a percentile")
    return found


def read_binning(value: Value, rule: FieldRule) -> str:
    """Return ``NxM`` of two numbers, however they are separated."""
    found = _BINNING.fullmatch(str(value).strip())
    if not found:
        raise ValueError("not two binning factors")
    return f"{int(found[1])}x{int(found[2])}"


def read_day(value: Value, rule: FieldRule) -> date:
    """Return a calendar day, strictly ``YYYY-MM-DD`` or, as night names use, ``YYYYMMDD``."""
    text = str(value).strip()
    found = _COMPACT.fullmatch(text)
    return date(int(found[1]), int(found[2]), int(found[3])) if found else parse_release(text)


def read_public_from(value: Value, rule: FieldRule) -> date:
    """Return the first whole day on which something is public that becomes so at an instant."""
    stamp = read_stamp(value)
    if stamp.seconds is None:
        return stamp.day
    instant = utc_from_scale(stamp.reading(), stamp.scale)
    early = instant.time() == time(0)
    return instant.date() if early else instant.date() + timedelta(days=1)


def read_time(value: Value, rule: FieldRule) -> time:
    """Return a time of day."""
    seconds = seconds_of_day(value)
    if seconds >= 86400:
        raise ValueError("not a time of day")
    return (datetime.min + timedelta(seconds=seconds)).time()


def read_mjd(value: Value) -> datetime:
    """Return the instant of a modified Julian date."""
    return utc_from_mjd(read_number(value, FieldRule("number", 1.0, 2_000_000.0)))


def read_angle(value: Value, factor: float, *, sexagesimal_factor: float = 1.0) -> float:
    """Return degrees of a number (times ``factor``) or of text that names its unit or counts in its own factor."""
    if isinstance(value, str) and not _is_number(value):
        return parse_angle(value, sexagesimal_factor)
    return read_number(value, FieldRule("number", -1e6, 1e6)) * factor


def read_equinox(value: Value) -> float | None:
    """Return the year of an equinox such as 1950.0, ``B1950`` or ``J2000.0``; None for 0, which tells none."""
    text = str(value).strip().upper()
    if text[:1] in ("B", "J"):
        text = text[1:]
    if not _is_number(text):
        raise ValueError("not an equinox")
    year = float(text)
    if year and not 1850.0 <= year <= 2150.0:
        raise ValueError("not the year of an equinox")
    return year or None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


READERS: dict[str, Callable[[Value, FieldRule], object]] = {
    "text": read_text,
    "number": read_number,
    "count": read_count,
    "flag": read_flag,
    "percentile": read_percentile,
    "binning": read_binning,
    "day": read_day,
    "time": read_time,
}
"""Kind of a field to its reader; instants are read with the time scale of the file."""
