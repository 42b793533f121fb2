"""T01 to T05, T08, T09: a template by itself, and the length of its cards."""

from __future__ import annotations

import re
from typing import NamedTuple

from armillary.headers.models import Level
from armillary.headers.recipes.lint import units
from armillary.headers.recipes.lint.notes import Notes
from armillary.headers.recipes.models import Constant, Derived, Keyword, Recipe, Slot, Type
from armillary.headers.recipes.outlines import Outline, PlacedHdu

STRUCTURAL = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS[0-9]*|EXTEND|PCOUNT|GCOUNT|GROUPS|TFIELDS|T(?:FORM|TYPE|DIM|NULL|SCAL|ZERO)[0-9]+"
    r"|BSCALE|BZERO|BLANK|BLOCKED|EXTNAME|INHERIT|CHECKSUM|DATASUM|END|CONTINUE|COMMENT|HISTORY|HIERARCH"
    r"|Z(?:IMAGE|CMPTYPE|BITPIX|NAXIS[0-9]*|TILE[0-9]+|SIMPLE|EXTEND|TENSION|PCOUNT|GCOUNT|DATASUM|HECKSUM|SCALE|ZERO)"
)
"""Cards that belong to the file, its scaling or its compression, or that rendering writes by itself."""
_NAME = re.compile(r"[A-Z0-9_-]{1,8}")
_LONG_NAME = re.compile(r"[A-Z0-9_-]+(?: [A-Z0-9_-]+)*")
_PLACEHOLDER = re.compile(r"\{([^}]*)\}")
_CARD, _VALUE, _SEPARATOR = 80, 20, 3
_WANTED: dict[Level, frozenset[str]] = {
    Level.PRIMARY: frozenset(),
    Level.DETECTOR: frozenset({"detector"}),
    Level.SEGMENT: frozenset({"detector", "segment"}),
}


def check(outline: Outline, recipe: Recipe | None, notes: Notes) -> None:
    """Note what is wrong with a template; lengths and units of cards are known where its instrument is."""
    for level, hdu in outline.hdus.items():
        if hdu is None:
            continue
        _sections(level, hdu, notes)
        _extname(level, hdu, notes)
        seen: set[str] = set()
        for card in hdu.cards:
            key = card.slot.key
            if key in seen:
                notes.add("T01", key, card.place, f"{key} is on the {level} header already.")
            seen.add(key)
            fault = _name_fault(card.slot)
            if fault:
                notes.add("T02", key, card.place, fault)
            if STRUCTURAL.fullmatch(key):
                said = f"{key} describes the structure of the file; it is not set by hand."
                notes.add("T04", key, card.place, said)
            told = describe(card.slot, recipe)
            if _length(card.slot, told) > _CARD:
                said = f"The card {key} has more than {_CARD} characters; shorten its comment or its name."
                notes.add("T03", key, card.place, said)
            other = units.contradicted(told.comment, told.unit) if told.unit else None
            if other:
                said = f"The comment of {key} speaks of {other}, its unit is {told.unit}."
                notes.add("T09", key, card.place, said)


class Told(NamedTuple):
    """What is printed of a card beside its value, and how long that is at most."""

    comment: str
    unit: str | None
    width: int = _VALUE


def describe(slot: Slot, recipe: Recipe | None) -> Told:
    """Return comment and unit of a card: those of the template, else those of whatever gives the value."""
    found: Keyword | Derived | Constant | None = None
    if recipe is not None:
        key = slot.key
        found = recipe.keywords.get(key) or recipe.derive.get(key) or recipe.constants.get(key)
    unit = found.unit if found is not None else None
    named = unit if unit is None or isinstance(unit, str) else unit.out
    comment = slot.comment if slot.comment is not None else found.comment if found is not None else ""
    is_flag = isinstance(found, Keyword | Derived) and found.type == Type.BOOL
    return Told(comment, named, 1 if is_flag and slot.hierarch else _VALUE)


def _length(slot: Slot, told: Told) -> int:
    """Return the characters of a card with a value of 20, after which long texts go on in CONTINUE cards."""
    name = len(f"HIERARCH {slot.key} = ") if slot.hierarch else 10
    shown = f"[{told.unit}] {told.comment}" if told.unit not in (None, "1") else told.comment
    return name + told.width + (_SEPARATOR + len(shown.rstrip()) if shown else 0)


def _name_fault(slot: Slot) -> str | None:
    if slot.hierarch:
        return None if _LONG_NAME.fullmatch(slot.key) else f"{slot.key} is no name of a HIERARCH card."
    if _NAME.fullmatch(slot.key):
        return None
    if _LONG_NAME.fullmatch(slot.key):
        return f"{slot.key} is longer than eight characters or has spaces; add hierarch: true."
    return f"{slot.key} is no keyword: use A-Z, 0-9, - and _."


def _sections(level: Level, hdu: PlacedHdu, notes: Notes) -> None:
    for section in hdu.sections:
        if not section.cards:
            said = f"The section {section.title} has no cards."
            notes.add("T05", section.title or "", section.place, said)
    if not hdu.sections:
        notes.add("T05", str(level), hdu.place, f"The {level} header has no cards.")


def _extname(level: Level, hdu: PlacedHdu, notes: Notes) -> None:
    """Each HDU has a name of its own."""
    if hdu.name is not None:
        found = set(_PLACEHOLDER.findall(hdu.name))
        for one in sorted(found - _WANTED[level]):
            notes.add("T08", hdu.name, hdu.place, f"{{{one}}} is unknown in the name of a {level} HDU.")
        for one in sorted(_WANTED[level] - found):
            said = f"Without {{{one}}} in their names, several {level} HDUs are called {hdu.name}."
            notes.add("T08", hdu.name, hdu.place, said)
        if level != Level.PRIMARY and hdu.name == "PRIMARY":
            notes.add("T08", hdu.name, hdu.place, "The first HDU is called PRIMARY already.")
    twice = sorted({code for code in hdu.order or () if (hdu.order or ()).count(code) > 1})
    if twice:
        notes.add("T08", twice[0], hdu.place, f"The segments {' '.join(twice)} stand twice in order.")
