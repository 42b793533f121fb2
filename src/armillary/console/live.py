"""That something happened, told to open pages while it happens; what it was they ask for themselves.

So no event needs a rule about who may see it, and a page that was cut off misses nothing: it asks again.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack

from fastapi import APIRouter, Request, Response

from armillary.api.http.calls import Call, Ctx
from armillary.api.http.events import Event, stream
from armillary.archive.changes.service import VERSIONS
from armillary.base.signals import Subscription
from armillary.base.work.statements import DONE_CHANNEL, QUEUED_CHANNEL
from armillary.console.routing import anybody
from armillary.errors import BadRequest

router = APIRouter()
CHANNELS = {"frames": (VERSIONS.channel,), "work": (QUEUED_CHANNEL, DONE_CHANNEL)}
"""What pages can wait for, and the signals that tell of it."""
PAUSE_S = 0.5
"""However much happens, a page asks anew at most twice a second."""
LOOK_S = 1.0


@router.get("/live", dependencies=anybody)
async def live(request: Request, ctx: Ctx, on: str = "frames") -> Response:
    """Tell as server-sent events that frames came or orders moved; `on` names them, with commas between."""
    kinds = on.split(",")
    if unknown := set(kinds) - set(CHANNELS):
        raise BadRequest(
            f"There is nothing called '{min(unknown)[:50]}' to wait for; use {', '.join(CHANNELS)}."
        )
    return stream(request, _events(ctx, kinds), first_id="0")


async def _events(ctx: Call, kinds: Iterable[str]) -> AsyncGenerator[Iterable[Event], None]:
    numbers = itertools.count(1)
    async with AsyncExitStack() as stack:
        news: dict[str, list[Subscription]] = {
            kind: [
                await stack.enter_async_context(ctx.context.signals.subscribe(one)) for one in CHANNELS[kind]
            ]
            for kind in kinds
        }
        # What happened between the page, or the stream before this one, and now was told to nobody.
        happened = sorted(set(kinds))
        while True:
            yield [(str(number), kind, {}) for kind, number in zip(happened, numbers, strict=False)]
            if happened:
                await asyncio.sleep(PAUSE_S)
            happened = await _happened(news)


async def _happened(news: dict[str, list[Subscription]]) -> list[str]:
    """Return the kinds of which something happened, waiting for one; none after a while."""
    waiting = {asyncio.create_task(one.wait(LOOK_S)): kind for kind, all_of in news.items() for one in all_of}
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
    return sorted({waiting[task] for task in done if task.result()})
