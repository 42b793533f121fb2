"""Who of the workers lives: the orders of those that died need not wait for the end of their leases.

A worker holds two locks that end in the instant in which it does, however it ends: one of its session with
PostgreSQL, and one of the kernel (``presence``). Its orders are taken over early only when both are free: a
session ends as well when a server restarts or a network fails, while the process goes on writing. Where the kernel
cannot know, as of a worker on another machine, the lease decides.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from armillary.base.database import Database
from armillary.base.database_errors import is_transient
from armillary.base.log import get_logger
from armillary.base.work import presence, statements
from armillary.base.work.presence import Presence

log = get_logger(__name__)

LOOK_S = 1.0
"""How often workers look for those that died. It costs a look into a directory as long as there are none."""


class Attendance:
    """The attendance of one owner of leases, and what it knows of the others."""

    def __init__(self, database: Database, data: Path, owner: str) -> None:
        self._database, self._data = database, data
        self.ours = Presence(data, owner)
        self.missing: set[str] = set()
        """Owners that died with orders in their hands."""

    async def begin(self) -> None:
        """Be seen alive, before the first claim, and learn who is not."""
        try:
            await asyncio.to_thread(self.ours.take)
        except OSError as error:
            log.warning("no lock says that this worker lives; its leases do", error=str(error))
        await self.look()

    def end(self, *, holding: bool) -> None:
        """Be seen alive no longer; while ``holding`` orders, only when the process ends."""
        if not holding:
            self.ours.leave()

    async def look(self) -> None:
        """Learn who is missing."""
        try:
            if owners := await asyncio.to_thread(presence.ended, self._data):
                self.missing, others = await self._judged(owners)
                await asyncio.to_thread(presence.forget, self._data, others)
        except Exception as error:
            # Whoever is missing will be so at the next look.
            log.warning("missing workers not found", error=str(error), exc_info=not is_transient(error))

    async def _judged(self, owners: list[str]) -> tuple[set[str], set[str]]:
        """Return those of the owners that have no session any more: with orders, and without."""
        async with self._database.raw() as connection:
            gone = {row["owner"] for row in await connection.fetch(statements.GONE, owners)}
            # Afterwards, because a session that has ended claims nothing more.
            rows = await connection.fetch(statements.HOLDING, list(gone))
        holding = {row["owner"] for row in rows}
        return holding, gone - holding

    async def watch(self, news: asyncio.Event) -> None:
        """Look again and again, and tell when somebody is missing."""
        await asyncio.sleep(LOOK_S)
        with suppress(OSError):
            await asyncio.to_thread(self.ours.harden)
        while True:
            await self.look()
            if self.missing:
                news.set()
            await asyncio.sleep(LOOK_S)
