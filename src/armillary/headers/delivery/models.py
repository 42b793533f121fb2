"""Announcements of headers, and what is told of revisions and consumers."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from armillary.base.clock import Instant
from armillary.base.feed.models import Topic
from armillary.headers.exposures.models import ExposureState

HEADERS = Topic(
    "headers",
    "Announcements behind this cursor are gone; begin anew without `since`, or register the consumer anew.",
)
CREATED, FAILED = "HeaderCreated", "HeaderFailed"


class MissingValue(Struct, frozen=True):
    """A required card without a value, and why."""

    key: str
    reason: str


class HeaderObject(Struct, frozen=True):
    """One form of a header: where it is, its media type, bytes and SHA-256.

    ``stored`` says that it is an object of the annex that was read back and compared.
    """

    url: str
    media_type: str
    size: int
    sha256: str
    stored: bool = False


class HeaderCreated(Struct, frozen=True, tag_field="type", tag=CREATED):
    """A revision of a header is there."""

    instrument: str
    image_id: str
    day_obs: str
    seq_num: int | None
    product: str
    revision: int
    supersedes: int | None
    content_hash: str
    complete: bool
    science_complete: bool
    simulated: bool
    missing: list[MissingValue]
    objects: list[HeaderObject]
    config_rev: str
    template_rev: str
    created: Instant
    cursor: str = ""


class HeaderFailed(Struct, frozen=True, tag_field="type", tag=FAILED):
    """No header could be made; it is tried again."""

    instrument: str
    image_id: str
    day_obs: str
    reason: str
    attempts: int
    created: Instant
    cursor: str = ""


Announcement = HeaderCreated | HeaderFailed


class Taken(Struct, frozen=True, forbid_unknown_fields=True):
    """A revision of a header that a consumer has dealt with; the instrument only where ids are not unique."""

    image_id: str
    product: str
    revision: int
    instrument: str | None = None


class Consumer(Struct, frozen=True):
    """A consumer: the instruments it wants (all if none are named), and the end of what it has taken."""

    name: str
    instruments: list[str] | None
    cursor: str
    registered: Instant
    seen: Instant
    pending: int = 0


class RevisionStatus(Struct, frozen=True):
    """One revision of a header, without its cards."""

    product: str
    revision: int
    supersedes: int | None
    content_hash: str
    complete: bool
    science_complete: bool
    created: Instant
    objects: list[HeaderObject]


class CardDifference(Struct, frozen=True):
    """What differs in one card between two revisions; null for a card that one of them has not."""

    hdu: str
    key: str
    old: Any
    new: Any


class ExposureStatus(Struct, frozen=True):
    """How far an exposure has come: moments by name in TAI ns, and the latest revision of each product."""

    instrument: str
    image_id: str
    state: ExposureState
    reason: str | None
    day_obs: str
    opened: Instant
    moments: dict[str, int]
    revisions: dict[str, int]
    attempts: int


class Found(Struct, frozen=True):
    """An exposure by its image id."""

    id: int
    state: ExposureState
    reason: str | None
    revisions: dict[str, int]


class Transition(Struct, frozen=True):
    """When an exposure came to a state, and why."""

    state: ExposureState
    cause: str
    revision: int | None
    noted: Instant


class Page(Struct, frozen=True):
    """Some announcements in order, and the cursor behind the last."""

    headers: list[Announcement]
    cursor: str


Format = Literal["fits", "json", "yaml", "correction"]
