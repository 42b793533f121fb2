"""A made-up exposure of any instrument: samples that its recipe takes, for measurements and for trying a template.

Nothing of the sky is in them. Each field of a topic that the recipe reads gets a value that the recipe accepts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from armillary.base.bus.models import AsOf, Question, Stored
from armillary.headers.recipes.models import (
    SECOND,
    Keyword,
    Pick,
    Recipe,
    Source,
    Template,
    Type,
    Valid,
)
from armillary.headers.render.models import Exposure, Moment
from armillary.headers.render.rendering import questions
from armillary.sky.instants import iso_ms, observing_day, tai_of_iso

START = tai_of_iso("2026-03-01T02:03:04.5")
_BLOCK = 100
_MERE = Keyword()


class Specimen:
    """An exposure and what the bus says of it.

    Parameters
    ----------
    detectors
        How many there are; those of the configuration if it is left out.
    number
        Which exposure: each has other values.
    """

    def __init__(
        self, recipe: Recipe, template: Template, *, detectors: int | None = None, number: int = 1
    ) -> None:
        self.recipe, self.template, self.number = recipe, template, number
        self.detectors = _detectors(recipe, detectors)
        self.start = START + number * 34 * SECOND
        self._readers = _readers(recipe)
        self._payloads: dict[tuple[str, str], dict[str, Any]] = {}
        self.image_id = _image_id(recipe, self.start, number)
        self.exposure = self._exposure()

    def answers(self) -> list[list[Stored]]:
        """Return the answers to the questions of the exposure."""
        return [self._answer(one) for one in questions(self.recipe, self.template, self.exposure)]

    def _exposure(self) -> Exposure:
        moments, payloads = {}, {}
        for step, (name, entry) in enumerate(self.recipe.moments.items()):
            component = self.recipe.sources[entry.source].component
            t = self.start + step * 3 * SECOND
            moments[name] = Moment(name, t, (component, "boot", entry.topic, self.number))
            payloads[name] = self._payload(entry.source, entry.topic, t)
        return Exposure(self.recipe.instrument, self.image_id, moments, payloads)

    def _answer(self, asked: Question) -> list[Stored]:
        t = asked.t if isinstance(asked, AsOf) else asked.t0
        origins = [name for name, one in self.recipe.sources.items() if one.component == asked.source]
        payload = next(
            (self._payload(one, asked.topic, t) for one in origins if self._knows(one, asked.topic)), {}
        )
        one = Stored(
            asked.source,
            asked.topic,
            "boot",
            self.number,
            payload,
            t_event=t,
            offset=0,
            t_received=t + SECOND // 100,
        )
        if isinstance(asked, AsOf) or asked.t0 == asked.t1:
            return [one]
        later = Stored(
            asked.source,
            asked.topic,
            "boot",
            self.number + 1,
            payload,
            t_event=asked.t1,
            offset=1,
            t_received=asked.t1,
        )
        return [one, later]

    def _knows(self, origin: str, topic: str) -> bool:
        return (origin, topic) in self._readers

    def _payload(self, origin: str, topic: str, t: int) -> dict[str, Any]:
        """Return a payload with all fields that some keyword reads of a topic."""
        payload: dict[str, Any] = {}
        for keyword, source in self._readers.get((origin, topic), ()):
            self._fill(payload, keyword, source, t)
        entries = [one for one in self.recipe.moments.values() if (one.source, one.topic) == (origin, topic)]
        for entry in entries:
            payload[entry.id] = self.image_id
        one = self.recipe.detectors
        if (one.source, one.topic) == (origin, topic) and one.ids:
            payload[one.ids] = one.split.join(self.detectors)
        return payload

    def _fill(self, payload: dict[str, Any], keyword: Keyword, source: Source, t: int) -> None:
        if source.match:
            payload[source.match] = self.image_id
        value = self._value(keyword, source, t)
        if source.keyed:
            split = source.keyed.split
            for field, item in ((source.keyed.keys, source.keyed.name), (source.keyed.values, str(value))):
                before = payload.get(field)
                payload[field] = item if before is None else f"{before}{split}{item}"
        elif source.per_detector:
            per = source.per_detector
            payload[per.ids] = per.split.join(self.detectors)
            items = [self._item(value, place) for place in range(len(self.detectors))]
            texts = all(isinstance(one, str) for one in items)
            payload[source.field or ""] = per.split.join(items) if texts else items
        elif source.block:
            payload[source.block.times] = [
                (t + (place - 50) * SECOND // 100) / SECOND for place in range(_BLOCK)
            ]
            payload[source.field or ""] = [value] * _BLOCK
        elif source.index is not None:
            payload[source.field or ""] = [value] * (source.index + 1)
        else:
            payload[source.field or ""] = value

    def _item(self, value: Any, place: int) -> Any:
        return f"{value}{place:03d}" if isinstance(value, str) and len(value) > 4 else value

    def _value(self, keyword: Keyword, source: Source, t: int) -> Any:
        """Return a value that a keyword accepts."""
        if source.enum:
            codes = list(self.recipe.enums[source.enum].values())
            return codes[self.number % len(codes)]
        if keyword.type is Type.TIME:
            return t / SECOND
        if keyword.type is Type.BOOL:
            return False
        number = _within(keyword.valid, self.number)
        if isinstance(number, str):
            return number
        if keyword.type is Type.INT:
            return int(number)
        if (
            keyword.unit
            or keyword.scale
            or (keyword.valid and keyword.valid.low is not None)
            or _counts(keyword)
        ):
            return number / 180.0 if keyword.unit and keyword.unit.given == "rad" else number
        return (
            self.image_id
            if source.field == "image_id"
            else f"{(source.field or 'text')[:8]}-{self.number:04d}"
        )


def _counts(keyword: Keyword) -> bool:
    return keyword.pick not in (Pick.ASOF, Pick.FIRST, Pick.LAST, Pick.COUNT)


def _within(valid: Valid | None, number: int) -> Any:
    """Return what a keyword accepts: a choice, or a number of many digits, as sensors say them."""
    if valid is None:
        return 1.0 + (number * 0.377 + 0.123456789) % 1.0
    if valid.choices:
        return valid.choices[number % len(valid.choices)]
    if valid.pattern is not None:
        return "AB"
    low = -1e3 if valid.low is None else valid.low
    high = low + 1e3 if valid.high is None else valid.high
    return low + (high - low) * ((number * 0.37747 + 0.123456789) % 1.0)


def _readers(recipe: Recipe) -> dict[tuple[str, str], list[tuple[Keyword, Source]]]:
    found: dict[tuple[str, str], list[tuple[Keyword, Source]]] = {}
    for keyword in recipe.keywords.values():
        for source in (keyword.source, *(one.source for one in keyword.fallback)):
            if source is not None:
                found.setdefault((source.origin, source.topic), []).append((keyword, source))
    geometry = recipe.geometry
    sizes = ((geometry.cols, 509), (geometry.rows, 2000), (geometry.prescan, 3))
    for reading, size in sizes:
        if reading is not None and reading.source is not None:
            keyword = Keyword(type=Type.INT, valid=Valid(choices=(size,)))
            found.setdefault((reading.source.origin, reading.source.topic), []).append(
                (keyword, reading.source)
            )
    vendor = geometry.vendor
    if vendor is not None and vendor.source is not None:
        keyword = Keyword(valid=Valid(choices=("ITL", "E2V")))
        found.setdefault((vendor.source.origin, vendor.source.topic), []).append((keyword, vendor.source))
    return found


def _detectors(recipe: Recipe, count: int | None) -> Sequence[str]:
    configured = recipe.detectors.fallback or ("R00_S00",)
    if count is None or count == len(configured):
        return configured
    return [f"R{place // 9:02d}_S{place % 9 // 3}{place % 3}" for place in range(count)]


def _image_id(recipe: Recipe, t: int, number: int) -> str:
    day = str(observing_day(t))
    text = recipe.image_id.pattern
    for field, value in (
        ("{camera}", "XX"),
        ("{controller}", "O"),
        ("{day:8}", day),
        ("{seq:6}", f"{number:06d}"),
    ):
        text = text.replace(field, value)
    return text if "{" not in text else f"XX_O_{iso_ms(t)[:10].replace('-', '')}_{number:06d}"
