"""Templates as they stand in files: sections of cards with their places, and how one template extends another."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

from armillary.headers.models import Level
from armillary.headers.recipes.marked import Marked, Place, Problem
from armillary.headers.recipes.models import HduTemplate, Section, Slot, Template
from armillary.headers.recipes.shapes import SCALARS, unknown_option

_TEMPLATE_OPTIONS = dict.fromkeys(("template", "extends", "volatile", "hdus"))
_HDU_OPTIONS = dict.fromkeys(("name", "order", "inherit", "enabled", "cards"))
_SLOT_OPTIONS = dict.fromkeys(("key", "hierarch", "constant", "comment"))
_SECTION_OPTIONS = dict.fromkeys(("section", "before", "after", "add", "remove"))
_RANGE = re.compile(r"([0-9]{1,4})\.\.([0-9]{1,4})")
_VOLATILE = ("DATE", "FILENAME")


@dataclass(frozen=True, slots=True)
class PlacedSlot:
    """A card with the line that lists it."""

    slot: Slot
    place: Place


@dataclass(frozen=True, slots=True)
class PlacedSection:
    """A section, and what a template that extends another wants done with it."""

    title: str | None
    place: Place
    cards: tuple[PlacedSlot, ...] = ()
    before: str | None = None
    after: str | None = None
    add: bool = False
    remove: bool = False


@dataclass(frozen=True, slots=True)
class PlacedHdu:
    """One kind of HDU; an option that is None is left to the parent."""

    place: Place
    name: str | None = None
    order: tuple[str, ...] | None = None
    inherit: bool | None = None
    enabled: bool | None = None
    sections: tuple[PlacedSection, ...] = ()

    @property
    def cards(self) -> tuple[PlacedSlot, ...]:
        """The cards of all sections, in order."""
        return tuple(one for section in self.sections for one in section.cards)


@dataclass(frozen=True, slots=True)
class Outline:
    """A template of a file."""

    name: str
    place: Place
    extends: str | None = None
    extends_place: Place | None = None
    volatile: tuple[str, ...] | None = None
    hdus: dict[Level, PlacedHdu | None] = field(default_factory=dict)

    def template(self) -> Template:
        """Return what it resolves to."""
        instrument, _, product = self.name.partition("/")
        hdus = {level: _resolved(level, one) for level, one in self.hdus.items() if one}
        volatile = _VOLATILE if self.volatile is None else self.volatile
        return Template(self.name, instrument, product, volatile, hdus)


def _resolved(level: Level, hdu: PlacedHdu) -> HduTemplate:
    sections = tuple(
        Section(tuple(one.slot for one in section.cards), section.title) for section in hdu.sections
    )
    default = {Level.PRIMARY: None, Level.DETECTOR: "{detector}_PRIMARY"}
    name = hdu.name or default.get(level, "{detector}_Segment{segment}")
    enabled = True if hdu.enabled is None else hdu.enabled
    return HduTemplate(sections, name, hdu.order or (), bool(hdu.inherit), enabled)


def read_outline(document: Marked, name: str) -> tuple[Outline, list[Problem]]:
    """Return the template that a document describes, and what is wrong with its form."""
    reader = _Reader()
    reader.refuse_unknown(document, _TEMPLATE_OPTIONS)
    entries = document.mapping
    if entries.get("template") is None or entries["template"].value != name:
        reader.note(
            document.at("template"), f"By its file, this template is called {name}: template: {name}."
        )
    hdus: dict[Level, PlacedHdu | None] = {}
    given = entries.get("hdus")
    for level, one in (given.mapping if given else {}).items():
        if level in list(Level):
            hdus[Level(level)] = reader.hdu(one)
        else:
            words: dict[str, None] = {str(one): None for one in Level}
            reader.note(document.at("hdus", level), unknown_option(level, words, ("hdus",)), (level,))
    extends = reader.text(entries.get("extends"), "extends")
    volatile = entries.get("volatile")
    outline = Outline(
        name,
        document.place,
        extends,
        document.at("extends") if extends else None,
        reader.texts(volatile, "volatile") if volatile else None,
        hdus,
    )
    return outline, reader.problems


class _Reader:
    """Reads the parts of a template and notes what is wrong with them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def note(self, place: Place, message: str, path: tuple[str, ...] = (), code: str = "C01") -> None:
        self.problems.append(Problem(place, message, path, code))

    def refuse_unknown(self, node: Marked, known: dict[str, Any]) -> None:
        if not isinstance(node.value, dict):
            self.note(node.place, "This must be a mapping of options.")
        for key in node.mapping.keys() - known.keys():
            self.note(node.key_places[key], unknown_option(key, known, ()), (key,))

    def text(self, node: Marked | None, option: str) -> str | None:
        if node is None or node.value is None:
            return None
        if not isinstance(node.value, str):
            self.note(node.place, f"{option} must be a text (in quotes, if it looks like a number).")
            return None
        return node.value

    def texts(self, node: Marked, option: str) -> tuple[str, ...]:
        if not isinstance(node.value, list):
            self.note(node.place, f"{option} must be a list of texts.")
        found = (self.text(one, option) for one in node.items)
        return tuple(one for one in found if one is not None)

    def flag(self, node: Marked | None, option: str) -> bool | None:
        if node is None or node.value is None:
            return None
        if not isinstance(node.value, bool):
            self.note(node.place, f"{option} must be true or false.")
            return None
        return node.value

    def hdu(self, node: Marked) -> PlacedHdu | None:
        """Read a kind of HDU: a list of cards, or options with the list as `cards`; null removes it."""
        if node.value is None:
            return None
        if isinstance(node.value, list):
            return PlacedHdu(node.place, sections=self.sections(node))
        self.refuse_unknown(node, _HDU_OPTIONS)
        entries = node.mapping
        order = self.texts(entries["order"], "order") if "order" in entries else None
        return PlacedHdu(
            node.place,
            self.text(entries.get("name"), "name"),
            None if order is None else tuple(code for one in order for code in _codes(one)),
            self.flag(entries.get("inherit"), "inherit"),
            self.flag(entries.get("enabled"), "enabled"),
            self.sections(entries["cards"]) if "cards" in entries else (),
        )

    def sections(self, node: Marked) -> tuple[PlacedSection, ...]:
        """Read a list in which titles and cards take turns."""
        if not isinstance(node.value, list):
            self.note(node.place, "Cards must be a list.")
        found = [PlacedSection(None, node.place)]
        for one in node.items:
            if "section" in one.mapping:
                found.append(self.section(one))
            elif (slot := self.slot(one)) is not None:
                found[-1] = replace(found[-1], cards=(*found[-1].cards, PlacedSlot(slot, one.place)))
        return tuple(one for one in found if one.cards or one.title is not None)

    def section(self, node: Marked) -> PlacedSection:
        self.refuse_unknown(node, _SECTION_OPTIONS)
        entries = node.mapping
        return PlacedSection(
            self.text(entries["section"], "section") or "",
            node.place,
            before=self.text(entries.get("before"), "before"),
            after=self.text(entries.get("after"), "after"),
            add=bool(self.flag(entries.get("add"), "add")),
            remove=bool(self.flag(entries.get("remove"), "remove")),
        )

    def slot(self, node: Marked) -> Slot | None:
        """Read a card: its keyword, or options with it as `key`."""
        if isinstance(node.value, str):
            return Slot(node.value)
        self.refuse_unknown(node, _SLOT_OPTIONS)
        entries = node.mapping
        key = self.text(entries.get("key"), "key")
        if key is None:
            self.note(node.place, "A card needs its key.")
            return None
        constant = entries["constant"].value if "constant" in entries else None
        if "constant" in entries and not _is_constant(constant):
            said = f"The constant {key} must be a text, a finite number, true or false."
            self.note(entries["constant"].place, said, (key,), "T07")
            return None
        hierarch = bool(self.flag(entries.get("hierarch"), "hierarch"))
        return Slot(key, hierarch, constant, self.text(entries.get("comment"), "comment"))


