"""A recipe and a template compiled once: where each card comes from, and what the bus is asked."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from armillary.headers.models import Level, Required
from armillary.headers.recipes.expressions import Expression, names, parse
from armillary.headers.recipes.models import (
    BUILT_IN,
    GEOMETRY_CARDS,
    Clock,
    Constant,
    Derived,
    Fallback,
    HduTemplate,
    Instant,
    Keyword,
    Reading,
    Recipe,
    Slot,
    Source,
    Template,
    Unit,
)
from armillary.headers.render.body import Bodies
from armillary.headers.render.conversion import Convert, accepted, plain, transliterated, typed
from armillary.headers.render.models import Scalar
from armillary.headers.render.routes import Ask, Asks, Route, at_text, bare_route, chain, checked, route_of

MOST_PLANS = 64
_START = Instant("integration_start")


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression with the instant that it is computed at, and what its result is made."""

    tree: Expression
    text: str
    at: Instant | None
    at_text: str | None
    unit: str | None
    finish: Convert


@dataclass(frozen=True, slots=True)
class Fixed:
    """A value that stands in the configuration or is built in."""

    value: Scalar


Way = Route | Formula | Fixed


@dataclass(frozen=True, slots=True)
class Supplier:
    """How the value of one keyword comes about: the way itself, if it has one, and those to fall back to."""

    key: str
    way: Way | None = None
    fallbacks: tuple[Way, ...] = ()
    when: Expression | None = None
    unit: str | None = None
    comment: str = ""
    required: Required = Required.NONE

    def ways(self) -> tuple[Way, ...]:
        """Return all ways in the order in which they are tried."""
        return self.fallbacks if self.way is None else (self.way, *self.fallbacks)


@dataclass(frozen=True, slots=True)
class CardPlan:
    """A card of a template: ``geometry`` ones are computed for each segment."""

    key: str
    unit: str | None
    comment: str
    required: Required
    geometry: bool
    fixed: Scalar = None


@dataclass(frozen=True, slots=True)
class HduPlan:
    """The cards of one kind of HDU."""

    level: Level
    name: str
    cards: tuple[CardPlan, ...]
    sections: tuple[tuple[int, str], ...]
    segments: tuple[str, ...]
    inherit: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """All that rendering knows before an exposure begins."""

    recipe: Recipe
    template: Template
    asks: tuple[Ask, ...]
    suppliers: dict[str, Supplier]
    hdus: tuple[HduPlan, ...]
    detectors: Route | None
    geometry: dict[str, Route | Scalar]
    settling: tuple[Route, ...]
    bodies: Bodies = field(default_factory=Bodies, compare=False)


@dataclass(slots=True)
class _Plans:
    """The plans that were made last."""

    kept: OrderedDict[tuple[str, str, str, str], Plan] = field(default_factory=OrderedDict)
    lock: Lock = field(default_factory=Lock)


_PLANS = _Plans()


def plan_of(recipe: Recipe, template: Template) -> Plan:
    """Return the plan of a recipe and a template, made once for each pair of revisions."""
    if not recipe.rev or not template.rev:
        return compiled(recipe, template)
    name = recipe.instrument, recipe.rev, template.name, template.rev
    with _PLANS.lock:
        found = _PLANS.kept.get(name)
        if found is None:
            found = _PLANS.kept[name] = compiled(recipe, template)
        _PLANS.kept.move_to_end(name)
        while len(_PLANS.kept) > MOST_PLANS:
            _PLANS.kept.popitem(last=False)
    return found


def compiled(recipe: Recipe, template: Template) -> Plan:
    """Compile a recipe and a template."""
    asks = Asks()
    compiler = _Compiler(recipe, asks)
    hdus = tuple(_hdu(compiler, level, template.hdus[level]) for level in Level if _wanted(template, level))
    compiler.follow()
    geometry: dict[str, Route | Scalar] = {}
    if any(card.geometry for hdu in hdus for card in hdu.cards):
        for name in ("vendor", "cols", "rows", "prescan"):
            reading: Reading | None = getattr(recipe.geometry, name)
            if reading is not None:
                geometry[name] = bare_route(recipe, reading, asks) if reading.source else reading.constant
    routes = [way for one in compiler.suppliers.values() for way in one.ways() if isinstance(way, Route)]
    return Plan(
        recipe=recipe,
        template=template,
        suppliers=compiler.suppliers,
        hdus=hdus,
        detectors=_detectors(recipe, asks),
        geometry=geometry,
        settling=tuple(one for one in routes if one.settle and one.ask is not None),
        asks=asks.all(),
    )


def _wanted(template: Template, level: Level) -> bool:
    return level in template.hdus and template.hdus[level].enabled


def _detectors(recipe: Recipe, asks: Asks) -> Route | None:
    one = recipe.detectors
    if not (one.source and one.topic and one.ids):
        return None
    return bare_route(recipe, Reading(Source(one.source, one.topic, one.ids), _START), asks)


