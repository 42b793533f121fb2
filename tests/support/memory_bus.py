"""A log of samples in memory: the second engine of the conformance suite, and the plainest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from armillary.base.bus.engine import admissible
from armillary.base.bus.errors import TooManySamples
from armillary.base.bus.models import (
    EVERYTHING,
    LATEST,
    MOST_SAMPLES,
    AsOf,
    Filter,
    Health,
    Identity,
    Published,
    Question,
    Range,
    Reject,
    Sample,
    Start,
    Stored,
)
from armillary.base.bus.payloads import Unstorable
from armillary.base.clock import Clock
from armillary.base.feed.errors import FeedCursorGone
from armillary.sky.instants import tai_of_datetime

LOOK_S = 0.01


@dataclass
class MemoryBus:
    """Samples in a list, in the order of offsets."""

    clock: Clock
    max_payload: int
    skew_ns: int
    _kept: list[Stored] = field(default_factory=list)
    _known: dict[Identity, int] = field(default_factory=dict)
    _consumers: dict[str, int] = field(default_factory=dict)
    _told: list[int] = field(default_factory=list)

    async def publish(self, samples: Sequence[Sample]) -> Published:
        """Store samples."""
        if len(samples) > MOST_SAMPLES:
            raise TooManySamples
        now, found = tai_of_datetime(self.clock.now()), Published([], [], [])
        for place, one in enumerate(samples):
            try:
                admissible(one, self.max_payload)
            except Unstorable as error:
                found.rejects.append(Reject(place, str(error)))
                continue
            if one.identity in self._known:
                found.duplicates.append(place)
                continue
            offset = self._known[one.identity] = len(self._known) + 1
            self._kept.append(self._stored(one, offset, now))
            self._told.append(offset)
            found.offsets.append(offset)
        return found

    def _stored(self, one: Sample, offset: int, now: int) -> Stored:
        given: dict[str, Any] = msgspec.structs.asdict(one)
        t_event = given.pop("t_event")
        skewed = t_event is not None and abs(t_event - now) > self.skew_ns
        when = now if t_event is None else t_event
        return Stored(
            **given, t_event=when, offset=offset, t_received=now, assumed=t_event is None, skewed=skewed
        )

    async def answer(self, questions: Sequence[Question]) -> list[list[Stored]]:
        """Answer all questions."""
        return [self._asof(one) if isinstance(one, AsOf) else self._range(one) for one in questions]

    def _of(self, source: str, topic: str) -> list[Stored]:
        found = [one for one in self._kept if (one.source, one.topic) == (source, topic)]
        return sorted(found, key=lambda one: (one.t_event, one.seq))

    def _asof(self, asked: AsOf) -> list[Stored]:
        def matches(one: Stored) -> bool:
            value: Any = one.payload
            for part in asked.match[0].split(".") if asked.match else ():
                value = value.get(part) if isinstance(value, dict) else None
            return asked.match is None or str(value) == asked.match[1]

        found = [
            one for one in self._of(asked.source, asked.topic) if one.t_event <= asked.t and matches(one)
        ]
        return found[-1:]

    def _range(self, asked: Range) -> list[Stored]:
        found = self._of(asked.source, asked.topic)
        inside = [one for one in found if asked.t0 <= one.t_event <= asked.t1][: asked.most]
        before = [one for one in found if one.t_event < asked.t0][-1:]
        return inside if any(one.t_event == asked.t0 for one in found) else before + inside

    async def asof(
        self, source: str, topic: str, t: int, *, match: tuple[str, str] | None = None
    ) -> Stored | None:
        """Answer one question about an instant."""
        return next(iter(self._asof(AsOf(source, topic, t, match))), None)

    async def range(self, source: str, topic: str, t0: int, t1: int) -> list[Stored]:
        """Answer one question about an interval."""
        return self._range(Range(source, topic, t0, t1))

    async def subscribe(
        self, wanted: Filter = EVERYTHING, start: Start = LATEST
    ) -> AsyncGenerator[list[Stored], None]:
        """Yield what is stored, for ever."""
        behind = self._behind(start)
        while True:
            found = [one for one in self._kept if one.offset > behind]
            behind = found[-1].offset if found else behind
            yield [one for one in found if _is_wanted(one, wanted)]
            if start.consumer is not None:
                self._consumers[start.consumer] = behind
            await asyncio.sleep(LOOK_S)

    def _behind(self, start: Start) -> int:
        last = len(self._known)
        if start.consumer is not None:
            return self._consumers.setdefault(start.consumer, 0 if start.at == "earliest" else last)
        if start.offset is not None:
            if start.offset not in self._told:
                raise FeedCursorGone
            return start.offset
        if start.time is not None:
            return next((one.offset - 1 for one in self._kept if one.t_received >= start.time), last)
        return 0 if start.at == "earliest" else last

    async def watermark(self, source: str, topic: str) -> int | None:
        """Return the latest event time of a topic."""
        return max((one.t_event for one in self._of(source, topic)), default=None)

    async def health(self) -> Health:
        """Tell how the bus is."""
        return Health(self._kept[-1].offset, self._kept[-1].t_received) if self._kept else Health(None, None)

    async def retain(self, *, before: int, needed: int | None = None, portion: int = MOST_SAMPLES) -> int:
        """Forget samples that arrived before an instant."""
        bound = before if needed is None else min(before, needed)
        held = min(self._consumers.values(), default=len(self._known))
        old = [one for one in self._kept if one.t_received < before and one.offset <= held]
        gone = [one for one in old if self._is_past(one, bound)]
        self._kept = [one for one in self._kept if one not in gone]
        self._told = [one for one in self._told if one not in {each.offset for each in old}]
        return len(gone)

    def _is_past(self, one: Stored, bound: int) -> bool:
        if one.skewed and one.t_event > one.t_received and one.t_received < bound:
            return True
        later = (each for each in self._of(one.source, one.topic) if each.t_event <= bound)
        return one.t_event < bound and any((e.t_event, e.seq) > (one.t_event, one.seq) for e in later)


def _is_wanted(one: Stored, wanted: Filter) -> bool:
    pairs = wanted.channels
    return not pairs or any(source == one.source and topic in (None, one.topic) for source, topic in pairs)
