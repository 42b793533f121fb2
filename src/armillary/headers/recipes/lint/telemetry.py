"""C02, C03, C06, C07, C09, C10: sources against the catalogue, units, picks, enums."""

from __future__ import annotations

from collections import Counter

from armillary.headers.recipes.lint import units
from armillary.headers.recipes.lint.notes import Notes, nearest
from armillary.headers.recipes.lint.uses import Use, field_of, uses
from armillary.headers.recipes.marked import Marked, Place
from armillary.headers.recipes.models import Catalogue, Pick, Recipe, TopicEntry, Unit

_NUMERIC = frozenset({Pick.INTERP, Pick.MEAN, Pick.MEDIAN, Pick.STD})
_ORDERED = frozenset({Pick.MIN, Pick.MAX})
Path = tuple[str | int, ...]


def check(recipe: Recipe, document: Marked, catalogue: Catalogue, notes: Notes) -> None:
    """Note what is wrong with the telemetry that a recipe reads."""
    checks = _Checks(recipe, document, catalogue, notes)
    checks.components()
    for one in uses(recipe):
        checks.use(one)
    checks.moments()
    checks.detectors()
    _enums(recipe, document, notes)
    _units(recipe, document, notes)


class _Checks:
    def __init__(self, recipe: Recipe, document: Marked, catalogue: Catalogue, notes: Notes) -> None:
        self._recipe, self._document = recipe, document
        self._catalogue, self._notes = catalogue, notes

    def components(self) -> None:
        """Each source names a component of the catalogue."""
        known = self._catalogue.components
        for alias, entry in self._recipe.sources.items():
            place = self._document.at("sources", alias, "component")
            if self._topics(alias) is None:
                said = f"The catalogue has no component {entry.component}{nearest(entry.component, known)}"
                self._notes.add("C02", alias, place, said)
            elif entry.time and not any(
                entry.time in one.fields for one in (self._topics(alias) or {}).values()
            ):
                said = f"No topic of {entry.component} has the field {entry.time}."
                self._notes.add("C02", alias, self._document.at("sources", alias, "time"), said)

    def _topics(self, alias: str) -> dict[str, TopicEntry] | None:
        return self._catalogue.topics(self._recipe.sources[alias].component)

    def _topic(self, alias: str, topic: str, name: str, path: Path) -> TopicEntry | None:
        """Return the catalogue's entry; note it if the source or the topic is unknown."""
        if alias not in self._recipe.sources:
            said = f"There is no source {alias}{nearest(alias, self._recipe.sources)}"
            step = "from" if path[0] in ("keywords", "geometry") else "source"
            self._notes.add("C09", name, self._document.at(*path, step), said)
            return None
        topics = self._topics(alias)
        if topics is None:
            return None
        if topic not in topics:
            component = self._recipe.sources[alias].component
            said = f"{component} has no topic {topic} in the catalogue{nearest(topic, topics)}"
            self._notes.add("C02", name, self._document.at(*path, "topic"), said)
        return topics.get(topic)

    def _field(self, topic: TopicEntry, field: str | None, name: str, place: Place) -> None:
        if field is not None and field_of(topic, field) is None:
            said = f"The topic has no field {field} in the catalogue{nearest(field, topic.fields)}"
            self._notes.add("C02", name, place, said)

    def use(self, use: Use) -> None:
        """A source reads a topic and fields that there are, in their units, and says how old values may be."""
        source, document = use.source, self._document
        topic = self._topic(source.origin, source.topic, use.name, use.path)
        if source.enum is not None and source.enum not in self._recipe.enums:
            said = f"There is no enum {source.enum}{nearest(source.enum, self._recipe.enums)}"
            self._notes.add("C07", use.name, use.place(document, "enum"), said)
        if topic is None:
            return
        for field, below in _fields(use):
            self._field(topic, field, use.name, use.place(document, *below))
        if topic.kind == "telemetry" and use.max_age is None and use.keyword:
            said = f"{source.topic} is telemetry: say by max_age how old a value of {use.name} may be."
            self._notes.add("C10", use.name, use.place(document), said)
        self._pick(use, topic)
        self._catalogued_unit(use, topic)

    def _pick(self, use: Use, topic: TopicEntry) -> None:
        source = use.source
        field = field_of(topic, source.field) if source.field else None
        is_text = source.keyed is not None or (field is not None and field.type in ("str", "bool"))
        wanted = _NUMERIC if source.enum else _NUMERIC | _ORDERED
        if is_text and use.pick in wanted and source.per_detector is None:
            said = f"{use.pick} needs numbers; the value of {use.name} is a text."
            self._notes.add("C06", use.name, self._document.at(*use.path[:2], "pick"), said)

    def _catalogued_unit(self, use: Use, topic: TopicEntry) -> None:
        field = field_of(topic, use.source.field) if use.source.field else None
        if use.unit is None or field is None or field.unit is None or units.unit_of(use.unit.given) is None:
            return
        if not units.same(use.unit.given, field.unit):
            said = f"The catalogue gives {use.source.field} in {field.unit}, not in {use.unit.given}."
            self._notes.add("C03", use.name, self._document.at(*use.path[:2], "unit"), said)

    def moments(self) -> None:
        """The events that are moments, and the fields that they name."""
        for name, one in self._recipe.moments.items():
            path = ("moments", name)
            topic = self._topic(one.source, one.topic, name, path)
            for option, field in (("id", one.id), ("exposure", one.exposure), ("timeout", one.timeout)):
                if topic is not None:
                    self._field(topic, field, name, self._document.at(*path, option))

    def detectors(self) -> None:
        """The list of detectors."""
        one = self._recipe.detectors
        if one.source is None or one.topic is None:
            return
        topic = self._topic(one.source, one.topic, "detectors", ("detectors",))
        if topic is not None:
            self._field(topic, one.ids, "detectors", self._document.at("detectors", "ids"))


