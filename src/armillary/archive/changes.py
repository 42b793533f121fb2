"""The feed of changes: what happened to versions, in an order that followers can rely on.

Triggers on the table of versions write one row per version that is recorded, stands otherwise, or gets its
digests, in the transaction that does it: no code path can forget it, and nothing is told that is rolled back.

Identity columns alone cannot order such rows. They are drawn before the commit, so a slow transaction would put
rows behind the back of a reader who has gone past them. Therefore every row carries the id of its transaction,
and readers see only rows of transactions older than the oldest one that still runs: nothing can be added there
any more. A transaction that comes to a version after a later one did puts its row behind that one's, under the
later id: no reader has got there, as it still runs. The order is (generation, transaction, row); a cursor names
the last row that somebody has seen. A writer that takes long delays what came after it, and loses nothing of
it.

A server that a dump was restored to counts its transactions from the start again. Whoever starts with the right
to write notices that recorded transactions lie in the future, and begins a new generation
(`armillary.base.generations`). Rows of older generations are settled. A cursor of a change that the dump does
not hold is refused, since what its owner has seen since then never happened here.

Old changes may be forgotten (`retention.changes_days`), always a first part of the feed up to a *horizon*. A
cursor before that is refused, too, also in the middle of following: there would be a gap behind it.
"""

from __future__ import annotations

import base64
import dataclasses
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive import change_store as store
from armillary.base.database import AnyRow
from armillary.context import Context
from armillary.errors import ArmillaryError, BadRequest

MAX_PAGE = 10_000
NOW = "now"
SOON_S, LOOK_S = 0.02, 1.0
"""Shortest pause before looking for changes that wait for older transactions; longest pause of any kind."""
_BIGINT, _INTEGER = 1 << 63, 1 << 31


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


class BadChangeCursor(BadRequest):
    """The cursor is none that the feed of changes gave; use one that it gave, 'now', or none."""

    code = "bad_change_cursor"


class ChangeCursorGone(ArmillaryError):
    """The archive knows no such change, or forgot others behind it: ask `after=now`, list all files, go on."""

    code, status = "change_cursor_gone", HTTPStatus.GONE


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A position in the feed: behind one change, or before all of them."""

    generation: int = 0
    transaction: int = 0
    number: int = 0

    @property
    def token(self) -> str:
        """The form in which clients keep it."""
        plain = f"{self.generation}.{self.transaction}.{self.number}"
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, token: str) -> Cursor:
        """Read what a client kept.

        Raises
        ------
        BadChangeCursor
            If it has another form.
        """
        try:
            plain = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("ascii")
            generation, transaction, number = (int(part) for part in plain.split("."))
        except ValueError:
            raise BadChangeCursor from None
        found = cls(generation, transaction, number)
        in_range = 0 <= generation < _INTEGER and 0 <= transaction < _BIGINT and 0 <= number < _BIGINT
        if not in_range or found.token != token:
            raise BadChangeCursor
        return found

    @property
    def position(self) -> tuple[int, int, int]:
        """The three numbers by which the feed is sorted."""
        return dataclasses.astuple(self)


BEGINNING = Cursor()


@dataclass(frozen=True, slots=True)
class Change:
    """One change, with what is known of its version when it is read."""

    cursor: Cursor
    kind: ChangeKind
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Changes:
    """Some changes in order; ``more`` says whether others follow, ``unsettled`` whether others come up soon."""

    changes: list[Change]
    cursor: Cursor
    more: bool
    unsettled: bool


async def position(connection: AsyncConnection, after: str | None) -> Cursor:
    """Return where a follower stands: ``after`` is a token, `now`, or nothing for the oldest change that is kept.

    Raises
    ------
    BadChangeCursor
        If it is neither.
    ChangeCursorGone
        If there is no such change, or changes behind it are forgotten.
    """
    begun = await beginning(connection)
    if not after:
        return begun
    if after == NOW:
        row = await store.latest(connection)
        return Cursor(row.generation, row.xid, row.id) if row else begun
    cursor = Cursor.parse(after)
    if cursor != begun and (cursor < begun or not await store.is_known(connection, cursor.position)):
        raise ChangeCursorGone
    return cursor


async def beginning(connection: AsyncConnection) -> Cursor:
    """Return the position before the oldest change that is kept: ``BEGINNING`` if none is forgotten."""
    return Cursor(*(await store.horizon(connection) or ()))


async def changes_after(connection: AsyncConnection, cursor: Cursor, limit: int) -> Changes:
    """Return up to ``limit`` changes behind a cursor.

    Raises
    ------
    ChangeCursorGone
        If some of them are forgotten.
    """
    limit = max(1, min(limit, MAX_PAGE))
    # Looked at first, so that what settles meanwhile is announced once too often and never overlooked.
    unsettled = await store.any_unsettled(connection)
    rows = await store.after(connection, cursor.position, limit + 1)
    # Looked at last, so that nothing is forgotten between the two.
    if cursor < await beginning(connection):
        raise ChangeCursorGone
    found = [_change_of(row) for row in rows[:limit]]
    return Changes(found, found[-1].cursor if found else cursor, len(rows) > limit, unsettled)


async def forget(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Forget the oldest changes, up to ``limit``, if they were noted before an instant; return how many."""
    return await store.forget(connection, before=before, limit=limit)


async def follow(
    context: Context, cursor: Cursor, *, limit: int, timeout_s: float | None = None
) -> AsyncGenerator[Changes, None]:
    """Yield changes behind a cursor for ever, or until none has come for ``timeout_s`` seconds.

    An empty one is yielded at least every ``LOOK_S`` seconds: followers show there that they live. Nothing is
    read ahead, and no connection is held while the follower is busy.
    """
    silent_since, pause_s = time.monotonic(), SOON_S
    async with context.signals.subscribe(store.CHANNEL) as news:
        while True:
            async with context.database.begin() as connection:
                found = await changes_after(connection, cursor, limit)
            yield found
            cursor = found.cursor
            if found.changes:
                silent_since, pause_s = time.monotonic(), SOON_S
            if found.more:
                continue
            left_s = silent_since + timeout_s - time.monotonic() if timeout_s is not None else LOOK_S
            if left_s <= 0:
                return
            # The end of the transaction that is waited for is not announced.
            pause_s = min(2 * pause_s, LOOK_S) if found.unsettled else SOON_S
            await news.wait(min(left_s, pause_s if found.unsettled else LOOK_S))


async def next_changes(context: Context, cursor: Cursor, *, limit: int, wait_s: float) -> Changes:
    """Return the changes behind a cursor, waiting up to ``wait_s`` seconds for the first."""
    found = Changes([], cursor, more=False, unsettled=False)
    async with aclosing(follow(context, cursor, limit=limit, timeout_s=wait_s)) as pages:
        async for found in pages:
            if found.changes:
                break
    return found


def _change_of(row: AnyRow) -> Change:
    values = dict(row._mapping)
    cursor = Cursor(*(values.pop(name) for name in ("generation", "xid", "id")))
    return Change(cursor, ChangeKind(values.pop("kind")), values)
