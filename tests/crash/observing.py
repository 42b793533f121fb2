"""Three instruments expose while services, workers, sessions and the database are killed."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from armillary.base.bus.models import Sample
from armillary.base.database import Role
from armillary.context import Context, open_context
from armillary.demo.telemetry import simulate
from armillary.headers import service
from armillary.headers.recipes.service import reference_directory
from armillary.settings import Settings
from tests.crash.tree import QUICK
from tests.support.kills import kill
from tests.support.nursery import SERVICE, Nursery
from tests.support.patience import in_time, insist
from tests.support.premade import prepare

Nights = Mapping[str, Sequence[Sample]]
PATIENCE_S = 1200.0
EXPOSURES = {"spec1": 500, "cam9": 300, "cam205": 200}
"""Of the three instruments in a night, during which services are killed."""
PAUSE_S = (0.1, 0.7)
"""Between two kills."""
NEAR_NS = 3_000_000_000
"""Readings that are no nearer to an event of an image are left out, since no header looks at them."""
BUSY = frozenset({"mount", "target_status", "encoders"})
UNDER_WAY = frozenset(
    {"start_integration", "shutter_opened", "shutter_closed", "start_readout", "end_readout"}
)
"""Events behind which an exposure has begun and is not ended."""
VICTIMS = {"service": 16, "worker": 2, "sessions": 3, "postmaster": 1}
"""Who is killed, and how often as compared with others: a database that recovers keeps everybody waiting."""
LATE, EVERY = "late", "every"
"""Consumers that begin when all is over: one takes the latest revision of each image, one every revision."""
STANDING = """
SELECT instrument, state, count(*) FROM exposure WHERE state NOT IN ('PUBLISHED', 'ABORTED') GROUP BY 1, 2
"""
SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE usename = current_user AND pid <> pg_backend_pid()
"""


def nights_of(exposures: Mapping[str, int], seed: int) -> Nights:
    """Simulate what is said of each instrument in a night of so many exposures, thinned out."""
    return {name: _thinned(name, count, seed) for name, count in exposures.items()}


def _thinned(instrument: str, count: int, seed: int) -> list[Sample]:
    samples = [one.sample for one in simulate(instrument, seed, count).samples()]
    events = sorted(one.t_event or 0 for one in samples if "image_id" in one.payload)
    found, place = [], 0
    for one in samples:
        t = one.t_event or 0
        while place < len(events) and events[place] < t - NEAR_NS:
            place += 1
        if one.topic not in BUSY or any(abs(t - event) <= NEAR_NS for event in events[place : place + 1]):
            found.append(one)
    return found


@dataclass
class Scene:
    """An archive with services that may be killed, and what was killed while exposures were where."""

    context: Context
    nursery: Nursery
    instruments: Sequence[str]
    chance: random.Random
    alive: dict[str, int] = field(default_factory=dict)
    killed: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    between: int = 0
    left: list[str] = field(default_factory=list)
    """Services that ended by themselves, as none may."""
    end: float = field(default_factory=lambda: time.monotonic() + PATIENCE_S)

    async def rows(self, query: str, *values: object) -> list[Any]:
        """Return what a query finds."""

        async def ask() -> list[Any]:
            async with self.context.database.begin() as connection:
                return list((await connection.exec_driver_sql(query, values)).all())

        return await insist(ask, self.end)

    async def start(self, name: str) -> None:
        """Start a service or a worker, in the place of one that was killed or for the first time."""
        self.alive[name] = await asyncio.to_thread(self.nursery.spawn, name)

    async def begin(self) -> None:
        """Start everybody and enable all services."""
        async with self.context.database.begin() as connection:
            for consumer in (LATE, EVERY):
                await service.register(connection, consumer, None, "earliest")
        for instrument in self.instruments:
            await self.start(f"{SERVICE} {instrument}")
        for instrument in self.instruments:
            await service.enable(self.context, instrument, actor="a test")

    async def expose(self, nights: Nights, *, kills: int = 0) -> None:
        """Publish what all instruments say while so many kills happen, which are spread over the night."""
        striking = asyncio.create_task(self._strike(kills))
        try:
            await asyncio.gather(*(self._publish(one, kills) for one in nights.values()))
            await striking
        finally:
            striking.cancel()

    async def _publish(self, samples: Sequence[Sample], kills: int) -> None:
        """Publish the samples of an instrument in order, an event of an image at a time."""
        batch: list[Sample] = []
        for number, one in enumerate(samples, 1):
            batch.append(one)
            if "image_id" in one.payload or len(batch) == 500 or number == len(samples):
                await insist(partial(self.context.bus.publish, batch), self.end)
                batch = []
                # It is waited for kills where they meet an exposure that is under way.
                while one.topic in UNDER_WAY and self.killed.total() < kills * number / len(samples) - 1:
                    in_time(self.end, "a kill")
                    await asyncio.sleep(0.02)

    async def _strike(self, kills: int) -> None:
        if kills:
            await self.start("worker")
        while self.killed.total() < kills:
            await asyncio.sleep(self.chance.uniform(*PAUSE_S))
            (kind,) = self.chance.choices(list(VICTIMS), list(VICTIMS.values()))
            victim = self.chance.choice(self.instruments) if kind == "service" else None
            standing = [row for row in await self.rows(STANDING) if victim in (None, row.instrument)]
            if await self._kill(kind, victim):
                self.killed[kind] += 1
                self.between += bool(standing)
                self.states.update({row.state: row.count for row in standing} or {"none": 1})

    async def _kill(self, kind: str, instrument: str | None) -> bool:
        match kind:
            case "sessions":
                await self.rows(SESSIONS)
                return True
            case "postmaster":
                pid = (self.context.settings.data / "postgres" / "cluster" / "postmaster.pid").read_text()
                done = kill(int(pid.split()[0]))
                await self.rows("SELECT 1")
                return done
        name = f"{SERVICE} {instrument}" if instrument else kind
        done = kill(self.alive[name])
        if instrument and not done:
            self.left.append(name)
        await self.start(name)
        return done

    def told(self) -> str:
        """Return what was killed, and in which states exposures were then."""
        counted = ", ".join(f"{state} {count}" for state, count in sorted(self.states.items()))
        killed = ", ".join(f"{kind} {count}" for kind, count in sorted(self.killed.items()))
        return (
            f"{self.killed.total()} kills ({killed}), {self.between} of them between a start and its"
            f" announcement; exposures stood at: {counted}"
        )


@asynccontextmanager
async def a_scene(directory: Path, instruments: Sequence[str], seed: int) -> AsyncIterator[Scene]:
    """Open an archive with instruments whose headers settle within two seconds."""
    data, configured = directory / "data", directory / "headers"
    for source in reference_directory().rglob("*.yaml"):
        target = configured / source.relative_to(reference_directory())
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source.read_text().replace("d2: 60s", "d2: 2s"))
    environment = {**QUICK, "ARMILLARY_HEADERS__DIRECTORY": str(configured), "ARMILLARY_LOG": "ERROR"}
    settings = Settings(data=prepare(data), database={"account": QUICK["ARMILLARY_DATABASE__ACCOUNT"]})
    async with open_context(settings, Role.WORKER, application="armillary test") as context:
        nursery = Nursery(data, environment)
        try:
            scene = Scene(context, nursery, instruments, random.Random(seed))
            await scene.begin()
            yield scene
        finally:
            nursery.close()