def _hdu(compiler: _Compiler, level: Level, template: HduTemplate) -> HduPlan:
    sections: list[tuple[int, str]] = []
    cards: list[CardPlan] = []
    for section in template.sections:
        if section.title:
            sections.append((len(cards), transliterated(section.title) or ""))
        cards += [compiler.card(slot, level) for slot in section.cards]
    name = template.name or ("PRIMARY" if level is Level.PRIMARY else "{detector}_PRIMARY")
    return HduPlan(
        level=level,
        name="PRIMARY" if level is Level.PRIMARY else name,
        cards=tuple(cards),
        sections=tuple(sections),
        segments=template.order if level is Level.SEGMENT else (),
        inherit=template.inherit,
    )


class _Compiler:
    """Suppliers of the cards of a template, and of the keywords that their expressions use."""

    def __init__(self, recipe: Recipe, asks: Asks) -> None:
        self._recipe, self._asks = recipe, asks
        self.suppliers: dict[str, Supplier] = {}
        self._pending: list[str] = []

    def card(self, slot: Slot, level: Level) -> CardPlan:
        """Compile a card and who supplies it."""
        if slot.constant is not None:
            comment = transliterated(slot.comment or "") or ""
            return CardPlan(
                slot.key, None, comment, Required.NONE, geometry=False, fixed=plain(slot.constant)
            )
        supplier = self.supplier(slot.key)
        comment = transliterated(slot.comment if slot.comment is not None else supplier.comment) or ""
        ours = supplier.way is None and not supplier.fallbacks and slot.key in GEOMETRY_CARDS
        ours = ours and level is not Level.PRIMARY
        return CardPlan(slot.key, supplier.unit, comment, supplier.required, geometry=ours)

    def follow(self) -> None:
        """Compile the keywords that expressions use until nothing is left."""
        while self._pending:
            self.supplier(self._pending.pop())

    def supplier(self, key: str) -> Supplier:
        """Return the supplier of a keyword; one without any way if nothing supplies it."""
        if key not in self.suppliers:
            self.suppliers[key] = self._compile(key)
        return self.suppliers[key]

    def _compile(self, key: str) -> Supplier:
        recipe = self._recipe
        if key in recipe.keywords:
            return self._keyword(key, recipe.keywords[key])
        if key in recipe.derive:
            return self._derived(key, recipe.derive[key])
        if key in recipe.constants:
            return _constant(key, recipe.constants[key])
        # What is built in depends on the exposure, so rendering itself knows it.
        comment = _COMMENTS.get(key, "") if key in BUILT_IN else ""
        required = Required.INGEST if key in ("DATE", "TIMESYS") else Required.NONE
        return Supplier(key, comment=comment, required=required)

    def _keyword(self, key: str, one: Keyword) -> Supplier:
        way = route_of(self._recipe, one, self._asks) if one.source else None
        fallbacks = tuple(self._fallback(one, other) for other in one.fallback)
        unit = one.unit or next((other.unit for other in one.fallback if other.unit), None)
        when = self._condition(one.when)
        return Supplier(key, way, fallbacks, when, _shown(unit), one.comment, one.required)

    def _fallback(self, one: Keyword, way: Fallback) -> Way:
        if way.source is not None:
            return route_of(self._recipe, one, self._asks, way)
        if way.derive is None:
            return Fixed(plain(way.constant))
        at = (
            way.at
            if isinstance(way.at, Instant)
            else one.at
            if isinstance(one.at, Instant)
            else one.at.closing
        )
        unit = way.unit or one.unit
        steps = [plain, *([checked(accepted(one.valid))] if one.valid else [])]
        return Formula(self._tree(way.derive), way.derive, at, at_text(at), _shown(unit), chain(steps))

    def _derived(self, key: str, one: Derived) -> Supplier:
        steps = [] if one.type is None else [typed(one.type, Clock.TAI, self._recipe.timesys)]
        steps += [plain, *([checked(accepted(one.valid))] if one.valid else [])]
        at = at_text(one.at) if one.at else None
        unit = None if one.unit in (None, "", "1") else one.unit
        way = Formula(self._tree(one.expression), one.expression, one.at, at, unit, chain(steps))
        return Supplier(key, way, (), self._condition(one.when), unit, one.comment, one.required)

    def _condition(self, text: str | None) -> Expression | None:
        return None if text is None else self._noted(parse(text, calls=False))

    def _tree(self, text: str) -> Expression:
        return self._noted(parse(text))

    def _noted(self, tree: Expression) -> Expression:
        self._pending += names(tree)
        return tree


def _constant(key: str, one: Constant) -> Supplier:
    unit = None if one.unit in (None, "", "1") else one.unit
    return Supplier(key, Fixed(plain(one.value)), (), None, unit, one.comment, one.required)


def _shown(unit: Unit | None) -> str | None:
    return None if unit is None or unit.out in ("", "1") else unit.out


_COMMENTS = {
    "DATE": "When this header was made",
    "FILENAME": "Name of the file",
    "TIMESYS": "Time scale of all dates",
    "HEADVER": "Revision of header rendering",
    "DETSIZE": "Pixels of the detector",
    "DATASEC": "Pixels of the image in the data",
    "DETSEC": "The same pixels on the detector",
    "DTV1": "Pixel to detector, offset of axis 1",
    "DTV2": "Pixel to detector, offset of axis 2",
    "DTM1_1": "Pixel to detector, direction of axis 1",
    "DTM2_2": "Pixel to detector, direction of axis 2",
    "DTM1_2": "Pixel to detector, no rotation",
    "DTM2_1": "Pixel to detector, no rotation",
}
