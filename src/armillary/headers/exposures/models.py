"""What is known of an exposure, and the states that it passes."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct

_EPOCH = datetime(1970, 1, 1) - timedelta(hours=12)  # a reading of TAI, which has no zone


class ExposureState(StrEnum):
    """How far an exposure has come."""

    OPEN = "OPEN"
    INTEGRATING = "INTEGRATING"
    READOUT = "READOUT"
    TELEMETRY_DONE = "TELEMETRY_DONE"
    RENDERED = "RENDERED"
    PUBLISHED = "PUBLISHED"
    FAILED = "FAILED"
    ABORTED = "ABORTED"


class Because(StrEnum):
    """Why a header is to be made, or made again."""

    END = "end"
    """The end event has come."""
    SETTLE = "settle"
    """It has come, and a keyword waits for its sample, until D1 at the latest."""
    DEADLINE = "deadline"
    """It should have come by then."""
    D2 = "d2"
    """Late samples are in by then."""
    LATE = "late"
    """A sample came later still, or a moment after its header."""
    RETRY = "retry"
    """The attempt before failed."""
    REBUILD = "rebuild"
    """Somebody asked for it."""


class Seen(Struct, frozen=True):
    """An event that is a moment of an exposure: instant and arrival in TAI ns, identity, payload."""

    t: int
    received: int
    source: str
    topic: str
    epoch: str
    seq: int
    payload: dict[str, Any]

    @property
    def order(self) -> tuple[int, str, int]:
        """By which the first of several events for one moment is told, in whatever order they arrive."""
        return self.t, self.epoch, self.seq


class Latest(Struct, frozen=True):
    """The latest revision of a product, and the hash of its content."""

    revision: int
    content_hash: str


class Exposure(Struct, frozen=True):
    """The row of an exposure.

    ``image_id`` is unique; ``named`` is the id in the events, which differs where an id was used again.
    ``changed`` counts changes of the moments, ``rendered`` is what of these the latest header has seen. ``due``
    is when the next header is to be made, in TAI ns, unless something happens before.
    """

    instrument: str
    image_id: str
    named: str
    config: int
    opened_at: int
    id: int = 0
    state: ExposureState = ExposureState.OPEN
    reason: str | None = None
    moments: dict[str, Seen] = {}
    latest: dict[str, Latest] = {}
    changed: int = 0
    rendered: int = 0
    attempts: int = 0
    due: int | None = None
    because: Because | None = None

    @property
    def last_t(self) -> int:
        """The instant of the last moment that is known."""
        return max((one.t for one in self.moments.values()), default=self.opened_at)

    @property
    def first_t(self) -> int:
        """The instant of the first moment that is known."""
        return min((one.t for one in self.moments.values()), default=self.opened_at)

    @property
    def day_obs(self) -> str:
        """The calendar date of TAI less 12 hours at its first moment."""
        return (_EPOCH + timedelta(microseconds=self.first_t // 1000)).strftime("%Y%m%d")


class Step(Struct, frozen=True):
    """A transition: the state that an exposure comes to, and why."""

    state: ExposureState
    cause: str
    revision: int | None = None
