"""Simulated nights: what is rendered of their telemetry is true, as the simulator knows by a way of its own."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import pytest

from armillary.base.bus.models import AsOf, Question, Sample, Stored
from armillary.demo.telemetry.night import simulate
from armillary.demo.telemetry.truth import Expected
from armillary.headers.models import Level
from armillary.headers.recipes.models import SECOND, Recipe
from armillary.headers.recipes.service import load, reference_directory
from armillary.headers.render.models import Exposure, Header, Moment
from armillary.headers.render.rendering import questions, render

LOADED = load(reference_directory())
SEED = 7


class Log:
    """All samples of a night in the order of their times, as a bus keeps them."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._topics: dict[tuple[str, str], list[Stored]] = {}
        for offset, one in enumerate(samples):
            t = one.t_event if one.t_event is not None else 0
            fields = (one.source, one.topic, one.epoch, one.seq, one.payload, one.kind)
            stored = Stored(*fields, t_event=t, expires=one.expires, offset=offset, t_received=t)
            self._topics.setdefault((one.source, one.topic), []).append(stored)
        for found in self._topics.values():
            found.sort(key=lambda one: (one.t_event, one.seq))

    def topic(self, source: str, topic: str) -> list[Stored]:
        """Return what a topic said."""
        return self._topics.get((source, topic), [])

    def answer(self, asked: Question) -> list[Stored]:
        """Return the samples that answer a question."""
        found = self.topic(asked.source, asked.topic)
        if isinstance(asked, AsOf):
            field, text = asked.match or ("", "")
            stop = bisect_right(found, asked.t, key=lambda one: one.t_event)
            fit = (one for one in reversed(found[:stop]) if not field or one.payload.get(field) == text)
            return [one for _, one in zip(range(1), fit, strict=False)]
        first = bisect_left(found, asked.t0, key=lambda one: one.t_event)
        stop = bisect_right(found, asked.t1, key=lambda one: one.t_event)
        return found[max(0, first - 1) : first] + found[first:stop][: asked.most]


def exposures(recipe: Recipe, log: Log) -> dict[str, Exposure]:
    """Return the exposures that the events of moments tell of."""
    found: dict[str, Exposure] = {}
    for name, entry in recipe.moments.items():
        for one in log.topic(recipe.sources[entry.source].component, entry.topic):
            image_id = one.payload[entry.id]
            exposure = found.setdefault(image_id, Exposure(recipe.instrument, image_id, {}, {}))
            exposure.moments[name] = Moment(name, one.t_event, one.identity)
            exposure.payloads[name] = one.payload
    return found


def differences(header: Header, truth: Expected) -> list[tuple[str, str, object, object]]:
    """Return the cards that are not as they should be: HDU, keyword, value, what is true."""
    detectors = {f"{name}_PRIMARY": cards for name, cards in truth.detectors.items()}
    odd = []
    for hdu in header.hdus:
        if hdu.level is Level.SEGMENT:
            continue
        true = truth.primary if hdu.level is Level.PRIMARY else detectors[hdu.name]
        for card in hdu.cards:
            if card.key in true and not same(card.value, true[card.key]):
                odd.append((hdu.name, card.key, card.value, true[card.key]))
            if card.value is None and card.key in truth.reasons and card.reason != truth.reasons[card.key]:
                odd.append((hdu.name, card.key, card.reason, truth.reasons[card.key]))
    return odd


def same(value: object, true: object) -> bool:
    if isinstance(value, float) and isinstance(true, int | float) and not isinstance(true, bool):
        return math.isclose(value, true, rel_tol=1e-9, abs_tol=1e-9)
    return value == true


@pytest.mark.parametrize(("instrument", "count"), [("spec1", 12), ("cam9", 8), ("cam205", 4)])
def test_headers_of_a_night_are_true(instrument: str, count: int) -> None:
    night = simulate(instrument, SEED, count)
    recipe, template = LOADED.recipes[instrument], LOADED.templates[instrument, "raw"]
    log = Log([one.sample for one in night.samples()])
    known = exposures(recipe, log)
    truths = night.truth()
    assert len(truths) == count
    for truth in truths:
        exposure = known[truth.image_id]
        answers = [log.answer(one) for one in questions(recipe, template, exposure)]
        header = render(recipe, template, exposure, answers, created=exposure.moments["end"].t or SECOND)
        assert differences(header, truth) == []
        assert (header.day_obs, header.seq_num) == (truth.day_obs, truth.seq_num)
        wanted = set(truth.primary) - {"DATE", "FILENAME"}
        assert wanted <= {card.key for card in header.hdus[0].cards}
        assert {hdu.detector for hdu in header.hdus if hdu.level is Level.DETECTOR} == set(truth.detectors)
        assert header.complete
