"""Server-sent events: what happens, while it happens, to clients that may lose the connection at any time."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse

from armillary.api.http.values import plain
from armillary.base.database_errors import is_transient
from armillary.base.log import get_logger

log = get_logger(__name__)
MEDIA_TYPE = "text/event-stream"
HEARTBEAT_S = 15.0
RETRY_MS = 1000

Event = tuple[str, str, Any]
"""The id to go on from, the type, and the data, which is a model or plain."""


def wants_events(request: Request) -> bool:
    """Tell whether the client asks for a stream."""
    return MEDIA_TYPE in request.headers.get("accept", "")


def stream(
    request: Request, batches: AsyncGenerator[Iterable[Event], None], *, first_id: str
) -> StreamingResponse:
    """Send batches of events until the client or the server goes away.

    ``batches`` yields an empty batch from time to time, when there is nothing to tell. The next one is asked
    for when the last is with the client, so one that stops reading costs one batch of memory.
    """
    return StreamingResponse(
        _sent(request, batches, first_id),
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _sent(
    request: Request, batches: AsyncGenerator[Iterable[Event], None], first_id: str
) -> AsyncIterator[str]:
    # An event without data is not dispatched, but its id is kept: a client that has seen nothing yet and comes
    # again goes on from here.
    yield f"retry: {RETRY_MS}\nid: {first_id}\n\n"
    spoke = time.monotonic()
    try:
        async with aclosing(batches):
            async for events in batches:
                if getattr(request.app.state, "closing", False):
                    return
                text = "".join(map(_text, events))
                if not text and time.monotonic() - spoke < HEARTBEAT_S:
                    continue
                yield text or ": still here\n\n"
                spoke = time.monotonic()
    except Exception as error:
        # The status is long sent; the client comes again and is told then.
        if not is_transient(error):
            log.error("stream broken off", path=request.url.path, exc_info=error)


def _text(event: Event) -> str:
    number, kind, data = event
    return f"id: {number}\nevent: {kind}\ndata: {json.dumps(plain(data))}\n\n"
