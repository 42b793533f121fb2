"""How long received bytes wait in the staging area: until a worker has moved them into the store."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterable

from armillary.base.place import STAGING
from armillary.base.store import staging
from armillary.base.store.staging import PARTIAL, Staged, discard, idle_times
from armillary.base.work import admin
from armillary.context import Context

INGEST_UPLOAD = "ingest_upload"
DAY_S = 86_400.0
ABANDONED_S, KEPT_S = DAY_S, 14 * DAY_S
"""How long an upload that broke off stays, and one whose order failed, or is not known any more."""
UNCLAIMED_S = {"Queued": math.inf, "Started": math.inf, "Failed": KEPT_S, "Completed": 0.0}


async def stage(context: Context, chunks: AsyncIterable[bytes], *, declared: int | None) -> Staged:
    """Write received bytes to the staging area of an archive; an aborted upload leaves nothing.

    Raises
    ------
    UploadTooLarge, UploadIncomplete
        If there are too many bytes, or fewer than declared.
    """
    area, limit = context.settings.data / STAGING, context.settings.archive.max_upload
    return await staging.stage(area, chunks, declared=declared, limit=limit)


async def sweep_staging(context: Context) -> int:
    """Remove from the staging area what nobody waits for; return how many files.

    Uploads that broke off, and complete ones that are in the store. One whose order failed stays for two
    weeks, so that its bytes are not lost, even if the order is forgotten earlier.
    """
    area = context.settings.data / STAGING
    idle_s = await asyncio.to_thread(idle_times, area)
    async with context.database.begin() as connection:
        states = await admin.states_by_argument(connection, INGEST_UPLOAD, "staged", idle_s)
    idle = [name for name, seconds in idle_s.items() if seconds > _patience_s(name, states.get(name))]
    return sum(discard(area, name) for name in idle)


def _patience_s(name: str, state: str | None) -> float:
    if name.endswith(PARTIAL):
        return ABANDONED_S
    return UNCLAIMED_S.get(state or "", KEPT_S)
