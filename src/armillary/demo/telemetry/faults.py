"""What goes wrong with telemetry on its way, as it was said or as it arrives: seeded, and noted down.

Stores that fail and processes that are killed are nobody's samples: tests do that to the real ones.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from msgspec import structs

from armillary.base.bus.models import Identity, Sample
from armillary.demo.telemetry.astronomy import SECOND
from armillary.demo.telemetry.channels import Timed

DELAYED_S, LATE_S, STALLED_S, DEAD_S = 120.0, 2.0, 30.0, 600.0
CLOCK_NS = 37 * SECOND
"""How far the clock of a source is off that tells UTC as if it were TAI."""


class Fault(StrEnum):
    """A way in which telemetry goes wrong."""

    DROP = "drop"
    DELAY = "delay"
    """It arrives up to two minutes late."""
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    """It arrives behind later ones."""
    STALL = "stall"
    """Nothing of a source arrives for half a minute, then everything."""
    NAN = "nan"
    STALE = "stale"
    """A device repeats what it said before."""
    SHAPE = "shape"
    """A list comes for a single value, or the other way round."""
    WRONG_ID = "wrong_id"
    SKEW = "skew"
    DEATH = "death"
    """A source says nothing for ten minutes."""


HARMLESS = frozenset({Fault.DELAY, Fault.DUPLICATE, Fault.REORDER, Fault.STALL})
"""Faults after which everything is known in the end, so that headers say what they would have said."""
_OF_SOURCES = (Fault.STALL, Fault.DEATH)


@dataclass(frozen=True, slots=True)
class Done:
    """A fault, and the sample that it happened to."""

    fault: Fault
    sample: Identity


@dataclass
class Spoiler:
    """Does faults to samples, each with a chance of ``rate`` for every sample; notes what was done.

    ``spare`` are topics that nothing happens to.
    """

    seed: int
    faults: Collection[Fault] = tuple(Fault)
    rate: float = 0.001
    spare: Collection[str] = ()
    done: list[Done] = field(default_factory=list)

    def spoil(self, said: Iterable[Timed]) -> Iterator[Timed]:
        """Yield samples as they arrive after all."""
        chance = np.random.Generator(np.random.PCG64([self.seed, 2]))
        held: list[tuple[int, int, Timed]] = []
        quiet: dict[str, tuple[Fault, int]] = {}
        before: dict[tuple[str, str], Sample] = {}
        for number, one in enumerate(said):
            for place, spoilt in enumerate(self._spoilt(one, chance, quiet, before)):
                heapq.heappush(held, (spoilt.arrives, 2 * number + place, spoilt))
            before[one.sample.source, one.sample.topic] = one.sample
            while held and held[0][0] <= one.arrives:
                yield heapq.heappop(held)[2]
        while held:
            yield heapq.heappop(held)[2]

    def _spoilt(
        self,
        one: Timed,
        chance: np.random.Generator,
        quiet: dict[str, tuple[Fault, int]],
        before: dict[tuple[str, str], Sample],
    ) -> list[Timed]:
        fault, until = quiet.get(one.sample.source, (None, 0))
        if fault is not None and one.arrives < until and one.sample.topic not in self.spare:
            self._note(fault, one.sample)
            return [Timed(until, one.sample)] if fault is Fault.STALL else []
        if chance.random() >= self.rate * len(self.faults) or one.sample.topic in self.spare:
            return [one]
        chosen = sorted(self.faults)[int(chance.integers(len(self.faults)))]
        if chosen in _OF_SOURCES:
            seconds = STALLED_S if chosen is Fault.STALL else DEAD_S
            quiet[one.sample.source] = chosen, one.arrives + round(seconds * SECOND)
            return self._spoilt(one, chance, quiet, before)
        found = _DEEDS[chosen](one, chance, before.get((one.sample.source, one.sample.topic)))
        if found is None:
            return [one]
        self._note(chosen, one.sample)
        return found

    def _note(self, fault: Fault, sample: Sample) -> None:
        self.done.append(Done(fault, sample.identity))


Deed = Callable[[Timed, np.random.Generator, Sample | None], list[Timed] | None]


def _later(one: Timed, chance: np.random.Generator, most_s: float) -> Timed:
    return Timed(one.arrives + round(chance.uniform(0.05, most_s) * SECOND), one.sample)


def _said(one: Timed, **changes: Any) -> list[Timed]:
    return [Timed(one.arrives, structs.replace(one.sample, **changes))]


def _nan(one: Timed, chance: np.random.Generator, _before: Sample | None) -> list[Timed] | None:
    payload = dict(one.sample.payload)
    fields = [key for key, value in payload.items() if _is_float(value)]
    if not fields:
        return None
    key = fields[int(chance.integers(len(fields)))]
    bad = (math.nan, math.inf, -math.inf, 5e-324)[int(chance.integers(4))]
    value = payload[key]
    payload[key] = [bad] * len(value) if isinstance(value, list) else bad
    return _said(one, payload=payload)


def _is_float(value: Any) -> bool:
    return isinstance(value, float) or (
        isinstance(value, list) and bool(value) and isinstance(value[0], float)
    )


def _stale(one: Timed, _chance: np.random.Generator, before: Sample | None) -> list[Timed] | None:
    return None if before is None else _said(one, payload=before.payload)


def _shape(one: Timed, chance: np.random.Generator, _before: Sample | None) -> list[Timed] | None:
    payload = dict(one.sample.payload)
    key = list(payload)[int(chance.integers(len(payload)))]
    value = payload[key]
    payload[key] = value[0] if isinstance(value, list) and value else [value]
    return _said(one, payload=payload)


def _wrong_id(one: Timed, _chance: np.random.Generator, _before: Sample | None) -> list[Timed] | None:
    image_id = one.sample.payload.get("image_id")
    if not isinstance(image_id, str):
        return None
    return _said(one, payload=one.sample.payload | {"image_id": f"{image_id[:-6]}9{image_id[-5:]}"})


def _skew(one: Timed, chance: np.random.Generator, _before: Sample | None) -> list[Timed] | None:
    off = CLOCK_NS if chance.random() < 0.5 else -CLOCK_NS
    return _said(one, t_event=(one.sample.t_event or 0) + off)


_DEEDS: dict[Fault, Deed] = {
    Fault.DROP: lambda _one, _chance, _before: [],
    Fault.DELAY: lambda one, chance, _before: [_later(one, chance, DELAYED_S)],
    Fault.DUPLICATE: lambda one, chance, _before: [one, _later(one, chance, LATE_S)],
    Fault.REORDER: lambda one, chance, _before: [_later(one, chance, LATE_S)],
    Fault.NAN: _nan,
    Fault.STALE: _stale,
    Fault.SHAPE: _shape,
    Fault.WRONG_ID: _wrong_id,
    Fault.SKEW: _skew,
}
