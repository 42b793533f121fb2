"""Topics, positions, entries and pages of a feed."""

from __future__ import annotations

import base64
import dataclasses
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from armillary.base.feed.errors import BadFeedCursor, FeedCursorGone

E = TypeVar("E")
_BIGINT, _INTEGER = 1 << 63, 1 << 31


@dataclass(frozen=True, slots=True)
class Topic:
    """One ordered log of the feed; its row in ``feed_topic`` is made by a migration.

    ``gone`` is what a follower is told to do whose cursor is behind the horizon.
    """

    name: str
    gone: str | None = None

    @property
    def channel(self) -> str:
        """The channel of signals that tells of new entries."""
        return f"feed_{self.name}"

    def refusal(self) -> FeedCursorGone:
        """Return the error for a cursor from which nobody can go on."""
        return FeedCursorGone(self.gone)


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A position in a topic: behind one entry, or before all of them."""

    generation: int = 0
    number: int = 0
    id: int = 0

    @property
    def token(self) -> str:
        """The form in which clients keep it."""
        plain = f"{self.generation}.{self.number}.{self.id}"
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, token: str) -> Cursor:
        """Read what a client kept.

        Raises
        ------
        BadFeedCursor
            If it has another form.
        """
        try:
            plain = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("ascii")
            generation, number, entry = (int(part) for part in plain.split("."))
        except ValueError:
            raise BadFeedCursor from None
        found = cls(generation, number, entry)
        in_range = 0 <= generation < _INTEGER and 0 <= number < _BIGINT and 0 <= entry < _BIGINT
        if not in_range or found.token != token:
            raise BadFeedCursor
        return found

    @property
    def position(self) -> tuple[int, int, int]:
        """The three numbers by which a topic is sorted."""
        return dataclasses.astuple(self)


BEGINNING = Cursor()


@dataclass(frozen=True, slots=True)
class Entry:
    """What was written: ``key`` names what it is about, ``payload`` says what happened to that."""

    cursor: Cursor
    key: str
    payload: dict[str, Any]
    noted: datetime
    """When the transaction began that wrote it."""


@dataclass(frozen=True, slots=True)
class Page(Generic[E]):
    """Some entries in order; ``more`` says whether others follow, ``unsettled`` whether others come up soon."""

    entries: list[E]
    cursor: Cursor
    more: bool
    unsettled: bool
