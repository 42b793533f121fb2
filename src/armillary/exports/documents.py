"""What is told of exports and destinations, by routes and commands."""

from __future__ import annotations

from dataclasses import dataclass

from armillary.base.clock import Instant
from armillary.base.work import State
from armillary.exports.models import How


@dataclass(frozen=True, slots=True)
class Destination:
    """What the database knows of a destination; ``active`` while a running worker is configured for it."""

    name: str
    url: str
    pattern: str
    active: bool
    away_until: Instant | None = None
    error: str | None = None
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class WaitingExport:
    """An export that has not ended; ``error`` is why its last run failed."""

    id: int
    destination: str
    path: str
    name: str
    state: State
    attempts: int
    not_before: Instant
    added: Instant
    error: str | None


@dataclass(frozen=True, slots=True)
class EndedExport:
    """What a destination has; ``header_update`` is the text of the items that were sent instead of bytes."""

    destination: str
    path: str
    name: str
    version_id: int
    data_md5: str
    how: How
    sent_bytes: int
    header_update: str | None
    md5_before_header_update: str | None
    md5_after_header_update: str | None
    exported: Instant


@dataclass(frozen=True, slots=True)
class Exports:
    """Exports that wait, oldest first, and what destinations have, latest first."""

    waiting: list[WaitingExport]
    ended: list[EndedExport]
