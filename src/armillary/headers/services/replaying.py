"""Playing the events of a night again from the bus: the headers have to be equal."""

from __future__ import annotations

from typing import Any

from armillary.base.bus.models import Range, Stored
from armillary.context import Context
from armillary.headers.delivery import queries
from armillary.headers.delivery.making import Inputs, make
from armillary.headers.exposures.machine import END, absorb, events_of, image_of, name_of, place_of
from armillary.headers.exposures.models import Exposure, ExposureState
from armillary.headers.exposures.moments import as_rendered
from armillary.headers.render.rendering import questions
from armillary.headers.services.configuration import Configuration, kept
from armillary.headers.services.following import seen_of

HOUR = 3_600_000_000_000


async def replay(context: Context, instrument: str, night: str) -> dict[str, Any]:
    """Return how many headers were made again, and how many would be new revisions.

    ``images`` are those of the new revisions, and those whose events the log has forgotten.
    """
    async with context.database.begin() as connection:
        stored = await queries.latest(connection, instrument, night=night)
        span = await queries.span_of(connection, instrument, night)
    if span is None:
        return {"headers": 0, "new_revisions": 0, "images": []}
    configurations: dict[int, Configuration] = {}
    for number in {one.config for one in stored}:
        async with context.database.raw() as connection:
            configurations[number] = await kept(connection, number)
    hashes = {(one.image_id, one.product): one.content_hash for one in stored}
    made, images = 0, list[str]()
    played: set[str] = set()
    for number, configuration in configurations.items():
        wanted = {one.image_id for one in stored if one.config == number}
        exposures = await _played(context, configuration, span)
        for one in (found for found in exposures if found.image_id in wanted):
            for product in configuration.templates:
                made += 1
                played.add(one.image_id)
                if await _hash(context, one, configuration, product) != hashes.get((one.image_id, product)):
                    images.append(one.image_id)
    lost = sorted({one.image_id for one in stored} - played)
    return {"headers": made, "new_revisions": len(images), "images": images + lost}


async def _played(context: Context, configuration: Configuration, span: tuple[int, int]) -> list[Exposure]:
    """Return the exposures that the events of a time make, in the order of arrival."""
    recipe, events = configuration.recipe, events_of(configuration.recipe)
    asked = [Range(source, topic, span[0], span[1] + HOUR) for source, topic in events]
    answers = await context.bus.answer(asked)
    samples: list[Stored] = sorted((one for found in answers for one in found), key=lambda one: one.offset)
    takes: dict[str, list[Exposure]] = {}
    for sample in samples:
        for moment, entry in events[sample.source, sample.topic]:
            if (named := image_of(entry, sample.payload)) is None:
                continue
            own, seen = takes.setdefault(named, []), seen_of(sample)
            one = place_of(own, moment, seen)
            if one is None:
                one = Exposure(recipe.instrument, name_of(named, len(own)), named, 0, seen.received)
                own.append(one)
            own[[old.image_id for old in own].index(one.image_id)] = absorb(one, moment, seen, recipe)[0]
    return [one for own in takes.values() for one in own if one.state is not ExposureState.ABORTED]


async def _hash(context: Context, one: Exposure, configuration: Configuration, product: str) -> str:
    recipe, template = configuration.recipe, configuration.templates[product]
    seen = as_rendered(one, recipe)
    answers = await context.bus.answer(questions(recipe, template, seen))
    deadline = END not in one.moments
    inputs = Inputs(recipe, template, seen, one.image_id, answers, context.bus.now(), deadline)
    return make(inputs).content_hash
