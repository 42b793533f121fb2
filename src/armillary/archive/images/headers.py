"""Headers of images: from text, from FITS or from JSON to the values that an image is found by."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from armillary.base.numbers import finite
from armillary.base.text import storable
from armillary.fits.cards import COMMENTARY
from armillary.fits.header import Header
from armillary.fits.models import CARD, Card

Told = Mapping[str, Any]
"""Values by keyword, in the order of the header; COMMENT and HISTORY joined by line feeds."""
LARGEST = 1 << 63
HOURS_TO_DEG = 15.0
DIGITS = re.compile(r"\d{1,18}", re.ASCII)
_END = b"END".ljust(CARD)


@dataclass(frozen=True, slots=True)
class Read:
    """A header as far as it can be read; ``warnings`` says what could not."""

    values: dict[str, Any]
    warnings: tuple[str, ...] = ()


def read_text(text: bytes) -> Read:
    """Return the header in a text of 80-character cards without line breaks, up to END.

    Line breaks that a client puts behind its cards do no harm. Cards that cannot be read are left out.
    """
    lines = text.splitlines() if b"\n" in text[: 2 * CARD] else [text]
    cards = b"".join(line.ljust(-(-len(line) // CARD) * CARD) for line in lines)
    return read_cards(Header(cards + _END).cards)


def read_cards(cards: Iterable[Card]) -> Read:
    """Return what parsed cards say; what no database can keep is left out and told."""
    values: dict[str, Any] = {}
    bad: list[str] = []
    for card in cards:
        keyword = card.keyword
        if keyword in COMMENTARY:
            _add_comment(values, keyword, str(card.value or card.comment or ""))
        elif not keyword or not storable(keyword):
            bad.append(repr(keyword))
        elif keyword not in values:
            value = card.value
            if is_usable(value):
                values[keyword] = value
            else:
                bad.append(keyword)
    return Read(values, _warned(bad))


def read_mapping(given: Mapping[str, Any]) -> Read:
    """Return the header in an object of JSON."""
    kept = {key: value for key, value in given.items() if storable(key) and is_usable(value)}
    return Read(kept, _warned([repr(key) for key in given.keys() - kept.keys()]))


def _add_comment(values: dict[str, Any], keyword: str, text: str) -> None:
    if keyword and storable(text):
        values[keyword] = f"{values[keyword]}\n{text}" if keyword in values else text


def _warned(bad: list[str]) -> tuple[str, ...]:
    if not bad:
        return ()
    more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
    return (f"These cards cannot be kept: {', '.join(sorted(bad)[:5])}{more}.",)


def is_usable(value: Any) -> bool:
    """Tell whether a value can be kept and sent: a text, a logical, a finite number, or nothing."""
    match value:
        case None | bool():
            return True
        case int():
            return -LARGEST <= value < LARGEST
        case float():
            return math.isfinite(value)
        case str():
            return storable(value)
    return False


@dataclass(frozen=True, slots=True)
class Columns:
    """What images are searched by and shown with; what a header does not say is None.

    ``right_ascension`` is as found: degrees of CRVAL1, or else hours of RAHRS; ``ra_deg`` is always degrees.
    """

    right_ascension: float | None = None
    declination: float | None = None
    ra_deg: float | None = None
    altitude: float | None = None
    azimuth: float | None = None
    airmass: float | None = None
    exposure_time: float | None = None
    filter_used: str | None = None
    user_id: str | None = None
    username: str | None = None
    capture_date: datetime | None = None
    release_date: date | None = None
    stack: int | None = None
    stack_number: int | None = None
    shown: dict[str, Any] = field(default_factory=dict)
    """What packages show of the header as it is there."""


def columns_of(header: Told) -> Columns:
    """Return what a header says about its image."""
    crval, hours, dec = (
        finite(header.get("CRVAL1")),
        finite(header.get("RAHRS")),
        finite(header.get("CRVAL2")),
    )
    return Columns(
        right_ascension=crval if crval is not None else hours,
        declination=dec if dec is not None else finite(header.get("DEC")),
        ra_deg=crval if crval is not None else None if hours is None else hours * HOURS_TO_DEG,
        altitude=finite(header.get("ALTITUDE")),
        azimuth=finite(header.get("AZIMUTH")),
        airmass=finite(header.get("AIRMASS")),
        exposure_time=finite(header.get("EXPTIME")),
        filter_used=_text(header, "FILTER"),
        user_id=_text(header, "USERID"),
        username=_text(header, "USERNAME"),
        capture_date=instant(header.get("DATE-OBS")),
        release_date=_day(header.get("RELEASE")) or _day(header.get("L1PUBDAT")),
        stack=digits(header.get("SMARTSTK")),
        stack_number=digits(header.get("SSTKNUM")),
        shown=_shown(header),
    )


def _shown(header: Told) -> dict[str, Any]:
    parts = [header.get(name) for name in ("SITEID", "INSTRUME", "DAY-OBS")]
    path = "/".join([*map(str, parts), "raw"]) if all(one not in (None, "") for one in parts) else ""
    return {
        "fits_filename": header.get("ORIGNAME") or "",
        "fits_path": path,
        "SMARTSTK": _or_empty(header.get("SMARTSTK")),
        "SSTKNUM": _or_empty(header.get("SSTKNUM")),
    }


def _or_empty(value: Any) -> Any:
    return "" if value is None else value


def digits(value: Any) -> int | None:
    """Return the number in a value that is all digits, None for any other."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    found = DIGITS.fullmatch(str(value).strip())
    return int(found[0]) if found else None


def _text(header: Told, keyword: str) -> str | None:
    value = header.get(keyword)
    return None if value is None else str(value)


def instant(value: Any) -> datetime | None:
    """Return the instant that a date of FITS means, in UTC; None for what is none."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _day(value: Any) -> date | None:
    found = instant(value)
    return found.date() if found else None
