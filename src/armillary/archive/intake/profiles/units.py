"""Units that headers use, as factors to the units of a frame (s, degrees, micrometres), and how they say them."""

from __future__ import annotations

import re
from functools import lru_cache

UNITS: dict[str, float] = {
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "ns": 1e-9,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "a": 31_557_600.0,
    "cy": 3_155_760_000.0,
    "deg": 1.0,
    "rad": 57.29577951308232,
    "hour": 15.0,
    "arcmin": 1 / 60,
    "arcsec": 1 / 3600,
    "mas": 1 / 3_600_000,
    "um": 1.0,
    "nm": 1e-3,
    "Angstrom": 1e-4,
    "m": 1e6,
    "km": 1e9,
    "1": 1.0,
}
_TIMES = frozenset({"s", "ms", "us", "ns", "min", "h", "d", "a", "cy"})
_ANGLES = frozenset({"deg", "rad", "hour", "arcmin", "arcsec", "mas"})
_SPELLINGS = {
    "s": "sec secs second seconds",
    "ms": "msec msecs millisec millisecond milliseconds",
    "us": "usec usecs microsec microsecond microseconds",
    "ns": "nsec nanosecond nanoseconds",
    "min": "mins minute minutes",
    "h": "hr hrs hour hours",
    "d": "day days",
    "a": "yr year years",
    "deg": "degs degree degrees",
    "rad": "radian radians",
    "arcmin": "arcmins arcminute arcminutes",
    "arcsec": "arcsecs arcsecond arcseconds",
    "um": "micron microns micrometer micrometers micrometre micrometres",
    "nm": "nanometer nanometers nanometre nanometres",
    "Angstrom": "angstroms",
    "m": "meter meters metre metres",
}
_WORDS = {name.lower(): name for name in UNITS if name not in ("1", "hour")} | {
    word: name for name, words in _SPELLINGS.items() for word in words.split()
}
_AT_HEAD = re.compile(r"\s*\[\s*([A-Za-z]+)\s*\]")
_BRACKETED = re.compile(r"[\[(]\s*(?:in\s+)?([A-Za-z]+)\s*[\])]")
_AFTER_IN = re.compile(r"\bin\s+([A-Za-z]+)\b")
_ALONE = re.compile(
    r"\b(m?secs?|usecs?|(?:milli|micro)?seconds|ms|minutes|hours|days|degrees|radians|met(?:er|re)s)\b",
    re.IGNORECASE,
)


def unit_named(word: str, *, angle: bool = False) -> str | None:
    """Return the name of the unit that a word means; hours of angles are units of their own."""
    found = _WORDS.get(word.strip().lower())
    return "hour" if angle and found == "h" else found


@lru_cache(maxsize=1 << 10)
def stated_unit(comment: str) -> str | None:
    """Return the word for the unit that the comment of a card states, or None.

    It stands in brackets at the head of the comment (FITS 4.0, section 4.3.2); some write it in brackets or
    parentheses elsewhere, behind ``in``, or as a word. Words for several units state none, and single letters
    count only where nothing else is likely: ``in a row`` is no year.
    """
    if found := _AT_HEAD.match(comment):
        return found[1]
    for pattern, letters in ((_BRACKETED, "shdm"), (_AFTER_IN, "s")):
        known = [w for w in pattern.findall(comment) if unit_named(w) and (len(w) > 1 or w in letters)]
        if known:
            return str(known[0])
    words = {unit_named(word): word for word in _ALONE.findall(comment)}
    return next(iter(words.values()), None) if len(words) == 1 else None


def factor_of(word: str, *, base: str) -> float | None:
    """Return the factor from a unit in words to ``base``; None if it measures something else than an angle.

    Raises
    ------
    ValueError
        If no such unit is known, or it is none of time or length where one is due.
    """
    angle = base in _ANGLES
    unit = unit_named(word, angle=angle)
    if unit is None:
        raise ValueError(f"unknown unit {word!r}")
    if _measures(unit) == _measures(base):
        return UNITS[unit]
    if angle:
        return None
    raise ValueError(f"{word!r} is no unit of {_measures(base)}")


def _measures(unit: str) -> str:
    return "time" if unit in _TIMES else "angle" if unit in _ANGLES else "length"
