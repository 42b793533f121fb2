"""Where a page of frames ends and the next one begins: by time, newest first, those without a time last."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import sqlalchemy as sa

from armillary.archive.catalog.tables import frame
from armillary.archive.errors import BadCursor


def write_cursor(started_at: datetime | None, file_id: int) -> str:
    """Return the cursor behind a frame."""
    started = started_at.isoformat() if started_at else None
    return base64.urlsafe_b64encode(json.dumps([started, file_id]).encode()).decode()


def read_cursor(cursor: str) -> tuple[datetime | None, int]:
    """Return the time and the file id of the last frame of a page.

    Raises
    ------
    BadCursor
        If it is none.
    """
    try:
        started, file_id = json.loads(base64.urlsafe_b64decode(cursor))
        when = datetime.fromisoformat(started) if started else None
        # What no column can hold would be an error of the database, and not of whoever made the cursor up.
        if type(file_id) is int and 0 <= file_id < 1 << 63 and (when is None or when.tzinfo):
            return when and when.astimezone(UTC), file_id
    except (ValueError, TypeError, OverflowError, RecursionError):
        pass
    raise BadCursor


def after_row(started_at: datetime | None, file_id: int) -> sa.ColumnElement[bool]:
    """Return the condition of the frames behind one: those with a time if it has one, the others otherwise."""
    if started_at is None:
        return sa.and_(frame.c.started_at.is_(None), frame.c.file_id < file_id)
    # Compared as rows, this is a range of the index on both columns; an OR of two conditions is none.
    return sa.tuple_(frame.c.started_at, frame.c.file_id) < sa.tuple_(started_at, file_id)
