"""Announcements of images: what can be queried now, to whoever follows a site or all of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal, Scope
from armillary.archive.images.models import IMAGEDATA
from armillary.base.feed import horizon, reader
from armillary.base.feed.errors import BadFeedCursor
from armillary.base.feed.models import Cursor, Entry, Page
from armillary.context import Context

_BITS = 64
AT_ONCE = 500


def number_of(cursor: Cursor) -> int:
    """Return a position as one number; those of later announcements are greater."""
    generation, number, entry = cursor.position
    return (generation << _BITS | number) << _BITS | entry


def cursor_of(number: str) -> Cursor:
    """Return the position that a number is.

    Raises
    ------
    BadFeedCursor
        If it is none.
    """
    if not (number.isascii() and number.isdigit() and len(number) <= 50):
        raise BadFeedCursor
    whole, mask = int(number), (1 << _BITS) - 1
    return Cursor.parse(Cursor(whole >> 2 * _BITS, whole >> _BITS & mask, whole & mask).token)


async def position(connection: AsyncConnection, after: str | None) -> Cursor:
    """Return where a follower begins: behind an announcement, or, if none is named, behind the latest.

    Raises
    ------
    BadFeedCursor, FeedCursorGone
        If there is no such announcement, or not any more.
    """
    token = cursor_of(after).token if after else reader.NOW
    return await reader.position(connection, IMAGEDATA, token)


def follow(context: Context, cursor: Cursor, viewer: Principal) -> AsyncGenerator[Page[Entry], None]:
    """Yield the announcements behind a position that a viewer may hear, and an empty page every second."""

    async def read(connection: AsyncConnection, after: Cursor, limit: int) -> Page[Entry]:
        page = await reader.page_after(connection, IMAGEDATA, after, limit)
        today = context.clock.now().date()
        heard = [one for entry in page.entries if (one := _heard(entry, viewer, today))]
        return replace(page, entries=heard)

    return reader.follow(context.database, context.signals, IMAGEDATA, cursor, read, limit=AT_ONCE)


def _heard(entry: Entry, viewer: Principal, today: date) -> Entry | None:
    """Return an announcement as a viewer is told it, None if its image is not released to them."""
    told = dict(entry.payload)
    release = told.pop("release", None)
    if release is None or viewer.may(Scope.READ) or date.fromisoformat(release) <= today:
        return replace(entry, payload=told)
    return None


async def forget(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Forget the oldest announcements; return how many."""
    return await horizon.forget(connection, IMAGEDATA, before=before, limit=limit)
