"""Samples, questions and answers of a bus, and the Protocol of its engines."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

PLACE_BITS = 16
"""Bits of an offset that are the place of a sample in its transaction."""
MOST_SAMPLES = 10_000
"""Samples of one call of ``publish``."""
Identity: TypeAlias = tuple[str, str, str, int]
"""Source, epoch, topic, seq."""


class Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a topic of a source said; instants are TAI nanoseconds since 1970.

    ``epoch`` names the run of the publisher that counts by ``seq``. Without ``t_event`` the time of arrival takes
    its place. A value is in force until the next one, or until it ``expires``.
    """

    source: str
    topic: str
    epoch: str
    seq: int
    payload: dict[str, Any]
    kind: Literal["event", "telemetry"] = "telemetry"
    t_event: int | None = None
    expires: int | None = None

    @property
    def identity(self) -> Identity:
        """What makes it the same sample."""
        return self.source, self.epoch, self.topic, self.seq


class Stored(Sample, frozen=True, kw_only=True):
    """A sample as it lies in the log.

    ``assumed``: nobody said when it was valid. ``skewed``: it says so, but far from when it arrived, since it was
    late or the clock of its source is wrong.
    """

    offset: int
    t_event: int
    t_received: int
    assumed: bool = False
    skewed: bool = False


class AsOf(msgspec.Struct, frozen=True, tag="asof"):
    """Ask for the sample of the greatest (t_event, seq) that was valid at ``t`` or before.

    ``match`` is a dotted field and a text: only samples whose payload has this value there count.
    """

    source: str
    topic: str
    t: int
    match: tuple[str, str] | None = None


class Range(msgspec.Struct, frozen=True, tag="range"):
    """Ask for the samples of ``t0`` to ``t1``, both included, behind the one that was in force at ``t0``.

    ``most`` limits how many are told of those from ``t0`` on, the earliest.
    """

    source: str
    topic: str
    t0: int
    t1: int
    most: int | None = None


Question: TypeAlias = AsOf | Range


class Reject(msgspec.Struct, frozen=True):
    """A sample that was not stored: its place in what was sent, and why."""

    index: int
    reason: str


class Published(msgspec.Struct, frozen=True):
    """What became of samples: offsets of those that are new, places of those that were there, and refused ones.

    ``spooled`` counts what waits on disk for a database that is away; such samples have no offsets yet.
    """

    offsets: list[int] = []
    duplicates: list[int] = []
    rejects: list[Reject] = []
    spooled: int = 0


class Filter(msgspec.Struct, frozen=True):
    """Which samples somebody wants: pairs of source and topic, where no topic means all; without pairs all."""

    channels: tuple[tuple[str, str | None], ...] = ()


EVERYTHING = Filter()


class Start(msgspec.Struct, frozen=True):
    """Where to begin: behind an offset, with what arrived since a time, as a consumer, or else at an end.

    A consumer is a durable position that has a name: before each list it acknowledges the one before.
    """

    at: Literal["earliest", "latest"] = "latest"
    offset: int | None = None
    time: int | None = None
    consumer: str | None = None


LATEST = Start()


class Health(msgspec.Struct, frozen=True):
    """How a bus is: its newest sample, and what waits on disk until its database is back."""

    newest_offset: int | None
    newest_received: int | None
    spooled_bytes: int = 0


class Bus(Protocol):
    """A durable log of samples."""

    async def publish(self, samples: Sequence[Sample]) -> Published:
        """Store samples in one transaction; when this returns they are durable, and every answer knows them.

        Raises
        ------
        TooManySamples
            If there are more than ``MOST_SAMPLES``; nothing is stored.
        """
        ...

    async def answer(self, questions: Sequence[Question]) -> list[list[Stored]]:
        """Answer all questions in one round trip, each by its samples in the order of (t_event, seq)."""
        ...

    async def asof(
        self, source: str, topic: str, t: int, *, match: tuple[str, str] | None = None
    ) -> Stored | None:
        """Answer one question about an instant."""
        ...

    async def range(self, source: str, topic: str, t0: int, t1: int) -> list[Stored]:
        """Answer one question about an interval."""
        ...

    def subscribe(
        self, wanted: Filter = EVERYTHING, start: Start = LATEST
    ) -> AsyncGenerator[list[Stored], None]:
        """Yield what is stored, in order, for ever; an empty list at least every second.

        Raises
        ------
        FeedCursorGone
            If what follows the start is forgotten in part.
        """
        ...

    async def watermark(self, source: str, topic: str) -> int | None:
        """Return the latest event time of a topic, None if nothing is known of it."""
        ...

    async def health(self) -> Health:
        """Tell how the bus is."""
        ...

    async def retain(self, *, before: int, needed: int | None = None, portion: int = MOST_SAMPLES) -> int:
        """Forget samples that arrived before an instant, a portion in each transaction; return how many.

        What was in force at ``before`` stays, so that later instants are answered as ever; what is valid at
        ``needed`` or later stays as well, and what a consumer has not acknowledged.
        """
        ...
