"""A header as the rules see it: ordered HDUs of cards, whatever form it came in, and the values most asked for."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from msgspec import Struct

from armillary.fits.models import Value
from armillary.sky.coordinates import parse_angle

OBSID = re.compile(r"([A-Z][A-Z0-9]{0,7})_([A-Z])_(\d{8})_(\d{6})", re.ASCII)
"""Image ids: camera, controller, day, sequence."""
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?", re.ASCII)
_UNIT = re.compile(r"[\[(]\s*([^\])]{1,20}?)\s*[\])]")
_SEXAGESIMAL = re.compile(r"[hH]{1,2}:?[mM]|[dD]{2}:?[mM]|sexagesimal", re.ASCII)
_SIMULATED = "SIMULATED "
"""What players of recorded headers put before the dates of what they play."""


# Large headers have thousands of them, in the time of an announcement.
class Cell(Struct, frozen=True, gc=False):
    """One card.

    ``unit``, ``age_s`` (of the sample at its moment) and ``pick`` are what a side-car says, where it came as one.
    """

    keyword: str
    value: Value
    comment: str = ""
    unit: str = ""
    age_s: Any = None
    pick: Any = None


@dataclass(frozen=True, slots=True)
class Page:
    """The cards of one HDU; ``raw`` are the bytes of its header, where it came as FITS."""

    name: str
    cells: tuple[Cell, ...]
    raw: bytes | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A site: degrees north and east, metres above the ellipsoid, and how it is known."""

    latitude: float
    longitude: float
    height: float
    known_by: str = ""


@dataclass(frozen=True)
class Sheet:
    """One header with all its HDUs.

    The main block is the primary HDU; of what it leaves out, the first extension is asked if the primary HDU is an
    empty shell, as in tile-compressed files.
    """

    pages: tuple[Page, ...]
    file: str = ""
    given_site: Place | None = None
    trouble: str | None = None
    cache: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def cells(self) -> dict[str, Cell]:
        """The first card of each keyword of the main block."""
        found: dict[str, Cell] = {}
        for page in self._main():
            for cell in page.cells:
                found.setdefault(cell.keyword, cell)
        for keyword in [one for one in found if one.startswith(_SIMULATED)]:
            found.setdefault(keyword.removeprefix(_SIMULATED), found[keyword])
        return found

    def _main(self) -> Sequence[Page]:
        first = self.pages[:1]
        if len(self.pages) > 1 and first and not any(c.keyword in _TELLING for c in first[0].cells):
            return self.pages[:2]
        return first

    def has(self, keyword: str) -> bool:
        """Tell whether there is such a card, with or without a value."""
        return keyword in self.cells

    def value(self, keyword: str) -> Value:
        """Return the value of a card, None if there is none."""
        cell = self.cells.get(keyword)
        return cell.value if cell else None

    def text(self, *keywords: str) -> str | None:
        """Return the first of some keywords that has a text which is not blank, stripped."""
        for keyword in keywords:
            value = self.value(keyword)
            if isinstance(value, str) and value.strip():
                return value.strip()
        return None

    def word(self, *keywords: str) -> str:
        """Return such a text in capitals; empty if there is none."""
        return (self.text(*keywords) or "").upper()

    def number(self, keyword: str) -> float | None:
        """Return a finite number, also one that stands in quotes."""
        return number_of(self.value(keyword))

    def first_number(self, *keywords: str) -> tuple[str, float] | None:
        """Return the first of some keywords that has a finite number, and that."""
        for keyword in keywords:
            if (found := self.number(keyword)) is not None:
                return keyword, found
        return None

    def unit(self, keyword: str) -> str:
        """Return the unit that a card declares, by itself or in brackets in its comment; empty if it does not."""
        cell = self.cells.get(keyword)
        if cell is None:
            return ""
        return cell.unit or unit_of(cell.comment)

    def comment(self, keyword: str) -> str:
        """Return the comment of a card."""
        cell = self.cells.get(keyword)
        return cell.comment if cell else ""

    @cached_property
    def sidereal(self) -> bool:
        """Whether the telescope followed the sky, as far as the header tells."""
        track = self.word("TRACKSYS", "TELSTAT", "TEL_STAT")
        if track:
            return track in ("RADEC", "SIDEREAL", "TRACK", "TRACKING", "GUIDING", "OKAY", "ICRS", "FK5")
        kind = self.word("IMGTYPE", "OBSTYPE", "IMAGETYP")
        return kind in _ON_SKY or (not kind and self.value("RA") is not None)


_ON_SKY = frozenset(
    {
        "OBJECT",
        "SKYEXP",
        "SCIENCE",
        "EXPOSE",
        "STANDARD",
        "ACQ",
        "CWFS",
        "FOCUS",
        "SPECTRUM",
        "LIGHT",
        "ENGTEST",
    }
)
_TELLING = frozenset({"DATE-OBS", "DATE-BEG", "MJD-OBS", "EXPTIME", "INSTRUME", "TELESCOP", "OBSID", "RA"})
"""Keywords of which an empty shell has none."""


def number_of(value: Any) -> float | None:
    """Return the finite number that a value is or states; None for everything else, logicals too."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str) and _NUMBER.fullmatch(text := value.strip()):
        number = float(text.replace("D", "E").replace("d", "e"))
        return number if math.isfinite(number) else None
    return None


def unit_of(comment: str) -> str:
    """Return the unit that a comment declares in brackets (FITS 4.0, section 4.3.2), in small letters.

    Only at its start or where it is known to be one: comments bracket many other things.
    """
    found = _UNIT.search(comment)
    if not found:
        return "sexagesimal" if _SEXAGESIMAL.search(comment) else ""
    word = found[1].strip()
    if _SEXAGESIMAL.search(word):
        return "sexagesimal"
    return word if found.start() == 0 or word.lower() in _UNITS else ""


_UNITS = frozenset(
    {
        "deg",
        "degrees",
        "rad",
        "radians",
        "h",
        "hours",
        "hr",
        "c",
        "deg c",
        "k",
        "pa",
        "hpa",
        "mbar",
        "mm",
        "um",
    }
) | frozenset({"%", "m/s", "arcsec", "s", "sec", "seconds", "m"})


def sexagesimal(value: Value) -> float | None:
    """Return the degrees of an angle in sexagesimal text, hours by its first part; None for anything else."""
    if isinstance(value, str) and any(mark in value.strip() for mark in ": hd"):
        try:
            return parse_angle(value, 15.0)
        except ValueError:
            return None
    return None


def sexagesimal_degrees(value: Value) -> float | None:
    """Return the degrees of sexagesimal text whose first part is degrees."""
    if isinstance(value, str) and any(mark in value.strip() for mark in ": hd"):
        try:
            return parse_angle(value, 1.0)
        except ValueError:
            return None
    return None


def pages_of(cards: Iterable[tuple[str, Iterable[tuple[str, Value, str]]]]) -> tuple[Page, ...]:
    """Return pages of names and (keyword, value, comment) cards."""
    return tuple(Page(name, tuple(Cell(*card) for card in held)) for name, held in cards)


def walk(pages: Sequence[Page]) -> Iterator[tuple[Page, Cell]]:
    """Yield every card with its HDU."""
    for page in pages:
        for cell in page.cells:
            yield page, cell


def parts_of(sheet: Sheet) -> tuple[str, str, str, int] | None:
    """Return camera, controller, day and sequence of an image id; None if it has none of this form."""
    found = OBSID.fullmatch(sheet.text("OBSID") or "")
    return (found[1], found[2], found[3], int(found[4])) if found else None
