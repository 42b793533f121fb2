"""Workers beside the one of a process: for kinds of work that wait for others, and should keep nobody waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from armillary.base.work.kinds import C
from armillary.base.work.worker import Worker

GRACE_S = 5.0
"""How long what is under way may go on when the process is to stop."""


async def serve_beside(
    workers: Sequence[Worker[C]], stop: asyncio.Event, *, grace_s: float = GRACE_S
) -> None:
    """Let workers work until told to stop; what takes long then is left to its lease."""
    serving = [asyncio.create_task(worker.run(stop)) for worker in workers]
    if not serving:
        return
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({stopping, *serving}, return_when=asyncio.FIRST_COMPLETED)
        ended, _ = await asyncio.wait(serving, timeout=grace_s)
        for one in ended:
            one.result()
    finally:
        for task in (stopping, *serving):
            task.cancel()
        await asyncio.gather(stopping, *serving, return_exceptions=True)
