"""Announcements of images to pages and programs that wait for them: server-sent events, and WebSocket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, suppress
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response, WebSocket
from starlette.websockets import WebSocketDisconnect

from armillary.access.models import Principal
from armillary.api.http.answers import Answer, streams
from armillary.api.http.calls import Call, Ctx
from armillary.api.http.events import MEDIA_TYPE, Event, stream
from armillary.api.native.routing import Word, anybody, failures
from armillary.archive.images import service as images
from armillary.base.feed.errors import BadFeedCursor, FeedCursorGone
from armillary.base.feed.models import Cursor, Entry
from armillary.context import Context

router = APIRouter()
SEND_S = 30.0
"""A follower that has not taken an announcement by then is dropped; it may come again and miss nothing."""
MAX_MESSAGE = 10_000
_EVENT = 'id: 12\nevent: imagedata\ndata: {"topic": "imagedata", "site": "saf", "data": {...}}\n\n'


class AnnouncedImage(Answer):
    """Which image it is; ``channel`` is the slot of an information image."""

    s3_directory: str
    base_filename: str
    site: str
    channel: int | None = None


class Announcement(Answer):
    """What happened, where, and to what."""

    topic: str
    site: str
    data: AnnouncedImage


class _Wanted:
    """What a follower wants to hear of: one site or all, some topics."""

    def __init__(self, site: str | None, topics: frozenset[str]) -> None:
        self.site, self.topics = site, topics

    def holds(self, entry: Entry) -> bool:
        """Tell whether an announcement is wanted."""
        return entry.payload["topic"] in self.topics and self.site in (None, entry.key)

    def change(self, message: str) -> None:
        """Take what a client says; what cannot be understood changes nothing."""
        if len(message) > MAX_MESSAGE:
            return
        with suppress(ValueError, TypeError, AttributeError, RecursionError):
            asked: dict[str, Any] = json.loads(message)["subscribe"]
            topics = asked.get("topics", ["imagedata"])
            site = asked.get("site")
            if (site is None or isinstance(site, str)) and isinstance(topics, list):
                self.site, self.topics = site, frozenset(map(str, topics))


@router.get(
    "/v1/stream",
    dependencies=anybody,
    response_class=Response,
    responses=streams(MEDIA_TYPE, Announcement, _EVENT) | failures(BadFeedCursor, FeedCursorGone),
)
async def announcements(
    request: Request,
    ctx: Ctx,
    site: Word = None,
    topic: Annotated[
        str, Query(max_length=200, description="The topics to follow, by commas.")
    ] = "imagedata",
    last_event_id: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Tell of images once queries find them, as server-sent events; `Last-Event-ID` leads on from the last one.

    Announcements are kept for two days.
    """
    async with ctx.context.database.begin() as connection:
        cursor = await images.position(connection, last_event_id)
    wanted = _Wanted(site, frozenset(topic.split(",")))
    first = str(images.number_of(cursor))
    return stream(request, _events(ctx, cursor, wanted), first_id=first)


async def _events(call: Call, cursor: Cursor, wanted: _Wanted) -> AsyncGenerator[Iterable[Event], None]:
    async with aclosing(images.follow(call.context, cursor, call.principal)) as pages:
        async for page in pages:
            yield [
                (str(images.number_of(one.cursor)), one.payload["topic"], one.payload)
                for one in page.entries
                if wanted.holds(one)
            ]


@router.websocket("/v1/ws", dependencies=anybody)
async def socket(connection: WebSocket, site: Word = None, topic: str = "imagedata") -> None:
    """Tell of images, one JSON object per message.

    `{"subscribe": {"site": "saf", "topics": ["imagedata"]}}` from the client changes what it is told.
    """
    context: Context = connection.app.state.context
    await connection.accept()
    async with context.database.begin() as database:
        cursor = await images.position(database, None)
    wanted = _Wanted(site, frozenset(topic.split(",")))
    telling = asyncio.create_task(_tell(connection, context, cursor, wanted))
    listening = asyncio.create_task(_listen(connection, wanted))
    try:
        await asyncio.wait({telling, listening}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (telling, listening):
            task.cancel()
        await asyncio.gather(telling, listening, return_exceptions=True)
    with suppress(RuntimeError, WebSocketDisconnect):
        await connection.close()


async def _listen(connection: WebSocket, wanted: _Wanted) -> None:
    with suppress(WebSocketDisconnect, KeyError):
        while True:
            wanted.change(await connection.receive_text())


async def _tell(connection: WebSocket, context: Context, cursor: Cursor, wanted: _Wanted) -> None:
    with suppress(WebSocketDisconnect, TimeoutError):
        viewer: Principal = connection.state.principal
        async with aclosing(images.follow(context, cursor, viewer)) as pages:
            async for page in pages:
                if getattr(connection.app.state, "closing", False):
                    return
                for one in filter(wanted.holds, page.entries):
                    await asyncio.wait_for(connection.send_text(json.dumps(one.payload)), SEND_S)
