"""Intervals of time: how people write them, and the condition under which an exposure overlaps one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from armillary.archive.catalog.tables import frame
from armillary.archive.query.models import Overlaps
from armillary.errors import BadRequest

_OPEN = ("", "..")
_LONG_S = "3600"
"""As in the index `frame_by_long_exposure`, which is used by statements that say it in the same words."""
_SECOND = sa.literal_column("interval '1 second'", sa.Interval)


def parse_interval(text: str) -> Overlaps:
    """Read ``START/END`` of ISO 8601; ``..`` or nothing leaves a side open, and an instant without a zone is UTC.

    Raises
    ------
    BadRequest
        If the text has another form, or ends before it starts.
    """
    try:
        start, end = (_bound(part.strip()) for part in text.split("/"))
    except ValueError:
        raise BadRequest(
            f"'{text}' is no interval: write START/END in ISO 8601, for example"
            " 2026-01-01T05:00:00Z/2026-01-01T06:00:00Z, with .. for an open side."
        ) from None
    if start and end and end < start:
        raise BadRequest(f"The interval '{text}' ends before it starts.")
    return Overlaps(start, end)


def _bound(text: str) -> datetime | None:
    return None if text in _OPEN else as_utc(datetime.fromisoformat(text))


def overlaps(term: Overlaps) -> Iterator[sa.ColumnElement[bool]]:
    """Yield the conditions under which the exposure of a frame overlaps an interval, as OVERLAPS of SQL means it.

    Interval and exposure do not include their end, unless that is where they start.
    """
    began = frame.c.started_at
    yield began.is_not(None)
    if term.end is not None:
        yield began <= term.end if term.end == term.start else began < term.end
    if term.start is not None:
        # An exposure that began later needs no duration: it may be unknown.
        yield sa.or_(began >= term.start, began + frame.c.exposure_s * _SECOND > term.start)
        # This follows from the line above, and tells the index where to begin.
        yield began >= sa.literal(term.start, began.type) - _longest_exposure()


def _longest_exposure() -> sa.ScalarSelect[timedelta]:
    """Return how long the longest exposure lasts, an hour at least: one look into an index of few rows."""
    among = frame.alias("long")
    hour = sa.literal_column(_LONG_S, sa.Double)
    longest = sa.func.greatest(hour, sa.func.max(among.c.exposure_s), type_=sa.Double)
    return sa.select(longest * _SECOND).where(among.c.exposure_s > hour).scalar_subquery()


def as_utc(instant: datetime | None) -> datetime | None:
    """Return an instant with its zone; one without is UTC.

    Raises
    ------
    BadRequest
        If that instant has no date in UTC.
    """
    try:
        return (
            instant.astimezone(UTC) if instant and instant.tzinfo else instant and instant.replace(tzinfo=UTC)
        )
    except OverflowError:
        raise BadRequest(f"{instant} is outside the years 1 to 9999.") from None
