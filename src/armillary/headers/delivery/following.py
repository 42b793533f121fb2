"""Waiting for announcements: of the feed, or of what a consumer has not taken."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable

from armillary.base.feed.reader import LOOK_S
from armillary.context import Context
from armillary.headers.delivery.models import HEADERS, Page

Read = Callable[[], Awaitable[Page]]


async def wait_for(context: Context, read: Read, wait_s: float) -> Page:
    """Return what ``read`` finds, waiting up to so many seconds for something."""
    end = time.monotonic() + wait_s
    async with context.signals.subscribe(HEADERS.channel) as news:
        while True:
            found = await read()
            left_s = end - time.monotonic()
            if found.headers or left_s <= 0:
                return found
            # What was written before a transaction that is still open is told by nobody when that ends.
            await news.wait(min(left_s, LOOK_S))


async def following(context: Context, read: Read) -> AsyncGenerator[Page, None]:
    """Yield what ``read`` finds for ever, an empty page at least every second."""
    async with context.signals.subscribe(HEADERS.channel) as news:
        while True:
            found = await read()
            yield found
            if not found.headers:
                await news.wait(LOOK_S)
