"""The feed of changes: what happened to versions, in an order that followers can rely on.

It is the topic ``versions`` of the feed (`armillary.base.feed`). Triggers on the table of versions write one
entry per version that is recorded, stands otherwise, or gets its digests, in the transaction that does it. An
entry says how the version stood then; here it is completed by what is known of the version when it is read.

Old changes may be forgotten (`retention.changes_days`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import AnyRow
from armillary.base.feed import horizon, reader
from armillary.base.feed.models import Cursor, Entry, Page, Topic
from armillary.context import Context

VERSIONS = Topic(
    "versions",
    gone="The archive knows no such change, or forgot others behind it: ask `after=now`, list all files, go on.",
)

Unknown = Callable[[AsyncConnection, Collection[int]], Awaitable[Collection[int]]]
"""What returns those of some files, by their ids, that a follower may not know of."""

DETAILS = """
SELECT c.place, file.name, v.path, v.filename, v.origin, v.previous_id AS previous, v.file_size, v.data_size,
    v.file_md5, v.data_md5, v.lastmod, v.entrytime,
    ARRAY(SELECT e.id FROM edit AS e WHERE e.version_after = c.version AND e.outcome = 'changed'
        AND c.kind = 'changed' ORDER BY e.id) AS edits
FROM unnest($1::bigint[], $2::bigint[], $3::text[]) WITH ORDINALITY AS c (version, file, kind, place)
JOIN file ON file.id = c.file
LEFT JOIN version AS v ON v.id = c.version
ORDER BY c.place
"""
"""What is known of versions, of their files, and of the edits that made them."""


class ChangeKind(StrEnum):
    """What happened to a version."""

    ADDED = "added"
    """It is the first one of its file."""
    CHANGED = "changed"
    """It is a later one: an edit, a revert, an upload, or other bytes found by an ingest."""
    SUPERSEDED = "superseded"
    """Another version is canonical now; `present` tells whether its bytes are still in storage."""
    ABSENT = "absent"
    """Its bytes are in storage no more: moved, replaced or deleted."""
    RESTORED = "restored"
    """It is present or canonical again."""
    DIGESTS = "digests"
    """Its digests are known now."""
    FORGOTTEN = "forgotten"
    """Its record was deleted."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change, with what is known of its version when it is read."""

    cursor: Cursor
    kind: ChangeKind
    values: dict[str, Any]


async def position(connection: AsyncConnection, after: str | None) -> Cursor:
    """Return where a follower stands: ``after`` is a token, `now`, or nothing for the oldest change that is kept.

    Raises
    ------
    BadFeedCursor
        If it is neither.
    FeedCursorGone
        If there is no such change, or changes behind it are forgotten.
    """
    return await reader.position(connection, VERSIONS, after)


async def beginning(connection: AsyncConnection) -> Cursor:
    """Return the position before the oldest change that is kept: ``BEGINNING`` if none is forgotten."""
    return await horizon.beginning(connection, VERSIONS)


async def changes_after(connection: AsyncConnection, cursor: Cursor, limit: int) -> Page[Change]:
    """Return up to ``limit`` changes behind a cursor.

    Raises
    ------
    FeedCursorGone
        If some of them are forgotten.
    """
    page = await reader.page_after(connection, VERSIONS, cursor, limit)
    return Page(await _completed(connection, page.entries), page.cursor, page.more, page.unsettled)


def without(unknown: Unknown) -> reader.Read[Change]:
    """Return what reads changes as `changes_after` does, and leaves out those of files that are not to be known.

    They are judged when they are read, and left out for good: who wants to know what may be known since then
    lists the files. A page may be empty, and the cursor be further nevertheless.
    """

    async def read(connection: AsyncConnection, cursor: Cursor, limit: int) -> Page[Change]:
        page = await reader.page_after(connection, VERSIONS, cursor, limit)
        hidden = await unknown(connection, {one.payload["file"] for one in page.entries})
        told = [one for one in page.entries if one.payload["file"] not in hidden]
        return Page(await _completed(connection, told), page.cursor, page.more, page.unsettled)

    return read


async def forget(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Forget the oldest changes, up to ``limit``, if they were noted before an instant; return how many."""
    return await horizon.forget(connection, VERSIONS, before=before, limit=limit)


def follow(
    context: Context,
    cursor: Cursor,
    *,
    limit: int,
    timeout_s: float | None = None,
    read: reader.Read[Change] = changes_after,
) -> AsyncGenerator[Page[Change], None]:
    """Yield changes behind a cursor for ever, or until none has come for ``timeout_s`` seconds.

    An empty page is yielded at least every ``LOOK_S`` seconds.
    """
    return reader.follow(
        context.database, context.signals, VERSIONS, cursor, read, limit=limit, timeout_s=timeout_s
    )


async def next_changes(
    context: Context,
    cursor: Cursor,
    *,
    limit: int,
    wait_s: float,
    read: reader.Read[Change] = changes_after,
) -> Page[Change]:
    """Return the changes behind a cursor, waiting up to ``wait_s`` seconds for the first."""
    return await reader.next_page(
        context.database, context.signals, VERSIONS, cursor, read, limit=limit, wait_s=wait_s
    )


async def _completed(connection: AsyncConnection, entries: list[Entry]) -> list[Change]:
    if not entries:
        return []
    versions, files = [int(one.key) for one in entries], [one.payload["file"] for one in entries]
    kinds = [one.payload["kind"] for one in entries]
    known = await connection.exec_driver_sql(DETAILS, (versions, files, kinds))
    return [_change_of(entries[row.place - 1], row) for row in known]


def _change_of(entry: Entry, known: AnyRow) -> Change:
    details = dict(known._mapping)
    del details["place"]
    told = {"version": int(entry.key), **{name: entry.payload[name] for name in ("present", "canonical")}}
    return Change(entry.cursor, ChangeKind(entry.payload["kind"]), told | details)
