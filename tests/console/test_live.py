"""What pages are told while they are open."""

from __future__ import annotations

import contextlib

from armillary.access.models import ANYBODY
from armillary.api.http.calls import Call
from armillary.console.live import _events
from armillary.context import Context


async def test_a_stream_begins_with_what_nobody_was_told(web: Context) -> None:
    call = Call(web, ANYBODY, web.clock.now().date(), "")
    async with contextlib.aclosing(_events(call, ["work", "frames"])) as events:
        heard = [kind for _, kind, _ in await anext(events)]
    assert heard == ["frames", "work"]