def _is_constant(value: Any) -> bool:
    return type(value) in SCALARS and not (isinstance(value, float) and not isfinite(value))


def _codes(text: str) -> list[str]:
    """Return the codes of a range such as ``07..00``, in that direction; a text that is none stands for itself."""
    found = _RANGE.fullmatch(text)
    if not found:
        return [text]
    first, last, width = int(found[1]), int(found[2]), len(found[1])
    step = 1 if first <= last else -1
    return [f"{number:0{width}}" for number in range(first, last + step, step)]


Find = Callable[[str], Outline | None]


def extend(outline: Outline, find: Find, *, chain: tuple[str, ...] = ()) -> tuple[Outline, list[Problem]]:
    """Return a template with all that it extends: sections inserted, replaced and removed."""
    if outline.extends is None:
        return outline, []
    chain = (*chain, outline.name)
    place = outline.extends_place or outline.place
    if outline.extends in chain:
        said = f"A template cannot extend itself: {' -> '.join((*chain, outline.extends))}."
        return outline, [Problem(place, said, (outline.extends,), "T06")]
    parent = find(outline.extends)
    if parent is None:
        said = f"There is no template {outline.extends} to extend."
        return outline, [Problem(place, said, (outline.extends,), "T06")]
    below, problems = extend(parent, find, chain=chain)
    hdus = dict(below.hdus)
    for level, hdu in outline.hdus.items():
        inherited = hdus.get(level)
        if hdu is None or inherited is None:
            hdus[level] = hdu
            continue
        sections, wrong = _laid_over(inherited.sections, hdu.sections)
        problems += wrong
        hdus[level] = PlacedHdu(
            hdu.place,
            inherited.name if hdu.name is None else hdu.name,
            inherited.order if hdu.order is None else hdu.order,
            inherited.inherit if hdu.inherit is None else hdu.inherit,
            inherited.enabled if hdu.enabled is None else hdu.enabled,
            sections,
        )
    volatile = below.volatile if outline.volatile is None else outline.volatile
    return replace(outline, volatile=volatile, hdus=hdus), problems


def _laid_over(
    below: tuple[PlacedSection, ...], above: tuple[PlacedSection, ...]
) -> tuple[tuple[PlacedSection, ...], list[Problem]]:
    """Return the sections of a parent after those of its child: the same title replaces, a new one is inserted."""
    found, problems = list(below), []
    for one in above:
        titles = [section.title for section in found]
        at = titles.index(one.title) if one.title in titles else None
        beside = one.before or one.after
        if beside is not None and beside not in titles:
            problems.append(Problem(one.place, f"There is no section {beside}.", (beside,), "C09"))
        if at is None and (one.remove or one.add):
            said = f"The parent has no section {one.title}."
            problems.append(Problem(one.place, said, (one.title or "",), "C09"))
        elif one.remove:
            del found[at or 0]
        elif at is None:
            found.insert(_position(one, titles), one)
        elif one.add:
            found[at] = replace(found[at], cards=found[at].cards + one.cards)
        else:
            found[at] = one
    return tuple(found), problems


def _position(section: PlacedSection, titles: list[str | None]) -> int:
    if section.before in titles and section.before is not None:
        return titles.index(section.before)
    if section.after in titles and section.after is not None:
        return titles.index(section.after) + 1
    return len(titles)
