"""Routes: what a source, a moment and the options of a keyword are once they are compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from armillary.base.bus.models import AsOf, Question, Range
from armillary.headers.models import Reason
from armillary.headers.recipes.models import (
    SECOND,
    At,
    Clock,
    Fallback,
    Instant,
    Keyword,
    Pick,
    Reading,
    Recipe,
    Source,
    Unit,
    Window,
)
from armillary.headers.render.conversion import (
    Bulk,
    Convert,
    accepted,
    bulk,
    linear,
    number,
    one_of,
    plain,
    typed,
)
from armillary.headers.render.extraction import (
    Payload,
    Shaped,
    Undefined,
    column_reader,
    reach,
    scalar_reader,
)
from armillary.headers.render.models import Exposure, Scalar

BLOCK_REACH = 2 * SECOND
"""How long after an instant the block that holds it may end, where the keyword has no longer `settle`."""
INTERP_REACH = 10 * SECOND
"""How far behind an instant the other end of an interpolation is looked for."""
_MERE = Keyword()


@dataclass(frozen=True, slots=True)
class Ask:
    """A question whose instants are still moments; ``ahead`` is how far behind the moment it reaches (ns)."""

    component: str
    topic: str
    at: At
    ahead: int = 0
    most: int | None = None
    match: str | None = None
    match_ahead: int = 0


@dataclass(frozen=True, slots=True)
class Route:
    """How the value of a keyword comes from the bus, or from the event of a moment.

    ``ask`` is the place of its question in those of the plan; a route to the event of a moment has none.
    ``measure`` makes raw values numbers for picks that compute, ``finish`` makes what was picked a value.
    """

    source: Source
    component: str
    clock: Clock
    at: At
    at_text: str
    pick: Pick
    angle: float | None
    max_age: int | None
    settle: int
    moment: str | None
    ask: int | None
    read: Callable[[Payload, Shaped], Any] | None
    column: Callable[[Payload, Sequence[str], Shaped], list[Any]] | None
    times: Callable[[Payload], Any] | None
    measure: Convert
    finish: Convert
    complete: Convert
    bulk: Bulk | None
    field_text: str

    @property
    def computes(self) -> bool:
        """Whether the pick needs numbers."""
        return self.pick not in _TAKING


_TAKING = frozenset({Pick.ASOF, Pick.FIRST, Pick.LAST, Pick.COUNT})


def at_text(at: At) -> str:
    """Return a moment or window as the side-car shows it."""
    if isinstance(at, Window):
        return f"[{at_text(at.opening)}, {at_text(at.closing)}]"
    return at.moment if not at.offset else f"{at.moment}{at.offset / SECOND:+g}s"


def time_of(recipe: Recipe, exposure: Exposure, at: Instant) -> int | None:
    """Return when a moment was, or the one that stands in for it; None if neither is known."""
    name: str | None = at.moment
    for _ in range(len(recipe.moments) + 1):
        if name is None:
            return None
        found = exposure.moments.get(name)
        if found is not None and found.t is not None:
            return found.t + at.offset
        entry = recipe.moments.get(name)
        name = entry.otherwise if entry else None
    return None


def question(recipe: Recipe, exposure: Exposure, ask: Ask) -> tuple[Question, ...]:
    """Return the questions that an ask is for an exposure; none if its moment is unknown.

    What is matched by image id asks a second time for any image, which tells a silent source from a wrong id.
    """
    at = ask.at
    opening = time_of(recipe, exposure, at.opening if isinstance(at, Window) else at)
    closing = time_of(recipe, exposure, at.closing) if isinstance(at, Window) else opening
    if opening is None or closing is None:
        return ()
    if ask.match is not None:
        last = closing + ask.match_ahead
        wanted = AsOf(ask.component, ask.topic, last, match=(ask.match, exposure.image_id))
        return wanted, AsOf(ask.component, ask.topic, last)
    if isinstance(at, Window) or ask.ahead:
        return (Range(ask.component, ask.topic, opening, max(opening, closing + ask.ahead), ask.most),)
    return (AsOf(ask.component, ask.topic, opening),)


class Asks:
    """The questions of a plan while it is compiled: equal ones are asked once."""

    def __init__(self) -> None:
        self._places: dict[Ask, int] = {}

    def place(self, ask: Ask) -> int:
        """Return the place of a question."""
        return self._places.setdefault(ask, len(self._places))

    def all(self) -> tuple[Ask, ...]:
        """Return the questions in order."""
        return tuple(self._places)


def route_of(recipe: Recipe, keyword: Keyword, asks: Asks, fallback: Fallback | None = None) -> Route:
    """Compile the source of a keyword, or that of one of its fallbacks."""
    source = keyword.source if fallback is None else fallback.source
    assert source is not None
    at, unit, max_age = keyword.at, keyword.unit, keyword.max_age
    if fallback is not None:
        at, unit = fallback.at or at, fallback.unit or unit
        max_age = max_age if fallback.max_age is None else fallback.max_age
    return _route(recipe, keyword, source, asks, at=at, unit=unit, max_age=max_age)


def bare_route(recipe: Recipe, reading: Reading, asks: Asks) -> Route:
    """Compile a source without any option, such as one of the geometry."""
    assert reading.source is not None
    return _route(recipe, _MERE, reading.source, asks, at=reading.at, unit=None, max_age=None)


def _route(
    recipe: Recipe,
    keyword: Keyword,
    source: Source,
    asks: Asks,
    *,
    at: At,
    unit: Unit | None,
    max_age: int | None,
) -> Route:
    entry = recipe.sources[source.origin]
    moment = _moment_of(recipe, source)
    measure, finish, complete = _conversions(recipe, keyword, source, entry.clock, unit)
    ask = None if moment else asks.place(_ask(recipe, keyword, source, entry.component, at))
    per_detector = source.per_detector is not None
    return Route(
        source=source,
        component=entry.component,
        clock=entry.clock,
        at=at,
        at_text=at_text(at),
        pick=keyword.pick,
        angle=keyword.angle,
        max_age=entry.max_age if max_age is None else max_age,
        settle=keyword.settle,
        moment=moment,
        ask=ask,
        read=None if per_detector else scalar_reader(source),
        column=column_reader(source) if per_detector else None,
        times=reach(source.block.times) if source.block else None,
        measure=measure,
        finish=finish,
        complete=complete,
        bulk=_bulk(keyword, measure) if per_detector else None,
        field_text=_field_text(source),
    )


def _bulk(keyword: Keyword, measure: Convert) -> Bulk | None:
    unchanged = measure is number and keyword.scale is None and keyword.offset is None
    return bulk(keyword) if unchanged else None


def _ask(recipe: Recipe, keyword: Keyword, source: Source, component: str, at: At) -> Ask:
    if source.match is not None:
        # Of an image, what its id says counts, not when it came; the time only bounds the search.
        return Ask(component, source.topic, at, match=source.match, match_ahead=recipe.timing.d2)
    ahead = _ahead(keyword, source)
    # Behind an instant the next sample is enough, and the one of the instant itself may come before that.
    most = None if isinstance(at, Window) or source.block or not ahead else 2
    return Ask(component, source.topic, at, ahead, most)


def _ahead(keyword: Keyword, source: Source) -> int:
    ahead = max(keyword.settle, BLOCK_REACH if source.block else 0)
    return max(ahead, INTERP_REACH) if keyword.pick is Pick.INTERP else ahead


def longest_reach(recipe: Recipe) -> int:
    """Return how long after the last moment of an exposure its header still looks at samples, ns.

    What is matched by image id is looked for longer, but events about an image are told while it is taken.
    """
    found = [0]
    for keyword in recipe.keywords.values():
        ways = [
            (keyword.source, keyword.at),
            *((one.source, one.at or keyword.at) for one in keyword.fallback),
        ]
        for source, at in ways:
            last = at.closing if isinstance(at, Window) else at
            found += [last.offset + _ahead(keyword, source)] if source is not None else []
    return max(found)


def _moment_of(recipe: Recipe, source: Source) -> str | None:
    """Return the moment whose event a source is: its payload is known by image id, nobody has to look for it."""
    for name, entry in recipe.moments.items():
        if (entry.source, entry.topic) == (source.origin, source.topic):
            return name
    return None


def _field_text(source: Source) -> str:
    if source.keyed:
        return f"{source.keyed.values}[{source.keyed.name}]"
    return (source.field or "") + ("" if source.index is None else f"[{source.index}]")


def _conversions(
    recipe: Recipe, keyword: Keyword, source: Source, clock: Clock, unit: Unit | None
) -> tuple[Convert, Convert, Convert]:
    """Return raw value to number, raw value to value, and number to value."""
    steps: list[Callable[[Any], Any]] = []
    measure: Callable[[Any], Any] = number
    if source.enum:
        measure, name_of = one_of(recipe.enums[source.enum])
        steps.append(name_of)
    elif convert := linear(keyword, unit):
        measure = convert
    if keyword.type is not None:
        steps.append(typed(keyword.type, clock, recipe.timesys))
    steps.append(plain)
    if keyword.valid is not None:
        steps.append(checked(accepted(keyword.valid)))
    complete = chain(steps)
    first = [measure] if source.enum or measure is not number else []
    return measure, chain([*first, *steps]), complete


def checked(test: Callable[[Scalar], bool]) -> Convert:
    """Return a step that lets values through if they are accepted; others are out of ``range``."""

    def check(value: Any) -> Scalar:
        if not test(value):
            raise Undefined(Reason.RANGE)
        return value  # type: ignore[no-any-return]

    return check


def chain(steps: list[Callable[[Any], Any]]) -> Convert:
    """Return the function that does one step after another."""
    match steps:
        case [one]:
            return one
        case [one, two]:
            return lambda value: two(one(value))

    def run(value: Any) -> Scalar:
        for step in steps:
            value = step(value)
        return value  # type: ignore[no-any-return]

    return run
