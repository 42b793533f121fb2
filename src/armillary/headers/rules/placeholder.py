"""Values that stand for none: zeros, sentinels, words, numbers that no instrument measures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from armillary.headers.rules.models import Deviation, Group, Rule, Severity
from armillary.headers.rules.sheet import Sheet

_SMALLEST = 1e-45
"""The smallest number of single precision; what is smaller was never measured."""
_SENTINELS = frozenset(
    {
        -99.0,
        -999.0,
        -9999.0,
        -99999.0,
        -999999.0,
        -999.99,
        -9999.99,
        -9999.9,
        -999.9,
        -99.99,
        99999.0,
        999999.0,
    }
    | {
        9999.0,
        9999.99,
        -1e30,
        1e30,
        -1e20,
        1e20,
        -1e36,
        1e36,
        -2147483648.0,
        2147483647.0,
        -9223372036854775808.0,
    }
)
_POSITIVE = (
    "MONOWL",
    "EXPTIME",
    "DARKTIME",
    "SHUTTIME",
    "SEEING",
    "HUMIDITY",
    "PRESSURE",
    "WINDSPD",
    "AMSTART",
    "AMEND",
)
"""Where -1 cannot be a value."""
_WORDS = frozenset(
    {"NAN", "-NAN", "INF", "-INF", "INFINITY", "-INFINITY", "NONE", "NULL", "UNKNOWN", "UNDEFINED"}
) | frozenset({"INDEF", "N/A", "TBD", "NOT AVAILABLE", "???", "UNSET", "UNSPECIFIED"})
_COUNTED = frozenset(
    {
        "CHECKSUM",
        "DATASUM",
        "BZERO",
        "BLANK",
        "BSCALE",
        "PZERO1",
        "ZBLANK",
        "NAXIS1",
        "NAXIS2",
        "DATAMAX",
        "DATAMIN",
        "SATURATE",
    }
)
_ZEROS = (
    ("RA", "DEC"),
    ("RASTART", "DECSTART"),
    ("RAEND", "DECEND"),
    ("AZSTART", "ELSTART"),
    ("AZEND", "ELEND"),
)
_NEVER_ZERO = ("AMSTART", "AMEND", "AIRMASS", "PRESSURE", "OBSGEO-X", "OBSGEO-Y", "OBSGEO-Z")


def _listed(sheet: Sheet, kind: str, say: str) -> Iterator[Deviation]:
    """Return one deviation for all cards of the header that are wrong in the same way."""
    if "placeholders" not in sheet.cache:
        sheet.cache["placeholders"] = _sorted_out(sheet)
    found: dict[str, Any] = sheet.cache["placeholders"].get(kind, {})
    if found:
        (first, value), *_ = found.items()
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        yield Deviation(
            ", ".join(found),
            None,
            value,
            None,
            None,
            f"{first} is {value!r}{more}: {say}",
            proposal=" ".join(f"{one}=" for one in found),
        )


def _sorted_out(sheet: Sheet) -> dict[str, dict[str, Any]]:
    """Return the cards that stand for no value by what is wrong with them, in one pass over the header.

    Of the same keyword in many HDUs, the first that is wrong stands for all.
    """
    found: dict[str, dict[str, Any]] = {}
    for page in sheet.pages:
        for cell in page.cells:
            value = cell.value
            kind = None
            if type(value) is str:
                kind = _kind_of_text(value)
            elif type(value) is float or type(value) is int:
                kind = _kind_of_number(cell.keyword, value)
            if kind and not (
                cell.keyword in _COMMENTARY or (kind == "sentinel" and cell.keyword in _COUNTED)
            ):
                found.setdefault(kind, {}).setdefault(cell.keyword, value)
    return found


def _kind_of_text(value: str) -> str | None:
    if len(value) > 16:
        return None if value.strip() else "blank"
    word = value.strip()
    if not word:
        return "blank"
    return "word" if word.upper() in _WORDS else None


def _kind_of_number(keyword: str, value: float) -> str | None:
    if value in _SENTINELS or (value == -1 and keyword in _POSITIVE):
        return "sentinel"
    if type(value) is int or 1e-30 < abs(value) < 1e30 or value == 0.0:
        return None
    if not math.isfinite(value):
        return "nan"
    return "tiny" if abs(value) < _SMALLEST else None


def tiny(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Find numbers next to zero: memory that was never written."""
    yield from _listed(sheet, "tiny", "nothing measured is so small, and nothing was written there.")


def not_finite(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Find NaN and infinities, which no card can hold."""
    yield from _listed(sheet, "nan", "no card can hold it; leave the value undefined.")


def sentinels(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Find numbers that stand for none."""
    yield from _listed(sheet, "sentinel", "a number that stands for none; leave the value undefined.")


def words(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Find words that stand for none."""
    yield from _listed(sheet, "word", "a word that stands for none; leave the value undefined.")


def blanks(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Find texts without a letter."""
    yield from _listed(sheet, "blank", "an empty text is a value; leave it undefined.")


_COMMENTARY = ("COMMENT", "HISTORY", "", "CONTINUE")


def zeros(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Find zeros where the sky or the Earth has none, while the telescope tracks."""
    for keyword in _NEVER_ZERO:
        if sheet.value(keyword) == 0 and type(sheet.value(keyword)) in (int, float):
            yield Deviation(keyword, None, sheet.value(keyword), proposal=f"{keyword}=")
    if not sheet.sidereal:
        return
    for pair in _ZEROS:
        values = [sheet.number(one) for one in pair]
        if values == [0.0, 0.0]:
            yield Deviation(
                ", ".join(pair),
                None,
                [0.0, 0.0],
                None,
                None,
                "Both are exactly zero while the telescope tracked.",
                proposal=" ".join(f"{one}=" for one in pair),
            )


RULES = (
    Rule(
        "placeholder-tiny",
        Group.PLACEHOLDER,
        Severity.ERROR,
        "all numbers",
        "0 or at least 1e-45",
        "A number next to zero: memory that was never written.",
        tiny,
    ),
    Rule(
        "placeholder-nan",
        Group.PLACEHOLDER,
        Severity.ERROR,
        "all numbers",
        "finite",
        "NaN or infinite.",
        not_finite,
    ),
    Rule(
        "placeholder-zero",
        Group.PLACEHOLDER,
        Severity.ERROR,
        "AMSTART, AMEND, AIRMASS, PRESSURE, OBSGEO-*; RA and DEC, AZ and EL while tracking",
        "not exactly zero",
        "Exactly zero, which it cannot be.",
        zeros,
    ),
    Rule(
        "placeholder-sentinel",
        Group.PLACEHOLDER,
        Severity.WARNING,
        "all numbers",
        "no -999, -9999, 1e30 and the like",
        "A number that stands for none.",
        sentinels,
    ),
    Rule(
        "placeholder-word",
        Group.PLACEHOLDER,
        Severity.NOTE,
        "all texts",
        "no NaN, None, UNKNOWN, N/A and the like",
        "A word that stands for none.",
        words,
    ),
    Rule(
        "placeholder-blank",
        Group.PLACEHOLDER,
        Severity.NOTE,
        "all texts",
        "not blank",
        "A text without a letter.",
        blanks,
    ),
)
