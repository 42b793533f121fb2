"""Reading the feed of changes when everything that was under way is told."""

from __future__ import annotations

import asyncio

from armillary.archive.changes import service as changes
from tests.support.archive import Archive

PATIENCE_S, LOOK_S = 60.0, 0.01


async def settled(archive: Archive) -> None:
    """Wait until every change can be seen: as long as one that began before is under way, it cannot."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if not await unsettled(archive):
                return
            await asyncio.sleep(LOOK_S)


async def unsettled(archive: Archive) -> bool:
    """Tell whether changes wait for other transactions to end."""
    async with archive.context.database.begin() as connection:
        start = await changes.beginning(connection)
        return (await changes.changes_after(connection, start, 1)).unsettled


async def told(
    archive: Archive, after: str | None = None, *, limit: int = 1000, at_once: bool = False
) -> list[changes.Change]:
    """Return what the feed holds behind a position, or ``at_once`` what can be seen of it."""
    if not at_once:
        await settled(archive)
    async with archive.context.database.begin() as connection:
        start = await changes.position(connection, after)
        return (await changes.changes_after(connection, start, limit)).entries


async def now(archive: Archive, *, at_once: bool = False) -> str:
    """Return the position behind the last change, or ``at_once`` behind the last that can be seen."""
    if not at_once:
        await settled(archive)
    async with archive.context.database.begin() as connection:
        return (await changes.position(connection, "now")).token
