"""Values of FITS cards as fields of records: what fits the type of a keyword, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from armillary.fits.header import read_values
from armillary.fits.models import Value
from armillary.fits.records import record_values
from armillary.fits.values import write_value
from armillary.publish.svo.models import Json, KeywordType

LARGEST = 1 << 63


class Uncoercible(ValueError):
    """A value that a field cannot hold; the message is the reason."""


def values_of(header: bytes) -> dict[str, Value]:
    """Return the values of a header by keyword, those of record-valued keywords as ``DW3.AXIS.1``."""
    return {**record_values(header, any_text=True), **read_values(header)}


def value_of(values: Mapping[str, Value], keyword: str) -> Value:
    """Return the value of a keyword, which may be written ``DW3.AXIS.1`` or ``DW3 NAME``."""
    name = " ".join(keyword.upper().split())
    return values[name] if name in values else values.get(name.replace(" ", ".", 1))


def coerce(value: Value, kind: KeywordType, *, time_system: str = "UTC") -> Json:
    """Return a value as a field of a type is sent; None has none.

    Raises
    ------
    Uncoercible
        If the type does not hold it.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    match kind:
        case KeywordType.TEXT:
            return _text(value)
        case KeywordType.BOOLEAN:
            return _boolean(value)
        case KeywordType.INTEGER:
            return _integer(value)
        case KeywordType.REAL:
            return _real(value)
        case KeywordType.TIME:
            return _time(value, time_system)


def _text(value: Value) -> str:
    # A logical would become the word "True" there; in FITS it is T.
    return value.strip() if isinstance(value, str) else write_value(value).strip()


def _boolean(value: Value) -> bool:
    if not isinstance(value, bool):
        raise Uncoercible("it is no logical")
    return value


def _integer(value: Value) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise Uncoercible("it is no integer")
    if not -LARGEST <= value < LARGEST:
        raise Uncoercible("it has more than 64 bits")
    return int(value)


def _real(value: Value) -> float:
    # A true would be taken for 1.0 there.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Uncoercible("it is no number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Uncoercible("it is no finite number")
    return number


def _time(value: Value, time_system: str) -> str:
    if not isinstance(value, str):
        raise Uncoercible("it is no time")
    if time_system.upper() not in ("", "UTC"):
        raise Uncoercible(f"its scale is {time_system}, not UTC")
    return f"{instant(value).replace(tzinfo=None).isoformat()}Z"


def instant(text: str) -> datetime:
    """Return a time (ISO 8601) in UTC; without an offset it is, a date alone is midnight.

    Raises
    ------
    Uncoercible
        If it is none.
    """
    try:
        found = datetime.fromisoformat(text.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Uncoercible("it is no time (ISO 8601)") from None
