"""Numbers, ranges of them, and angles as selections write them."""

from __future__ import annotations

import re

from armillary.archive.models import percentile
from armillary.archive.query.cones import Cone
from armillary.archive.query.errors import Malformed
from armillary.archive.query.models import Among, Around, Between, Ends, InCone, Term

_NUMBER = r"[+-]?(?:\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})"
_ONE = re.compile(_NUMBER, re.ASCII)
_TWO = re.compile(rf"({_NUMBER})-({_NUMBER})", re.ASCII)
_SEXAGESIMAL = re.compile(r"([+-]?)(\d{1,3})[:hd](\d{1,2})(?:[:m](\d{1,2}(?:\.\d{0,12})?)s?|m?)", re.ASCII)
_ANGLE = r"[+-]?[\d.:hdms]+"
_TWO_ANGLES = re.compile(rf"({_ANGLE})-({_ANGLE})", re.ASCII)
_RADIUS = re.compile(r"(\d{1,9}(?:\.\d{0,12})?|\.\d{1,12})\s*(d|degs?|degrees|arcsecs?)?", re.ASCII)
_CONDITION = re.compile(r"(?:iq|cc|wv|bg)?(any|\d{1,3}(?:-percentile)?)", re.ASCII)
DEFAULT_RADIUS = "180"
HALF_SECOND, HALF_DEGREE, TENTH_MICRON = 0.5, 0.5, 0.1


def read_range(text: str) -> tuple[float, float] | None:
    """Return the ends of ``A-B``, the lower first, or None for a single number.

    Raises
    ------
    Malformed
        If the text is neither.
    """
    if found := _TWO.fullmatch(text):
        low, high = float(found[1]), float(found[2])
        return min(low, high), max(low, high)
    if _ONE.fullmatch(text):
        return None
    raise Malformed(f"'{text}' is neither a number nor a range; write 12.5 or 10-20")


def near(field: str, text: str, tolerance: float, *, ends: Ends, lowest: float | None = None) -> Term:
    """Return what lies in the range that is written, or within a tolerance of the single number."""
    low, high = read_range(text) or (float(text) - tolerance, float(text) + tolerance)
    return Between(field, low if lowest is None else max(low, lowest), high, ends)


def turning(field: str, text: str) -> Term:
    """Return what lies in a range of an angle that may run across 360 degrees, or near a single value."""
    if found := _TWO.fullmatch(text):
        return _arc(field, float(found[1]), float(found[2]))
    read_range(text)
    return _arc(field, float(text) - HALF_DEGREE, float(text) + HALF_DEGREE)


def whole(field: str, text: str) -> Term:
    """Return what has exactly this whole number."""
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise Malformed(f"'{text}' is no whole number")
    return Among(field, (int(text),))


def condition(field: str, text: str) -> Term:
    """Return what has this percentile of a site condition: ``70``, ``IQ70``, ``70-percentile`` or ``Any``."""
    found = _CONDITION.fullmatch(text.lower())
    value = percentile(found[1]) if found else None
    if value is None:
        raise Malformed(f"'{text}' is no percentile; write 20, 50, 70, 80, 85 or Any")
    return Among(field, (value,))


def position(ra: str | None, dec: str | None, sr: str | None) -> tuple[Term, ...]:
    """Return what ``ra``, ``dec`` and ``sr`` together select.

    Two single values are the centre of a circle. A range of either is a band; so is one without the other,
    as wide as the radius on both sides.
    """
    radius = read_radius(DEFAULT_RADIUS if sr is None else sr)
    bands = [_band(text, _TWO_ANGLES.fullmatch(text)) for text in (ra, dec) if text is not None]
    if sr is not None and all(bands):
        raise Malformed("sr= is the radius around a position; give ra= and dec= as single values with it")
    if ra is not None and dec is not None and not any(bands):
        return (InCone(Cone(read_ra(ra), read_dec(dec), radius)),)
    terms: list[Term] = []
    if ra is not None:
        ends = _band(ra, _TWO_ANGLES.fullmatch(ra))
        low, high = map(read_ra, ends) if ends else (read_ra(ra) - radius, read_ra(ra) + radius)
        terms.append(_arc("ra_deg", low, high))
    if dec is not None:
        ends = _band(dec, _TWO_ANGLES.fullmatch(dec))
        low, high = map(read_dec, ends) if ends else (read_dec(dec) - radius, read_dec(dec) + radius)
        terms.append(Between("dec_deg", min(low, high), max(low, high), "[]"))
    return tuple(terms)


def _arc(field: str, low: float, high: float) -> Term:
    """Return the arc from one angle up to another, which lies further round if it is the smaller."""
    if low == high:
        return Between(field, low, high, "[]")
    if high - low >= 360.0:
        return Between(field, 0.0, 360.0, "[]")
    return Around(field, low % 360.0, high % 360.0)


def _band(text: str, found: re.Match[str] | None) -> tuple[str, str] | None:
    return (found[1], found[2]) if found else None


def read_ra(text: str) -> float:
    """Return a right ascension in degrees; ``hh:mm:ss`` is hours."""
    value = _sexagesimal(text, "hours", limit=24, factor=15.0)
    if not 0.0 <= value <= 360.0:
        raise Malformed(f"'{text}' is no right ascension; write degrees from 0 to 360, or hh:mm:ss")
    return value


def read_dec(text: str) -> float:
    """Return a declination in degrees."""
    value = _sexagesimal(text, "degrees", limit=90, factor=1.0)
    if not -90.0 <= value <= 90.0:
        raise Malformed(f"'{text}' is no declination; write degrees from -90 to 90, or dd:mm:ss")
    return value


def _sexagesimal(text: str, unit: str, *, limit: int, factor: float) -> float:
    if _ONE.fullmatch(text):
        return float(text)
    found = _SEXAGESIMAL.fullmatch(text)
    if not found:
        raise Malformed(
            f"'{text}' is no angle; write decimal degrees, or {unit}, minutes and seconds with ':'"
        )
    whole_part, minutes, seconds = float(found[2]), float(found[3]), float(found[4] or 0)
    if whole_part > limit or minutes >= 60 or seconds >= 60:
        raise Malformed(f"'{text}' has more than {limit} {unit}, or 60 minutes or seconds")
    value = (whole_part + minutes / 60 + seconds / 3600) * factor
    return -value if found[1] == "-" else value


def read_radius(text: str) -> float:
    """Return a radius in degrees; a bare number is arcseconds, ``d`` and ``degs`` mean degrees."""
    found = _RADIUS.fullmatch(text)
    if not found:
        raise Malformed(f"'{text}' is no radius; write arcseconds, or degrees as 0.5d")
    degrees = float(found[1]) / (1.0 if (found[2] or "").startswith("d") else 3600.0)
    if degrees > 180.0:
        raise Malformed(f"'{text}' is more than 180 degrees")
    return degrees
