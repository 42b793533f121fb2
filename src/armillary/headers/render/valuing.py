"""Values of keywords: their conditions, ways and fallbacks, each computed once for an exposure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from armillary.headers.models import Reason
from armillary.headers.recipes.expressions import Call, Expression, evaluate
from armillary.headers.render.deriving import HOURS, date_card, functions, in_degrees
from armillary.headers.render.extraction import Undefined
from armillary.headers.render.models import BUILT_IN, CODE_REV, CONSTANT, DERIVED, Provenance, Scalar
from armillary.headers.render.plan import Fixed, Formula, Plan, Way
from armillary.headers.render.results import Column, Found, Result, filled, shown, spread
from armillary.headers.render.routes import Route
from armillary.headers.render.run import Run

_CONSTANT = Provenance(CONSTANT)
_BUILT_IN = Provenance(BUILT_IN)
_NOTHING: Mapping[str, Callable[..., Any]] = {}


class Values:
    """The results of all keywords of a plan, computed when they are asked for."""

    def __init__(self, plan: Plan, run: Run, created: int) -> None:
        self._plan, self._run = plan, run
        self._known: dict[str, Result] = {}
        self._open: set[str] = set()
        self._tables: dict[int | None, Mapping[str, Callable[..., Any]]] = {}
        self._built_in: dict[str, Scalar] = {
            "DATE": date_card(created, plan.recipe.timesys),
            "FILENAME": f"{run.exposure.image_id}.fits",
            "TIMESYS": plan.recipe.timesys,
            "HEADVER": CODE_REV,
        }

    def of(self, key: str) -> Result:
        """Return the result of a keyword."""
        found = self._known.get(key)
        if found is None:
            if key in self._open:
                # Lint finds circles; one that got past it costs its keywords alone.
                return Found(None, Reason.DERIVE_FAILED, Provenance(DERIVED))
            self._open.add(key)
            found = self._known[key] = self._compute(key)
            self._open.discard(key)
        return found

    def scalar(self, key: str) -> Scalar:
        """Return the value of a keyword, None where it is undefined or differs between detectors."""
        found = self.of(key)
        if isinstance(found, Found):
            return found.value
        return found.values[0] if len(set(found.values)) == 1 else None

    def _compute(self, key: str) -> Result:
        supplier = self._plan.suppliers.get(key)
        if supplier is None or (supplier.way is None and not supplier.fallbacks):
            value = self._built_in.get(key)
            return Found(value, None if value is not None else Reason.NEVER_SEEN, _BUILT_IN)
        if supplier.when is not None and self._holds(supplier.when) is False:
            return Found(None, Reason.NOT_APPLICABLE, _origin(supplier.way))
        result = None if supplier.way is None else self._way(key, supplier.way)
        for index, way in enumerate(supplier.fallbacks):
            if result is not None and _defined(result):
                break
            result = _second(result, self._fallback(key, way, index))
        assert result is not None
        return result

    def _holds(self, when: Expression) -> bool | None:
        """Tell whether a condition holds; None where a value is unknown, so that nothing is left out by it."""
        try:
            verdict = evaluate(when, self.scalar, _NOTHING)
        except Undefined:
            return None
        return None if verdict is None else bool(verdict)

    def _way(self, key: str, way: Way) -> Result:
        match way:
            case Route():
                return self._run.result(key, way)
            case Formula():
                return self._formula(way)
        return Found(way.value, None, _CONSTANT)

    def _fallback(self, key: str, way: Way, index: int) -> Result:
        found = self._way(key, way)
        if isinstance(found, Found):
            return Found(found.value, found.reason, replace(found.provenance, fallback=index), found.raw)
        origins = [replace(one, fallback=index) for one in found.provenances()]
        return Column(found.values, found.reasons, origins, found.raws)

    def _formula(self, way: Formula) -> Found:
        origin = Provenance(DERIVED, field=way.text, at=way.at_text)
        raw: Any = None
        try:
            raw = evaluate(way.tree, self._angle, self._functions(way))
            if raw is None:
                raise Undefined(Reason.DERIVE_FAILED)
            if way.unit in HOURS and isinstance(way.tree, Call) and way.tree.function == "hour_angle":
                raw = raw / 15.0
            return Found(way.finish(raw), None, origin, shown(raw))
        except Undefined as undefined:
            reason = undefined.reason if undefined.reason is Reason.RANGE else Reason.DERIVE_FAILED
            return Found(None, reason, origin, shown(raw if undefined.raw is None else undefined.raw))

    def _functions(self, way: Formula) -> Mapping[str, Callable[..., Any]]:
        at = None if way.at is None else self._run.time(way.at)
        if at not in self._tables:
            recipe = self._plan.recipe
            self._tables[at] = functions(recipe.timesys, recipe.site, at)
        return self._tables[at]

    def _angle(self, key: str) -> Any:
        """Return a value for a formula: angles in degrees, whatever the unit of their card."""
        supplier = self._plan.suppliers.get(key)
        return in_degrees(self.scalar(key), supplier.unit if supplier else None)


def _defined(result: Result) -> bool:
    return result.reason is None if isinstance(result, Found) else not result.undefined


def _second(first: Result | None, other: Result) -> Result:
    """Return what the first result lacks from another one; of two that have nothing, the first says why."""
    if first is None:
        return other
    if isinstance(first, Column):
        return filled(first, other if isinstance(other, Column) else spread(other, len(first.values)))
    return other if _defined(other) else first


def _origin(way: Way | None) -> Provenance:
    match way:
        case Route():
            source = way.source
            return Provenance(
                way.component, source.topic, way.field_text, at=way.at_text, pick=way.pick.value
            )
        case Formula():
            return Provenance(DERIVED, field=way.text, at=way.at_text)
        case Fixed():
            return _CONSTANT
    return Provenance()
