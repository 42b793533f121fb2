"""Kill processes of a working tree at random instants, then look whether every promise was kept."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from armillary.access.models import Scope
from armillary.access.service import create_token
from armillary.archive.intake import bulk
from armillary.base.database import Role
from armillary.base.database_errors import is_transient
from armillary.base.work import wait_for
from armillary.context import Context, open_context
from armillary.settings import Settings
from tests.crash.clients import Clients
from tests.crash.judgement import judge, rows
from tests.crash.night import Night, make_night
from tests.crash.tree import QUICK, Tree
from tests.support.kills import kill
from tests.support.nursery import Nursery

LIVES = 3
SETTLE_S = 900.0
ACCIDENTS = {"serve": 4, "worker": 5, "postmaster": 3, "supervisor": 2, "up": 2, "all": 3}


@dataclass
class Siege:
    """A tree, its clients, and what happens to it."""

    directory: Path
    kills: int
    seed: int
    settings: Mapping[str, str] = field(default_factory=lambda: QUICK)
    killed: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.tree = Tree(self.directory / "data", log=self.directory / "up.log", settings=self.settings)
        # Every kind happens, then chance decides.
        self._due = list(ACCIDENTS)
        self.chance.shuffle(self._due)

    async def run(self) -> list[str]:
        """Return every broken promise of a storm of kills."""
        return await self.run_with(Siege._storm)

    async def run_with(self, disaster: Callable[[Siege, Clients], Awaitable[None]]) -> list[str]:
        """Return every broken promise after a disaster."""
        night = self.night = make_night(self.directory)
        drop = self.directory / "drop"
        drop.mkdir()
        await asyncio.to_thread(self.tree.start)
        try:
            async with open_context(self._settings(), Role.WORKER, application="armillary siege") as context:
                self.context = context
                await self._take_in(context, night)
                clients = await self._clients(context, tuple(night.contents))
                await self._beset(context, clients, drop, disaster)
                await self._settle(context)
                broken = clients.faults + await judge(context, night, clients.promises)
                await self._report(context, clients)
            await asyncio.to_thread(self.tree.stop)
            await asyncio.to_thread(self.tree.await_rest)
            return broken
        finally:
            self.tree.clear()

    def _settings(self) -> Settings:
        prefix = "ARMILLARY_WORK__"
        work = {k.removeprefix(prefix).lower(): v for k, v in self.tree.environment.items() if prefix in k}
        database = {"account": self.tree.environment["ARMILLARY_DATABASE__ACCOUNT"]}
        return Settings.model_validate({"data": self.tree.data, "work": work, "database": database})

    async def _take_in(self, context: Context, night: Night) -> None:
        for path, in_place in ((night.private, True), (night.adopted, False)):
            run = await bulk.submit_paths(context, [path], copy=False, force=False, in_place=in_place)
            await wait_for(context.database, context.signals, list(run.orders), SETTLE_S)

    async def _clients(self, context: Context, names: tuple[str, ...]) -> Clients:
        async with context.database.begin() as connection:
            scopes = (Scope.EDIT, Scope.UPLOAD)
            secret = await create_token(connection, "siege", scopes, now=context.clock.now())
        return Clients(self.tree, secret, self.chance, names)

    async def _beset(
        self,
        context: Context,
        clients: Clients,
        drop: Path,
        disaster: Callable[[Siege, Clients], Awaitable[None]],
    ) -> None:
        visitors = [asyncio.create_task(clients.run(clients.edit)) for _ in range(2)]
        visitors.append(asyncio.create_task(clients.run(clients.upload, pause_s=0.3)))
        visitors.append(asyncio.create_task(clients.ingest(context, drop)))
        try:
            await disaster(self, clients)
        finally:
            clients.stop.set()
            await asyncio.gather(*visitors)

    async def _storm(self, _clients: Clients) -> None:
        nursery = Nursery(self.tree.data, self.tree.environment)
        try:
            disasters = asyncio.create_task(self._accidents())
            await asyncio.gather(*(self._short_lives(nursery, number) for number in range(LIVES)))
            await disasters
        finally:
            nursery.close()

    def _goes_on(self) -> bool:
        return bool(self._due) or self.killed.total() < self.kills

    async def _short_lives(self, nursery: Nursery, number: int) -> None:
        while self._goes_on():
            pid = await asyncio.to_thread(nursery.spawn, f"life-{number}")
            await asyncio.sleep(self.chance.uniform(0.1, 1.4))
            self.killed["short life"] += kill(pid)

    async def _accidents(self) -> None:
        while self._goes_on():
            await asyncio.sleep(self.chance.uniform(0.5, 3.0))
            kind = self._due.pop() if self._due else self._any_kind()
            if kind == "all":
                self.killed["member of a whole tree"] += await self.tree.kill_all()
            else:
                self.killed[kind] += await self.tree.kill_one(kind)

    def _any_kind(self) -> str:
        return self.chance.choices(list(ACCIDENTS), list(ACCIDENTS.values()))[0]

    async def _settle(self, context: Context) -> None:
        end = time.monotonic() + SETTLE_S
        while time.monotonic() < end:
            query = "SELECT count(*) FROM work_order WHERE state IN ('Queued', 'Started')"
            try:
                if (await rows(context, query))[0][0] == 0:
                    return
            except Exception as error:
                if not is_transient(error):
                    raise
            await asyncio.sleep(0.1)

    async def _report(self, context: Context, clients: Clients) -> None:
        made = clients.promises
        ends = await rows(context, "SELECT kind, state, count(*) FROM work_order GROUP BY 1, 2 ORDER BY 1, 2")
        print(f"seed {self.seed}; kills {self.killed.total()}: {dict(self.killed)}")
        print(
            f"accepted: {len(made.items)} edits, {len(made.uploads)} uploads, {len(made.ingests)} ingests;"
            f" {made.unanswered} requests without answer, {made.unavailable} refused"
        )
        print("orders: " + ", ".join(f"{row['kind']} {row['state']} {row['count']}" for row in ends))
