"""From raw values to what a card can hold: enums, units, types, accepted ranges, text that FITS can carry."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from math import isfinite
from typing import Any

from armillary.headers.models import Reason
from armillary.headers.recipes.models import Clock, Keyword, Type, Unit, Valid
from armillary.headers.render.extraction import Undefined
from armillary.headers.render.models import Scalar
from armillary.sky.instants import iso_ms, tai_of_clock, tai_of_iso

MOST_CHARACTERS = 4096
_INT64 = range(-(1 << 63), 1 << 63)
_TINIEST = sys.float_info.min
_LETTERS = str.maketrans(
    {
        "\u00b5": "u",
        "\u03bc": "u",
        "\u00b0": "deg",
        "\u00df": "ss",
        "\u00e6": "ae",
        "\u00c6": "AE",
        "\u00f8": "o",
    }
    | {
        "\u00d8": "O",
        "\u0142": "l",
        "\u0141": "L",
        "\u2212": "-",
        "\u2013": "-",
        "\u2014": "-",
        "\u00d7": "x",
    }
    | {
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2032": "'",
        "\u2033": '"',
        "\u2026": "...",
    }
    | {
        "\u03b1": "alpha",
        "\u03b2": "beta",
        "\u03b3": "gamma",
        "\u03b4": "delta",
        "\u2126": "Ohm",
        "\u03a9": "Ohm",
    }
    | {"\t": " ", "\n": " ", "\r": " ", "\u00a0": " ", "\u00b1": "+/-", "\u0111": "d", "\u0131": "i"}
)
Convert = Callable[[Any], Scalar]


def transliterated(text: str) -> str | None:
    """Return a text in printable ASCII without trailing blanks; None if something in it has no such form."""
    if not (text.isascii() and text.isprintable()):
        apart = unicodedata.normalize("NFKD", text.translate(_LETTERS))
        text = "".join(one for one in apart if not unicodedata.combining(one)).translate(_LETTERS)
        if not (text.isascii() and text.isprintable()):
            return None
    return text.rstrip(" ")


def plain(value: Any) -> Scalar:
    """Return what a card can hold, numbers and texts unchanged but for what FITS does not carry.

    Raises
    ------
    Undefined
        ``invalid``: not finite, denormal, null, too long, or a text without ASCII form; ``range``: an integer of
        more than 64 bits; ``type``: a list or an object.
    """
    kind = type(value)
    if kind is str:
        if len(value) > MOST_CHARACTERS:
            raise Undefined(Reason.INVALID)
        text = transliterated(value)
        if text is None:
            raise Undefined(Reason.INVALID)
        return text
    if kind is float:
        if not isfinite(value) or (value and -_TINIEST < value < _TINIEST):
            raise Undefined(Reason.INVALID)
        # Zero has one form, whatever its sign.
        return float(value + 0.0)
    if kind is bool:
        return bool(value)
    if kind is int:
        if value not in _INT64:
            raise Undefined(Reason.RANGE)
        return int(value)
    raise Undefined(Reason.INVALID if value is None else Reason.TYPE)


def number(value: Any) -> int | float:
    """Return a finite number.

    Raises
    ------
    Undefined
    """
    kind = type(value)
    if kind is float:
        if not isfinite(value) or (value and -_TINIEST < value < _TINIEST):
            raise Undefined(Reason.INVALID)
        return float(value)
    if kind is int:
        return int(value)
    if value is None:
        raise Undefined(Reason.INVALID)
    raise Undefined(Reason.TYPE)


def factor(unit: Unit) -> tuple[float, float]:
    """Return the factor and the offset that bring a number from one unit to another.

    Temperatures have an offset, everything else a factor alone.

    Raises
    ------
    ValueError
        If a unit is unknown or they cannot be converted.
    """
    return _factor(unit.given, unit.out)


@lru_cache(maxsize=1024)
def _factor(given: str, out: str) -> tuple[float, float]:
    # Only here: what renders a compiled plan needs no astropy.
    from astropy import units

    def named(text: str) -> Any:
        return units.dimensionless_unscaled if text in ("", "1") else units.Unit(text)

    if given == out:
        return 1.0, 0.0
    old, new = named(given), named(out)
    try:
        return float(old.to(new, 1.0)), 0.0
    except units.UnitConversionError:
        temperature = units.temperature()
        zero = float(old.to(new, 0.0, temperature))
        degree = float(old.to(new, 1.0, temperature)) - zero
        # Kelvin and degrees Celsius are of one size; the difference of two large numbers almost says so.
        return (1.0 if abs(degree - 1.0) < 1e-9 else degree), zero


def linear(keyword: Keyword, unit: Unit | None) -> Callable[[Any], Any] | None:
    """Return the linear function of a unit or of scale and offset; None if there is none."""
    if unit is not None and unit.given != unit.out:
        slope, zero = factor(unit)
        if zero:
            return lambda value: number(value) * slope + zero
        return lambda value: number(value) * slope
    if unit is not None and unit.out not in ("", "1"):
        return number
    if keyword.scale is None and keyword.offset is None:
        return None
    scale = 1 if keyword.scale is None else keyword.scale
    offset = 0 if keyword.offset is None else keyword.offset
    return lambda value: number(value) * scale + offset


def typed(kind: Type, clock: Clock, timesys: str) -> Callable[[Any], Any]:
    """Return the function that makes a value one of a type.

    When called, it raises Undefined: ``type`` for what cannot be one, ``invalid`` for what is not finite.
    """
    match kind:
        case Type.TIME:
            return lambda value: iso_ms(instant(value, clock), timesys)
        case Type.FLOAT:
            return lambda value: float(_parsed(value, float))
        case Type.INT:
            return _integer
        case Type.BOOL:
            return _logical
    return _text


def instant(value: Any, clock: Clock) -> int:
    """Return the TAI ns of seconds, or of an ISO date, on a clock."""
    try:
        if isinstance(value, str):
            return tai_of_iso(value, "TAI" if clock == Clock.TAI else "UTC")
        at = tai_of_clock(number(value), clock)
    except ValueError:
        raise Undefined(Reason.TYPE) from None
    # A year of four digits; what is beyond counts milliseconds, or nothing at all.
    if not 0 <= at < 253_402_300_800_000_000_000:
        raise Undefined(Reason.RANGE)
    return at


def _parsed(value: Any, kind: Callable[[str], Any]) -> Any:
    if isinstance(value, str):
        try:
            value = kind(value)
        except ValueError:
            raise Undefined(Reason.TYPE) from None
    return number(value)


def _integer(value: Any) -> int:
    found = value if type(value) is int else _parsed(value, _whole)
    if found != int(found):
        raise Undefined(Reason.TYPE)
    return int(found)


def _whole(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


_LOGICALS: Mapping[Any, bool] = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def _logical(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in (0, 1):
        return bool(value)
    found = _LOGICALS.get(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise Undefined(Reason.INVALID if value is None else Reason.TYPE)
    return found


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, list | dict):
        raise Undefined(Reason.INVALID if value is None else Reason.TYPE)
    return str(plain(value))


def accepted(valid: Valid) -> Callable[[Scalar], bool]:
    """Return the test of what a keyword may be; a text is out of any range of numbers by its type."""
    if valid.choices is not None:
        choices = valid.choices
        if all(isinstance(one, str) for one in choices):
            return frozenset(choices).__contains__
        return lambda value: any(
            value == one and isinstance(value, bool) == isinstance(one, bool) for one in choices
        )
    if valid.pattern is not None:
        pattern = re.compile(valid.pattern)
        return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None
    low = -float("inf") if valid.low is None else valid.low
    high = float("inf") if valid.high is None else valid.high

    def within(value: Scalar) -> bool:
        if isinstance(value, str) or value is None:
            raise Undefined(Reason.TYPE)
        return low <= value <= high

    return within


Bulk = Callable[[list[Any]], list[Scalar] | None]
"""From the raw values of all detectors to their values at once; None if some need a closer look."""


def bulk(keyword: Keyword) -> Bulk | None:
    """Return the quick way for columns of plain texts, or of numbers of which the least and the greatest tell all.

    A header of 205 detectors has 4500 such values; one by one they take half of the time of rendering.
    """
    valid = keyword.valid
    if keyword.type is Type.INT and valid is None:
        return _integers
    if keyword.type is not None or (valid is not None and valid.pattern is not None):
        return None
    if valid is not None and valid.choices is not None:
        choices = frozenset(valid.choices)
        return lambda items: _texts(items, choices)
    if valid is None:
        return lambda items: _texts(items, None) or _floats(items, -float("inf"), float("inf"))
    low = -float("inf") if valid.low is None else valid.low
    high = float("inf") if valid.high is None else valid.high
    return lambda items: _floats(items, low, high)


def _texts(items: list[Any], choices: frozenset[Any] | None) -> list[Scalar] | None:
    try:
        text = "".join(items)
    except TypeError:
        return None
    if not (text.isascii() and text.isprintable()) or len(text) > MOST_CHARACTERS * 2:
        return None
    values: list[Scalar] = [one.rstrip(" ") for one in items]
    if max(map(len, items), default=0) > MOST_CHARACTERS:
        return None
    if choices is not None and not choices.issuperset(values):
        return None
    return values


def _integers(items: list[Any]) -> list[Scalar] | None:
    kinds = set(map(type, items))
    if kinds == {str}:
        try:
            items = list(map(int, items))
        except ValueError:
            return None
    elif kinds != {int}:
        return None
    return items if min(items) in _INT64 and max(items) in _INT64 else None


def _floats(items: list[Any], low: float, high: float) -> list[Scalar] | None:
    if set(map(type, items)) != {float} or not isfinite(sum(items)):
        return None
    least, greatest = min(items), max(items)
    # Zero and what is next to it need a closer look: it may be denormal, or have a sign.
    near = min(map(abs, items)) < _TINIEST
    return None if near or least < low or greatest > high else items


def one_of(codes: Mapping[str, int]) -> tuple[Convert, Convert]:
    """Return from raw value to number, and from number to name, of an enum.

    A value outside the enum is out of ``range``, what is neither number nor name has the wrong ``type``.
    """
    names = {code: name for name, code in codes.items()}

    def code_of(value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, str):
            if value in codes:
                return codes[value]
            value = _integer(value)
        if type(value) is not int:
            raise Undefined(Reason.INVALID if value is None else Reason.TYPE)
        if value not in names:
            raise Undefined(Reason.RANGE)
        return value

    return code_of, lambda code: names[code]
