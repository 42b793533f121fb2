"""The feed of changes: everything that happened to versions since a cursor, page by page or as it happens."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterable
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.api.http.answers import Answer, answered, answers, streams
from armillary.api.http.calls import Call, Ctx
from armillary.api.http.events import MEDIA_TYPE, Event, stream, wants_events
from armillary.api.native.routing import NEGOTIATED, anybody, failures
from armillary.archive.changes import service as feed
from armillary.archive.changes.service import Change, ChangeKind
from armillary.archive.query import service as query
from armillary.base.clock import Instant
from armillary.base.feed.errors import BadFeedCursor, FeedCursorGone
from armillary.base.feed.models import BEGINNING, Cursor
from armillary.base.feed.reader import MAX_PAGE

router = APIRouter()
MAX_WAIT_S = 60.0
TRUNCATED = "Armillary-Truncated"
AT_ONCE = 500
"""Changes that one piece of a stream holds."""
_EXAMPLE: dict[str, Any] = {
    "changes": [
        {
            "cursor": "MS43NTEuMTI",
            "kind": "changed",
            "version": 12,
            "present": True,
            "canonical": True,
            "name": "N20260101S0001.fits",
            "path": "20260101",
            "filename": "N20260101S0001.fits.bz2",
            "origin": "edit",
            "previous": 11,
            "file_size": 4194304,
            "data_size": 8405760,
            "file_md5": None,
            "data_md5": None,
            "lastmod": "2026-01-01T05:00:00Z",
            "entrytime": "2026-01-01T05:00:01Z",
            "edits": [7],
        }
    ],
    "cursor": "MS43NTEuMTI",
    "more": False,
}
_EVENT = "id: MS43NTEuMTI\nevent: changed\ndata: {...}\n\n"


class ToldChange(Answer):
    """What happened to a version; what is not known of it any more is null."""

    cursor: Annotated[str, Meta(description="What to go on from behind this change.")]
    kind: ChangeKind
    version: int
    present: bool
    canonical: bool
    name: str
    path: str | None
    filename: str | None
    origin: str | None
    previous: int | None
    file_size: int | None
    data_size: int | None
    file_md5: str | None
    data_md5: str | None
    lastmod: Instant | None
    entrytime: Instant | None
    edits: Annotated[list[int], Meta(description="Ids of the edits that made the version.")]


class Changes(Answer):
    """Some changes in order, and where to go on."""

    changes: list[ToldChange]
    cursor: str
    more: Annotated[bool, Meta(description="Whether others follow already.")]


@router.get(
    "/v1/changes",
    dependencies=anybody,
    response_class=Response,
    responses=answers(Changes, _EXAMPLE, media=streams(MEDIA_TYPE, ToldChange, _EVENT))
    | failures(BadFeedCursor, FeedCursorGone),
)
async def changes(
    request: Request,
    ctx: Ctx,
    after: Annotated[
        str | None,
        Query(max_length=200, description="A cursor, or `now`; without it, from the oldest that is kept."),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1000,
    wait: Annotated[
        float, Query(ge=0, le=MAX_WAIT_S, allow_inf_nan=False, description="Seconds to wait for a change.")
    ] = 0,
    last_event_id: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Tell what happened to versions after a cursor, in order, nothing twice; as server-sent events if asked.

    A client keeps the `cursor` of the last answer, or the `id` of the last event, and goes on from there.
    `present` and `canonical` are as they were at the change; the rest is as it is known now, and null when the
    record of the version is gone. Where older changes are forgotten, an answer without `after` says so by
    `Armillary-Truncated: true`, and a cursor before them is refused (410): then ask `after=now`, list the files,
    and go on from that cursor.
    """
    streaming = wants_events(request)
    # A client that comes again says where it was; its address still holds where it began.
    start = last_event_id if streaming and last_event_id else after
    async with ctx.context.database.begin() as connection:
        cursor = await feed.position(connection, start)
    shown = {TRUNCATED: "true" if not start and cursor != BEGINNING else "false", **NEGOTIATED}
    if streaming:
        followed = stream(request, _events(ctx, cursor), first_id=cursor.token)
        followed.headers.update(shown)
        return followed
    read = feed.without(_unknown_to(ctx))
    found = await feed.next_changes(ctx.context, cursor, limit=limit, wait_s=wait, read=read)
    told = list(map(_told, found.entries))
    body = Changes(changes=told, cursor=found.cursor.token, more=found.more)
    return answered(body, headers={"Cache-Control": "no-store", **shown})


async def _events(call: Call, cursor: Cursor) -> AsyncGenerator[Iterable[Event], None]:
    read = feed.without(_unknown_to(call))
    async with aclosing(feed.follow(call.context, cursor, limit=AT_ONCE, read=read)) as pages:
        async for page in pages:
            yield [(one.cursor.token, str(one.kind), _told(one)) for one in page.entries]


def _unknown_to(call: Call) -> feed.Unknown:
    async def unknown(connection: AsyncConnection, files: Collection[int]) -> Collection[int]:
        # A stream lasts for days, so the day is not that of the call.
        return await query.unknown_among(connection, files, call.principal, call.context.clock.now().date())

    return unknown


def _told(change: Change) -> ToldChange:
    return ToldChange(cursor=change.cursor.token, kind=change.kind, **change.values)
