"""Results of keywords: one value for all detectors, or one for each, with reasons and origins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from armillary.headers.models import Reason
from armillary.headers.render.models import Provenance, Scalar

MOST_RAW = 1000
"""Characters of a text, or items of a list, that a side-car repeats of what was received."""


@dataclass(frozen=True, slots=True)
class Found:
    """One value for all detectors, or none and the reason."""

    value: Scalar
    reason: Reason | None
    provenance: Provenance
    raw: Any = None


@dataclass(frozen=True, slots=True)
class Column:
    """A value for each detector, in their order, or the reason why it has none.

    ``provenance`` is that of all where they come from the same samples.
    """

    values: list[Scalar]
    reasons: list[Reason | None] | None
    provenance: Provenance | list[Provenance]
    raws: Sequence[Any]

    @property
    def undefined(self) -> bool:
        """Whether some detector has no value."""
        return self.reasons is not None

    def provenances(self) -> list[Provenance]:
        """Return the origin of each value."""
        if isinstance(self.provenance, Provenance):
            return [self.provenance] * len(self.values)
        return self.provenance


Result = Found | Column


def spread(found: Found, count: int) -> Column:
    """Return one value as that of each detector."""
    reasons: list[Reason | None] | None = None if found.reason is None else [found.reason] * count
    return Column([found.value] * count, reasons, found.provenance, [found.raw] * count)


def filled(first: Column, second: Column) -> Column:
    """Return a column in which the undefined values are those of another one."""
    assert first.reasons is not None
    values, raws, origins = list(first.values), list(first.raws), list(first.provenances())
    reasons: list[Reason | None] = list(first.reasons)
    others = second.reasons or [None] * len(values)
    for place, (reason, origin) in enumerate(zip(first.reasons, second.provenances(), strict=True)):
        if reason is not None and others[place] is None:
            values[place], raws[place] = second.values[place], second.raws[place]
            reasons[place], origins[place] = None, origin
    left = reasons if any(one is not None for one in reasons) else None
    return Column(values, left, origins, raws)


def shown(raw: Any) -> Any:
    """Return a raw value as JSON can say it: numbers that are not finite as words, what is huge cut."""
    match raw:
        case float() if not isfinite(raw):
            return "NaN" if raw != raw else "Infinity" if raw > 0 else "-Infinity"
        case str() if len(raw) > MOST_RAW:
            return raw[:MOST_RAW] + "..."
        case int() if not -(1 << 63) <= raw < 1 << 63:
            return str(raw)
        case list() | tuple():
            return [shown(one) for one in raw[:MOST_RAW]]
        case dict():
            return {str(key): shown(one) for key, one in list(raw.items())[:MOST_RAW]}
        case Exception():
            return None
    return raw