def _fields(use: Use) -> list[tuple[str, tuple[str, ...]]]:
    """Return the fields that a source names, each with the way to its option."""
    source = use.source
    named = [
        (source.field, ("field",)),
        (source.match, ("match",)),
        (source.keyed.keys if source.keyed else None, ("keyed", "keys")),
        (source.keyed.values if source.keyed else None, ("keyed", "values")),
        (source.per_detector.ids if source.per_detector else None, ("per_detector", "ids")),
        (source.block.times if source.block else None, ("block", "times")),
    ]
    return [(field, below) for field, below in named if field is not None]


def _enums(recipe: Recipe, document: Marked, notes: Notes) -> None:
    for name, words in recipe.enums.items():
        for number, count in Counter(words.values()).items():
            if count > 1:
                twice = [word for word, one in words.items() if one == number]
                said = f"{' and '.join(twice)} are both {number} in the enum {name}."
                notes.add("C07", name, document.at("enums", name, twice[-1]), said)


def _units(recipe: Recipe, document: Marked, notes: Notes) -> None:
    """Units exist and convert."""
    for key, keyword in recipe.keywords.items():
        given: list[tuple[Unit | None, tuple[str | int, ...]]] = [(keyword.unit, ("keywords", key, "unit"))]
        given += [(one.unit, ("keywords", key, "fallback", n)) for n, one in enumerate(keyword.fallback)]
        for unit, path in given:
            fault = units.fault(unit.given, unit.out) if unit else None
            if fault:
                notes.add("C03", key, document.at(*path), f"{fault}; units go by the names of astropy.")
    for part, cards in (("derive", recipe.derive), ("constants", recipe.constants)):
        for key, card in cards.items():
            if card.unit is not None and units.unit_of(card.unit) is None:
                said = f"There is no unit {card.unit}; units go by the names of astropy."
                notes.add("C03", key, document.at(part, key, "unit"), said)
