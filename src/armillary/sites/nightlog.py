"""The sticky note of a site, and the permanent log beneath: what is written there stays.

A night is that of the instant of writing: from noon to noon in the zone of the site, or in UTC if that is unknown.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.text import storable
from armillary.context import Context
from armillary.sites import store
from armillary.sites.configs import effective
from armillary.sites.contents import content_of
from armillary.sites.documents import LogEntry, LogPage
from armillary.sites.errors import BadConfig, BadLogCursor, BadNote, UnknownLogEntry, UnknownSite
from armillary.sites.models import Author, LogQuery, Note, check_site
from armillary.sites.validation import number_of
from armillary.sites.zones import zone_of
from armillary.sky.nights import NOON_UTC, NightRule, night_of

MAX_NOTE = 256 * 1024
"""Bytes of a note or an entry."""
LONGEST_H, USUAL_H = 1_000_000.0, 48.0
"""Hours that a note may live at most, and if nothing is said of that."""
MAX_NAME = 200
MOST = 1000
"""Most entries of a page."""
_LAST = (1 << 63) - 1


async def night_rule(connection: AsyncConnection, site: str) -> NightRule:
    """Return how a site names its nights: from noon to noon in its zone, or in UTC if that is not known.

    Raises
    ------
    BadSiteName
        If it is no name of a site.
    """
    try:
        found = await effective(connection, site)
    except UnknownSite:
        return NOON_UTC
    zone = zone_of(found.configuration.get("TZ_database_name"))
    return NightRule(zone=zone) if zone else NOON_UTC


async def put_note(context: Context, site: str, data: Any, *, author: str) -> Note:
    """Keep a note until it expires or another one comes, and enter it into the log.

    Parameters
    ----------
    data
        An object, which may hold ``message``, ``username`` and ``ttl_hours``, or a text, which is the message.
    author
        Whom a token names; empty if none does. Then it is who the note says, unverified.

    Raises
    ------
    BadSiteName, BadNote
        Nothing is kept then.
    """
    check_site(site)
    value, text = _noted(data)
    created = context.clock.now().replace(microsecond=0)
    note = Note(site, text, created, created + timedelta(hours=_hours(value)))
    message = value.get("message")
    shown = message if isinstance(message, str) else text
    if not storable(shown):
        raise BadNote("The message holds characters that cannot be kept, as NUL.")
    async with context.database.begin() as connection:
        await store.put_note(connection, note)
        who = Author(author, True) if author else Author(_claimed(value), False)
        await _append(connection, context, site, shown, author=who, note=text)
    return note


def _noted(data: Any) -> tuple[dict[str, Any], str]:
    """Return the note that was sent, and its JSON."""
    value = {"message": data} if isinstance(data, str) and data else data
    if not isinstance(value, dict):
        raise BadNote("Missing required field: note_data, an object or a text.")
    try:
        content = content_of(value)
    except BadConfig:
        raise BadNote("The field note_data holds what cannot be kept.") from None
    # As it came, not in the escapes in which it is stored.
    if len(content.canonical) > MAX_NOTE:
        raise BadNote(f"The field note_data is over the limit of {MAX_NOTE} bytes.")
    return value, content.text


def _hours(value: dict[str, Any]) -> float:
    if "ttl_hours" not in value:
        return USUAL_H
    given = value["ttl_hours"]
    hours = None if isinstance(given, list) else number_of(given)
    # Not a number is not within, either; and what is no microsecond is no time to live.
    if hours is None or not 1e-9 < hours <= LONGEST_H:
        raise BadNote(f"The field ttl_hours should be a number above 0, up to {LONGEST_H:.0f}.")
    return hours


def _claimed(value: dict[str, Any]) -> str:
    """Return who a note says it is from."""
    name = value.get("username") or value.get("userid")
    return name[:MAX_NAME] if isinstance(name, str) and storable(name) else ""


async def note_of(context: Context, site: str) -> Note | None:
    """Return the note of a site; None if there is none, or it has expired.

    Raises
    ------
    BadSiteName
        If it is no name of a site.
    """
    async with context.database.begin() as connection:
        return await store.note(connection, check_site(site), context.clock.now())


async def delete_note(context: Context, site: str) -> None:
    """Remove the note of a site, if it has one; its entry in the log stays.

    Raises
    ------
    BadSiteName
        If it is no name of a site.
    """
    async with context.database.begin() as connection:
        await store.drop_note(connection, check_site(site))


async def add_entry(
    context: Context, site: str, text: str, *, author: str, corrects: int | None = None
) -> LogEntry:
    """Add an entry to the log of a site, which may correct an earlier one; that stays as it is.

    Raises
    ------
    BadSiteName, BadNote, UnknownLogEntry
        Nothing is added then.
    """
    check_site(site)
    if not text.strip() or not storable(text) or len(text.encode()) > MAX_NOTE:
        raise BadNote(f"The text should have 1 to {MAX_NOTE} bytes, and no NUL.")
    async with context.database.begin() as connection:
        if corrects is not None and not await _is_there(connection, site, corrects):
            raise UnknownLogEntry(f"The night log of '{site}' has no entry {corrects} to correct.")
        who = Author(author, bool(author))
        return await _append(connection, context, site, text, author=who, corrects=corrects)


async def _is_there(connection: AsyncConnection, site: str, number: int) -> bool:
    return 0 < number <= _LAST and await store.has_entry(connection, site, number)


async def _append(
    connection: AsyncConnection, context: Context, site: str, text: str, *, author: Author, **more: Any
) -> LogEntry:
    now = context.clock.now()
    night = night_of(now, await night_rule(connection, site))
    return await store.add_entry(connection, site, text, night=night, now=now, author=author, **more)


async def search_log(
    connection: AsyncConnection, site: str, query: LogQuery, *, limit: int, cursor: str | None = None
) -> LogPage:
    """Return entries of the log of a site, the latest first.

    Raises
    ------
    BadSiteName, BadLogCursor
        If the site or the cursor is none.
    """
    check_site(site)
    place = _place(cursor)
    found = await store.entries(connection, site, query, place=place, limit=limit + 1, forward=False)
    shown = found[:limit]
    return LogPage(shown, str(shown[-1].id) if len(found) > limit else None)


def _place(cursor: str | None) -> int:
    if cursor is None:
        return _LAST
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 20 and int(cursor) <= _LAST):
        raise BadLogCursor
    return int(cursor)


async def export_log(context: Context, site: str, query: LogQuery) -> AsyncGenerator[LogEntry, None]:
    """Yield all entries of the log of a site, the oldest first, however many there are.

    Raises
    ------
    BadSiteName
        If it is no name of a site.
    """
    place, more = 0, True
    while more:
        # No connection is held while whoever reads is busy.
        async with context.database.begin() as connection:
            found = await store.entries(
                connection, check_site(site), query, place=place, limit=MOST, forward=True
            )
        for entry in found:
            yield entry
        more = len(found) == MOST
        place = found[-1].id if found else place


def as_json_line(entry: LogEntry) -> str:
    """Return an entry as one line of JSON."""
    return msgspec.json.encode(entry).decode()


def as_text(entry: LogEntry) -> str:
    """Return an entry as lines of plain text: when, who, what."""
    who = entry.author or "somebody"
    told = f"{entry.created_at:%Y-%m-%dT%H:%M:%SZ}  {who}{'' if entry.verified else ' (unverified)'}"
    corrected = f"  corrects {entry.corrects}" if entry.corrects is not None else ""
    lines = [_visible(line) for line in entry.text.splitlines()] or [""]
    head = f"{entry.night}  [{entry.id}]  {_visible(told)}{corrected}"
    return "\n".join([head, *(f"    {line}" for line in lines)])


def _visible(line: str) -> str:
    """Return a line without what a terminal would obey."""
    return "".join(one if one.isprintable() or one == "\t" else "\ufffd" for one in line)
