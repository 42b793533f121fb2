"""Values of cards as text: the exact reader for every format, and the fixed-format writer."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from armillary.fits.errors import InvalidValue
from armillary.fits.models import Value

_STRING = re.compile(r" *'((?:[^']|'')*)'(?=[ /]|$)(.*)", re.DOTALL)
_OTHER = re.compile(r" *(\([^)]*\)|[^ /']+)(?=[ /]|$)(.*)", re.DOTALL)
_INTEGER = re.compile(r"[+-]?[0-9]+")
_REAL = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[EeDd][+-]?[0-9]+)?"
_FLOAT = re.compile(_REAL)
_COMPLEX = re.compile(rf"\( *({_REAL}) *, *({_REAL}) *\)")
_LOGICAL = {"T": True, "F": False}


@dataclass(frozen=True, slots=True)
class Reading:
    """What the value field of a card says; an illegal field has value ``None``."""

    value: Value
    comment: str
    legal: bool = True


def read_field(field: str) -> Reading:
    """Read columns 11 to 80 of a card in fixed or free format.

    Stricter readers want a slash before the comment; here a blank is enough, as in cfitsio, because real
    headers lack it. Trailing blanks of strings carry no meaning (FITS 4.0, section 4.2.1.1).
    """
    if match := _STRING.match(field):
        return Reading(match[1].replace("''", "'").rstrip(" "), comment_of(match[2]))
    stripped = field.strip(" ")
    if not stripped or stripped[0] == "/":
        return Reading(None, comment_of(field))
    match = _OTHER.match(field)
    value = _read_token(match[1]) if match else None
    if match is None or value is None:
        return Reading(None, split_unreadable(field)[1], legal=False)
    return Reading(value, comment_of(match[2]))


def split_unreadable(field: str) -> tuple[str, str]:
    """Return the text of a value that cannot be read, and the comment behind the slash after it."""
    text, _, comment = f" {field}".partition(" /")
    return text.strip(" "), comment.strip(" ")


def comment_of(rest: str) -> str:
    """Return the comment in the text behind a value."""
    return rest.strip(" ").removeprefix("/").strip(" ")


def _read_token(token: str) -> Value:
    """Return a logical, integer, float or complex value; ``None`` if the token is none of them."""
    if token in _LOGICAL:
        return _LOGICAL[token]
    if _INTEGER.fullmatch(token):
        return int(token)
    if _FLOAT.fullmatch(token):
        return _real(token)
    if match := _COMPLEX.fullmatch(token):
        real, imaginary = _real(match[1]), _real(match[2])
        return None if real is None or imaginary is None else complex(real, imaginary)
    return None


def _real(token: str) -> float | None:
    """Return the number, or ``None`` where it exceeds a double."""
    number = float(token.upper().replace("D", "E"))
    return number if math.isfinite(number) else None


def quote(text: str) -> str:
    """Return a fixed-format string: quotes doubled, at least eight characters, except the null string."""
    return f"'{text.replace(chr(39), chr(39) * 2):<8}'" if text else "''"


def write_value(value: Value) -> str:
    """Return the fixed-format text of a value, from column 11 on (FITS 4.0, section 4.2).

    Floats read back exactly; those longer than 20 characters run past column 30.

    Raises
    ------
    InvalidValue
        If the value has no FITS form: NaN and infinities.
    """
    match value:
        case None:
            return " " * 20
        case str():
            return f"{quote(value):<20}"
        case bool():
            return f"{'T' if value else 'F':>20}"
        case int():
            return f"{value:>20d}"
        case float():
            return f"{write_float(value):>20}"
        case complex():
            return f"{f'({write_float(value.real)}, {write_float(value.imag)})':>20}"
    raise InvalidValue(f"A card cannot hold a {type(value).__name__}")


def write_float(number: float) -> str:
    """Return the shortest text that reads back as the same double, with a decimal point and capital E."""
    if not math.isfinite(number):
        raise InvalidValue(f"FITS has no form for the number {number}")
    mantissa, mark, exponent = repr(float(number)).upper().partition("E")
    return mantissa + ("" if "." in mantissa else ".0") + mark + exponent


def same_value(old: Value, new: Value) -> bool:
    """Tell whether two values are equal in type and value, blind to trailing blanks of strings."""
    if isinstance(old, str) and isinstance(new, str):
        return old.rstrip(" ") == new.rstrip(" ")
    return type(old) is type(new) and old == new
