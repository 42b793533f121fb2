"""Selections as tests write them: one path of segments, on a day that stays."""

from __future__ import annotations

from datetime import UTC, date, datetime

from armillary.archive.query.grammar import Selection, parse
from armillary.archive.query.models import Term

TODAY = date(2026, 1, 2)


def selected(path: str, *, summit: bool = False, lenient: bool = False) -> Selection:
    """Return what a path selects."""
    return parse(path.split("/"), today=TODAY, summit=summit, lenient=lenient)


def terms(path: str, *, summit: bool = False) -> tuple[Term, ...]:
    """Return the conditions of a path."""
    return selected(path, summit=summit).terms


def utc(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """Return an instant of January 2026."""
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC)
