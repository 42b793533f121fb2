"""Values of fields: what each type of keyword accepts, and how it reads back."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from armillary.demo.svo.world import BOOLEAN, INTEGER, REAL, TEXT, TIME, Keyword

FIXED = {"oid": TEXT, "fits_header": TEXT}
"""The fields that every record has, besides its location and tags."""


class Unacceptable(ValueError):
    """A value that a field does not take; the message is the reason."""


def accepted(keyword: Keyword, value: Any) -> Any:
    """Return a value as it is stored.

    Raises
    ------
    Unacceptable
        If the type does not take it.
    """
    return _TAKES[keyword.type](value)


def text(value: Any) -> str:
    """Return text without blanks at its ends; logicals and numbers become text."""
    if value is None:
        return ""
    if isinstance(value, str | bool | int | float):
        return str(value).strip()
    raise Unacceptable("Enter a valid text.")


def _integer(value: Any) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise Unacceptable("Enter a whole number.")
    return int(value)


def _real(value: Any) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value) if isinstance(value, bool | int | float) else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Unacceptable("Enter a number.")
    return number


def _boolean(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise Unacceptable("Enter true or false.")


def _time(value: Any) -> datetime | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Unacceptable("Enter a time (ISO 8601).")
    try:
        return instant(value)
    except ValueError:
        raise Unacceptable(f"{value!r} is no time (ISO 8601).") from None


_TAKES = {TEXT: text, INTEGER: _integer, REAL: _real, BOOLEAN: _boolean, TIME: _time}


def instant(said: str) -> datetime:
    """Return a time in UTC: naive ones are, others are converted; a date alone is midnight."""
    found = datetime.fromisoformat(said.strip())
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def shown(value: Any) -> Any:
    """Return a stored value as it reads: times cut to milliseconds, no number that JSON does not know."""
    if isinstance(value, datetime):
        told = value.astimezone(UTC).replace(tzinfo=None).isoformat()
        return f"{told[:23]}Z"
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def unset(kind: str) -> str | None:
    """Return how a field reads that was never set."""
    return "" if kind == TEXT else None
