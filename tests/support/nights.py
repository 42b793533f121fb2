"""Simulated nights rendered in memory, and headers held against the truth."""

from __future__ import annotations

import functools
import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import structs

from armillary.base.bus.models import AsOf, Question, Stored
from armillary.demo.telemetry import Night
from armillary.demo.telemetry.channels import Timed
from armillary.demo.telemetry.truth import Expected
from armillary.headers.recipes.models import Recipe, Template
from armillary.headers.recipes.service import Loaded, load, reference_directory
from armillary.headers.render.models import Exposure, Header, Moment
from armillary.headers.render.rendering import questions, render


@functools.cache
def reference() -> Loaded:
    """Return the configurations of the reference instruments."""
    return load(reference_directory())


class Record:
    """Samples in memory, answered by event time."""

    def __init__(self, said: Iterable[Timed]) -> None:
        self._kept: dict[tuple[str, str], list[tuple[int, int, Stored]]] = defaultdict(list)
        for offset, one in enumerate(said, start=1):
            stored = _stored(one, offset)
            self._kept[stored.source, stored.topic].append((stored.t_event, stored.seq, stored))
        for some in self._kept.values():
            some.sort(key=lambda one: one[:2])

    def answer(self, asked: Iterable[Question]) -> list[list[Stored]]:
        """Answer questions as the bus does."""
        return [self._answer(one) for one in asked]

    def _answer(self, asked: Question) -> list[Stored]:
        kept = self._kept[asked.source, asked.topic]
        if isinstance(asked, AsOf):
            for _, _, one in reversed(kept[: bisect_right(kept, asked.t, key=lambda one: one[0])]):
                if asked.match is None or str(one.payload.get(asked.match[0])) == asked.match[1]:
                    return [one]
            return []
        first = bisect_left(kept, asked.t0, key=lambda one: one[0])
        last = bisect_right(kept, asked.t1, key=lambda one: one[0])
        before = first > 0 and (first == len(kept) or kept[first][0] != asked.t0)
        return [one for _, _, one in kept[first - before : last]]

    def of(self, source: str, topic: str) -> list[Stored]:
        """Return the samples of a topic."""
        return [one for _, _, one in self._kept[source, topic]]


def _stored(one: Timed, offset: int) -> Stored:
    given: dict[str, Any] = structs.asdict(one.sample)
    t_event = given.pop("t_event")
    return Stored(**given, t_event=t_event, offset=offset, t_received=one.arrives)


def exposures_of(recipe: Recipe, record: Record) -> list[Exposure]:
    """Return the images that moments tell of, with those that stand in for missing ones."""
    moments: dict[str, dict[str, Moment]] = defaultdict(dict)
    payloads: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for name, entry in recipe.moments.items():
        for one in record.of(recipe.sources[entry.source].component, entry.topic):
            image_id = one.payload.get(entry.id)
            if not isinstance(image_id, str):
                continue
            moments[image_id][name] = Moment(name, one.t_event, one.identity)
            payloads[image_id][name] = one.payload
    for known in moments.values():
        for name, entry in recipe.moments.items():
            if name not in known and entry.otherwise is not None and entry.otherwise in known:
                other = known[entry.otherwise]
                known[name] = Moment(name, other.t, other.sample, f"fallback:{entry.otherwise}")
    return [Exposure(recipe.instrument, key, moments[key], payloads[key]) for key in sorted(moments)]


def rendered(night: Night, said: Iterable[Timed] | None = None) -> Iterator[Header]:
    """Yield the header of each image of a night, or of what was said instead."""
    name = night.plan.instrument.name
    recipe, template = reference().recipes[name], _template(name)
    record = Record(night.samples() if said is None else said)
    for exposure in exposures_of(recipe, record):
        answers = record.answer(questions(recipe, template, exposure))
        yield render(recipe, template, exposure, answers, created=exposure.moments["end"].t or 0)


def _template(name: str) -> Template:
    return reference().templates[name, "raw"]


def differences(header: Header, expected: Expected) -> list[str]:
    """Return what a header says otherwise than the truth."""
    found = []
    if {name: one.t for name, one in header.moments.items()} != expected.moments:
        found.append(f"moments: {header.moments} for {expected.moments}")
    for hdu, cards in [("PRIMARY", expected.primary)] + [
        (f"{detector}_PRIMARY", cards) for detector, cards in expected.detectors.items()
    ]:
        for key, value in cards.items():
            card = header.card(key, hdu)
            if card is None:
                found.append(f"{hdu} {key}: not there")
            elif not _equal(card.value, value) or (
                value is None and card.reason != expected.reasons.get(key)
            ):
                found.append(f"{hdu} {key}: {card.value!r} ({card.reason}) for {value!r}")
    return found


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return type(one) is type(other) and bool(one == other)
