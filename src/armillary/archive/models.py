"""The words of the archive that every surface shares: of quality, of site conditions, of release.

The tables are those of Gemini's FitsStorage, which its observers and its observing database use.
"""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum

MAX_PAGE = 1000
"""Most frames of one page."""
SMALL = 256 << 10
"""Bytes of plain files whose digests and pictures are made when they are read anyway: orders would cost more."""


class Identity(StrEnum):
    """What makes a file of a root the same file."""

    UNIQUE = "unique"
    """Its logical name, wherever it lies: what bears the name elsewhere is another copy of it."""
    BY_PATH = "by-path"
    """Its directory and logical name; a file that moves with its bytes stays the same."""


class QaState(StrEnum):
    """How far a frame can be trusted, as published."""

    UNDEFINED = "Undefined"
    PASS = "Pass"  # noqa: S105  (a quality word, not a password)
    USABLE = "Usable"
    FAIL = "Fail"
    CHECK = "CHECK"


QA_CARDS: dict[str, tuple[str, str]] = {
    "undefined": ("UNKNOWN", "UNKNOWN"),
    "pass": ("USABLE", "YES"),
    "usable": ("USABLE", "NO"),
    "fail": ("BAD", "NO"),
    "check": ("CHECK", "CHECK"),
}
"""Word of ``qa_state`` to the values of RAWGEMQA and RAWPIREQ."""

_CONDITIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "bg": ("RAWBG", ("20", "50", "80", "any")),
    "cc": ("RAWCC", ("50", "70", "80", "any")),
    "iq": ("RAWIQ", ("20", "70", "85", "any")),
    "wv": ("RAWWV", ("20", "50", "80", "any")),
}

SITE_CARDS: dict[str, tuple[str, str]] = {
    f"{prefix}{step}": (keyword, "Any" if step == "any" else f"{step}-percentile")
    for prefix, (keyword, steps) in _CONDITIONS.items()
    for step in steps
}
"""Word of ``raw_site`` to the one card that it sets."""

QUALITY_KEYWORDS = frozenset(["RAWGEMQA", "RAWPIREQ", *(keyword for keyword, _ in _CONDITIONS.values())])
"""What the words of both kinds set."""

_PERCENTILE = re.compile(r"(\d{1,3})(?:-percentile)?")
_RELEASE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")


def qa_cards(word: str) -> list[tuple[str, str]] | None:
    """Return the cards that a word of ``qa_state`` sets, or None for a word that is none."""
    found = QA_CARDS.get(word.lower())
    return [("RAWGEMQA", found[0]), ("RAWPIREQ", found[1])] if found else None


def site_cards(word: str) -> tuple[str, str] | None:
    """Return the card that a word of ``raw_site`` sets, or None for a word that is none."""
    return SITE_CARDS.get(word.lower())


def qa_state(rawgemqa: object, rawpireq: object, observation_type: str | None = None) -> QaState:
    """Read the published state back from RAWGEMQA and RAWPIREQ; the first rule that fits, in any case.

    Masks are always good: nobody judges them.
    """
    if (observation_type or "").strip().upper() == "MASK":
        return QaState.PASS
    quality, required = _word(rawgemqa), _word(rawpireq)
    match quality, required:
        case ("UNKNOWN", _) | (_, "UNKNOWN"):
            return QaState.UNDEFINED
        case "USABLE", "YES":
            return QaState.PASS
        case "USABLE", "NO":
            return QaState.USABLE
        case "BAD", _:
            return QaState.FAIL
        case ("CHECK", _) | (_, "CHECK"):
            return QaState.CHECK
    return QaState.UNDEFINED


def percentile(value: object) -> int | None:
    """Return the number of a site condition: 70 for ``70-percentile``, 100 for ``Any``, else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return int(value) if 0 < value <= 100 and value == int(value) else None
    text = str(value or "").strip().lower()
    if text == "any":
        return 100
    found = _PERCENTILE.fullmatch(text)
    number = int(found[1]) if found else 0
    return number if 0 < number <= 100 else None


def parse_release(text: str) -> date:
    """Return the day that ``year-month-day`` names; padding is optional, nothing else is.

    ``parse_release(text).isoformat()`` is the normal form that goes into RELEASE.

    Raises
    ------
    ValueError
        If this is not a real calendar date in that form. Date-times and blanks are refused.
    """
    found = _RELEASE.fullmatch(text)
    if not found:
        raise ValueError(f"not a date of the form YYYY-MM-DD: {text!r}")
    return date(int(found[1]), int(found[2]), int(found[3]))


def _word(value: object) -> str:
    return value.strip().upper() if isinstance(value, str) else ""
