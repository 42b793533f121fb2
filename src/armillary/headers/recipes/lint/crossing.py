"""X01 to X07: configurations against their templates, each other, and the lists of consumers."""

from __future__ import annotations

from collections.abc import Iterator

from armillary.headers.models import Required
from armillary.headers.recipes.lint import units
from armillary.headers.recipes.lint.notes import Notes, nearest
from armillary.headers.recipes.marked import Marked
from armillary.headers.recipes.models import BUILT_IN, Constant, Derived, Keyword, Recipe
from armillary.headers.recipes.outlines import Outline

INGEST = (
    *("INSTRUME", "TELESCOP", "OBSID", "DAYOBS", "SEQNUM", "CONTRLLR"),
    *("DATE", "DATE-BEG", "MJD-BEG", "DATE-END", "TIMESYS", "EXPTIME", "DARKTIME", "SHUTTIME"),
    *("IMGTYPE", "REASON|TESTTYPE", "PROGRAM", "OBJECT", "FILTER", "GROUPID", "CURINDEX", "MAXINDEX"),
    *("RA", "DEC", "RASTART", "DECSTART", "RADESYS", "TRACKSYS", "AMSTART", "ROTPA", "ROTCOORD"),
    *("AZSTART", "ELSTART", "AZEND", "ELEND", "FOCUSZ", "AIRTEMP", "PRESSURE", "HUMIDITY", "VIGN_MIN"),
    *("RAFTBAY", "CCDSLOT", "LSST_NUM", "OBSGEO-X", "OBSGEO-Y", "OBSGEO-Z"),
)
"""What every reference instrument has for ingest; of names with a bar between them one is enough."""
_PARTS = ("keywords", "derive", "constants")


def check(recipe: Recipe, document: Marked, outlines: list[Outline], notes: Notes) -> None:
    """Note where a recipe and its templates do not fit together."""
    if not outlines:
        said = f"There is no template: write templates/{recipe.instrument}/raw.yaml."
        notes.add("X01", recipe.instrument, document.place, said)
        return
    told = _unreadable(recipe, document)
    listed = {card.slot.key for one in outlines for hdu in one.hdus.values() if hdu for card in hdu.cards}
    for part, key, _ in _suppliers(recipe):
        if key not in listed:
            notes.add("X01", key, document.at(part, key), f"{key} is on no template{nearest(key, listed)}")
    _twice(recipe, document, notes)
    for outline in outlines:
        _slots(recipe, document, outline, told, notes)
        _ingest(recipe, outline, told, notes)
    _merge_lists(recipe, document, listed, notes)


def _suppliers(recipe: Recipe) -> Iterator[tuple[str, str, Keyword | Derived | Constant]]:
    """Yield what gives a value to a card: part of the document, keyword, entry."""
    for part in _PARTS:
        for key, entry in getattr(recipe, part).items():
            yield part, key, entry


def _fills(entry: Keyword | Derived | Constant) -> bool:
    return not isinstance(entry, Keyword) or entry.source is not None or bool(entry.fallback)


def _unreadable(recipe: Recipe, document: Marked) -> set[str]:
    """Return the keywords of which other findings say that they have no value: unreadable ones, and C13."""
    written = {key for part in _PARTS if (node := document.below(part)) for key in node.mapping}
    entries = {key: entry for _, key, entry in _suppliers(recipe)}
    empty = {key for key, one in entries.items() if not _fills(one) and one.required != Required.NONE}
    return (written - entries.keys()) | empty


def _twice(recipe: Recipe, document: Marked, notes: Notes) -> None:
    first: dict[str, str] = {}
    for part, key, _ in _suppliers(recipe):
        if key in first:
            said = f"{key} has its value from {first[key]} already."
            notes.add("X03", key, document.at(part, key), said)
        first.setdefault(key, part)


def _slots(recipe: Recipe, document: Marked, outline: Outline, told: set[str], notes: Notes) -> None:
    """Each card of a template gets its value from one place, at the level that was meant."""
    known = {key: (part, entry) for part, key, entry in _suppliers(recipe)}
    for level, hdu in outline.hdus.items():
        for card in hdu.cards if hdu else ():
            key = card.slot.key
            part, entry = known.get(key, ("", None))
            filled = entry is not None and _fills(entry)
            if card.slot.constant is not None:
                if filled:
                    said = f"{key} is a constant of the template, and has its value from {part}, too."
                    notes.add("X03", key, card.place, said)
                continue
            if not filled and key not in BUILT_IN and key not in told:
                notes.add("X02", key, card.place, f"Nothing fills {key}{nearest(key, known)}")
            if entry is not None and entry.hdu != level:
                said = f"{key} is meant for the {entry.hdu} header, and stands on that of the {level}."
                notes.add("X04", key, document.at(part, key), said)


def _ingest(recipe: Recipe, outline: Outline, told: set[str], notes: Notes) -> None:
    """The cards that ingest cannot do without are listed and filled."""
    filled = {key for _, key, entry in _suppliers(recipe) if _fills(entry)} | BUILT_IN | told
    cards = [card.slot for hdu in outline.hdus.values() if hdu for card in hdu.cards]
    there = {one.key for one in cards if one.constant is not None or one.key in filled}
    for names in INGEST:
        if not there.intersection(names.split("|")):
            said = f"Ingest needs {' or '.join(names.split('|'))}, which this template does not give."
            notes.add("X05", names.split("|")[0], outline.place, said)


def _merge_lists(recipe: Recipe, document: Marked, listed: set[str], notes: Notes) -> None:
    needed = {key for _, key, one in _suppliers(recipe) if one.required == Required.INGEST and key in listed}
    for consumer, names in recipe.merge.items():
        place = document.at("merge", consumer)
        for number, name in enumerate(names):
            if name not in listed:
                said = f"{consumer} merges {name}, which is on no template{nearest(name, listed)}"
                notes.add("X07", name, document.at("merge", consumer, number), said)
        for name in sorted(needed - set(names)):
            notes.add("X07", name, place, f"{consumer} does not merge {name}, which ingest needs.")


def check_units(recipes: dict[str, Recipe], documents: dict[str, Marked], notes: dict[str, Notes]) -> None:
    """Note keywords that have another unit with another instrument (X06)."""
    first: dict[str, tuple[str, str]] = {}
    for instrument, recipe in recipes.items():
        for part, key, entry in _suppliers(recipe):
            unit = entry.unit if entry.unit is None or isinstance(entry.unit, str) else entry.unit.out
            if unit is None:
                continue
            other, told = first.setdefault(key, (instrument, unit))
            if other != instrument and not units.same(unit, told):
                said = f"{key} is in {unit} here, and in {told} with {other}."
                notes[instrument].add("X06", key, documents[instrument].at(part, key, "unit"), said)
