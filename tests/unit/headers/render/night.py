"""A small instrument for tests: whatever keyword a test names, one exposure, and samples as a bus would answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from armillary.base.bus.models import AsOf, Question, Stored
from armillary.headers.models import Level
from armillary.headers.recipes.models import (
    SECOND,
    Block,
    Clock,
    Constant,
    Derived,
    Detectors,
    Geometry,
    HduTemplate,
    Instant,
    Keyword,
    MomentEntry,
    PerDetector,
    Recipe,
    Section,
    Site,
    Slot,
    Source,
    SourceEntry,
    Template,
    Window,
)
from armillary.headers.render.models import Card, Exposure, Header, Moment
from armillary.headers.render.rendering import questions, render
from armillary.sky.instants import ns_of

IMAGE = "AT_O_20240624_000169"
START = ns_of(1_719_273_600.0)
CLOSE, READOUT, END = START + 30 * SECOND, START + 31 * SECOND, START + 34 * SECOND
S, R = Instant("integration_start"), Instant("readout_start")
WINDOW = Window(S, Instant("shutter_close"))
SITE = Site(-30.2447889, -70.7476862, 2663.0)
SOURCES = {
    "cam": SourceEntry("camera"),
    "met": SourceEntry("weather:301", clock=Clock.UTC),
    "ptg": SourceEntry("pointing"),
}
MOMENTS = {
    "integration_start": MomentEntry("cam", "start_integration", "image_id"),
    "shutter_close": MomentEntry("cam", "shutter_closed", "image_id", otherwise="readout_start"),
    "readout_start": MomentEntry("cam", "start_readout", "image_id"),
    "end": MomentEntry("cam", "end_of_telemetry", "image_id"),
}
TIMES = {"integration_start": START, "shutter_close": CLOSE, "readout_start": READOUT, "end": END}


def source(topic: str, field: str = "value", *, origin: str = "met", **options: Any) -> Source:
    """Return a source of weather unless it is said otherwise."""
    return Source(origin, topic, field, **options)


def per_detector(
    topic: str, field: str, *, ids: str = "location", origin: str = "cam", **options: Any
) -> Source:
    """Return a source of one value per detector."""
    return Source(origin, topic, field, per_detector=PerDetector(ids), **options)


def block(field: str, *, times: str = "times") -> Source:
    """Return a source of blocks of many instants."""
    return Source("ptg", "mount", field, block=Block(times))


class Bus:
    """Samples in memory that are asked as a bus is."""

    def __init__(self) -> None:
        self.samples: list[Stored] = []

    def say(self, component: str, topic: str, t: int, *, expires: int | None = None, **payload: Any) -> Bus:
        """Add a sample."""
        number = len(self.samples) + 1
        self.samples.append(
            Stored(
                component,
                topic,
                "boot",
                number,
                payload,
                expires=expires,
                t_event=t,
                offset=len(self.samples),
                t_received=t + SECOND // 100,
            )
        )
        return self

    def answer(self, asked: Question) -> list[Stored]:
        """Return the samples that answer a question."""
        found = sorted(
            (one for one in self.samples if (one.source, one.topic) == (asked.source, asked.topic)),
            key=lambda one: (one.t_event, one.seq),
        )
        if isinstance(asked, AsOf):
            field, text = asked.match or ("", "")
            until = [one for one in found if one.t_event <= asked.t]
            return [one for one in until if not field or one.payload.get(field) == text][-1:]
        before = [one for one in found if one.t_event < asked.t0][-1:]
        return before + [one for one in found if asked.t0 <= one.t_event <= asked.t1][: asked.most]


def exposure(
    *,
    without: Sequence[str] = (),
    payloads: Mapping[str, dict[str, Any]] | None = None,
    image_id: str = IMAGE,
) -> Exposure:
    """Return an exposure of 30 s, all of its moments known but some."""
    moments, told = {}, {}
    for number, (name, t) in enumerate(TIMES.items()):
        if name not in without:
            moments[name] = Moment(name, t, ("camera", "boot", MOMENTS[name].topic, number))
            told[name] = {"image_id": image_id, **((payloads or {}).get(name) or {})}
    return Exposure("bar1", image_id, moments, told)


def a_recipe(
    keywords: Mapping[str, Keyword] | None = None,
    *,
    derive: Mapping[str, Derived] | None = None,
    constants: Mapping[str, Constant] | None = None,
    detectors: Sequence[str] = ("R00_S00",),
    **options: Any,
) -> Recipe:
    """Return the recipe of some keywords."""
    return Recipe(
        **{
            "instrument": "bar1",
            "site": SITE,
            "sources": SOURCES,
            "moments": MOMENTS,
            "detectors": Detectors(fallback=tuple(detectors)),
            "geometry": Geometry(),
            "keywords": dict(keywords or {}),
            "derive": dict(derive or {}),
            "constants": dict(constants or {}),
            **options,
        }
    )


def a_template(
    primary: Sequence[str | Slot] = (),
    *,
    detector: Sequence[str | Slot] = (),
    segment: Sequence[str | Slot] = (),
    order: Sequence[str] = ("10", "00"),
    volatile: tuple[str, ...] = ("DATE", "FILENAME"),
) -> Template:
    """Return a template of some cards."""
    hdus = {Level.PRIMARY: HduTemplate((Section(_slots(primary)),))}
    if detector:
        hdus[Level.DETECTOR] = HduTemplate((Section(_slots(detector)),), "{detector}_PRIMARY")
    if segment:
        sections = (Section(_slots(segment)),)
        hdus[Level.SEGMENT] = HduTemplate(sections, "{detector}_Segment{segment}", tuple(order), inherit=True)
    return Template("bar1/raw", "bar1", "raw", volatile, hdus)


def _slots(keys: Sequence[str | Slot]) -> tuple[Slot, ...]:
    return tuple(Slot(one) if isinstance(one, str) else one for one in keys)


def rendered(
    recipe: Recipe,
    template: Template | None = None,
    bus: Bus | None = None,
    of: Exposure | None = None,
    **options: Any,
) -> Header:
    """Return the header of an exposure; without a template, all keywords of a recipe stand where they belong."""
    template = template or whole(recipe)
    of, bus = of or exposure(), bus or Bus()
    answers = [bus.answer(one) for one in questions(recipe, template, of)]
    return render(recipe, template, of, answers, **{"created": END + SECOND, **options})


def whole(recipe: Recipe) -> Template:
    """Return a template with all cards that a recipe has a supplier for."""
    everything = {**recipe.constants, **recipe.keywords, **recipe.derive}
    at = {level: [key for key, one in everything.items() if one.hdu is level] for level in Level}
    return a_template(at[Level.PRIMARY], detector=at[Level.DETECTOR], segment=at[Level.SEGMENT])


def card_of(keyword: Keyword, bus: Bus | None = None, of: Exposure | None = None, **options: Any) -> Card:
    """Return the card of one keyword."""
    found = rendered(a_recipe({"KEY": keyword}, **options), bus=bus, of=of).card("KEY")
    assert found is not None
    return found
