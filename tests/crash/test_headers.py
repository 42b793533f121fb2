"""Three instruments expose while services, workers and the database are killed: every header as if nobody had.

The same samples go to two archives, of which one is left alone. In the end both have the same headers, and a
consumer that comes then is given each of them once.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from armillary.base.bus.models import Sample
from armillary.base.database import Role
from armillary.base.database_errors import is_transient
from armillary.base.feed.models import Cursor
from armillary.context import Context, open_context
from armillary.demo.telemetry import simulate
from armillary.headers import service
from armillary.headers.delivery.models import HeaderCreated
from armillary.headers.recipes.service import reference_directory
from armillary.headers.render.fitsfile import fits_bytes
from armillary.headers.render.models import Header
from armillary.settings import Settings
from tests.crash.tree import QUICK
from tests.support.nursery import SERVICE, Nursery
from tests.support.patience import in_time

T = TypeVar("T")
EXPOSURES = {"spec1": 60, "cam9": 40, "cam205": 60}
KILLS, BETWEEN, SEED = 100, 60, 20261130
PATIENCE_S = 1200.0
NEAR = 3_000_000_000
"""Readings that are no nearer to an event of an image are left out, since no header looks at them."""
BUSY = frozenset({"mount", "target_status", "encoders"})
VICTIMS = {"service": 16, "worker": 2, "sessions": 3, "postmaster": 1}
"""Who is killed, and how often as compared with others: a database that recovers keeps everybody waiting."""
HEADERS = """
SELECT r.instrument, r.image_id FROM header_revision AS r WHERE r.revision = 1 ORDER BY 1, 2
"""
STATES = """
SELECT state, count(*) FROM exposure WHERE state NOT IN ('PUBLISHED', 'ABORTED') GROUP BY state
"""
LEFT = "SELECT count(*) FROM exposure WHERE due IS NOT NULL OR state <> 'PUBLISHED'"


@pytest.fixture(scope="module")
def nights() -> dict[str, list[Sample]]:
    """Simulate what is said of each instrument, thinned out."""
    return {name: _thinned(name, count) for name, count in EXPOSURES.items()}


def _thinned(instrument: str, count: int) -> list[Sample]:
    samples = [one.sample for one in simulate(instrument, SEED, count).samples()]
    # The epoch tells instruments apart where they hear of the same device.
    named = [msgspec.structs.replace(one, epoch=f"{instrument} {one.epoch}") for one in samples]
    events = sorted(one.t_event or 0 for one in named if "image_id" in one.payload)
    found, place = [], 0
    for one in named:
        t = one.t_event or 0
        while place < len(events) and events[place] < t - NEAR:
            place += 1
        if one.topic not in BUSY or any(abs(t - event) <= NEAR for event in events[place : place + 40]):
            found.append(one)
    return found


@dataclass
class Scene:
    """An archive with services that may be killed, and what was killed while exposures were where."""

    context: Context
    nursery: Nursery
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))
    alive: dict[str, int] = field(default_factory=dict)
    killed: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    between: int = 0
    end: float = field(default_factory=lambda: time.monotonic() + PATIENCE_S)

    async def insist(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do something until the database lets it happen."""
        while True:
            try:
                return await act()
            except Exception as error:
                if not is_transient(error):
                    raise
            in_time(self.end, act)
            await asyncio.sleep(0.05)

    async def rows(self, query: str, *values: object) -> list[Any]:
        """Return what a query finds."""

        async def ask() -> list[Any]:
            async with self.context.database.begin() as connection:
                return list((await connection.exec_driver_sql(query, values)).all())

        return await self.insist(ask)

    async def start(self, name: str) -> None:
        """Start a service or a worker, in the place of one that was killed or for the first time."""
        self.alive[name] = await asyncio.to_thread(self.nursery.spawn, name)

    async def begin(self) -> None:
        """Start everybody and enable all services."""
        for instrument in EXPOSURES:
            await self.start(f"{SERVICE} {instrument}")
        for instrument in EXPOSURES:
            await service.enable(self.context, instrument, actor="a test")

    async def publish(self, samples: Sequence[Sample], pace: Callable[[float], Awaitable[None]]) -> None:
        """Publish the samples of an instrument in order, an event of an image at a time."""
        batch: list[Sample] = []
        for number, one in enumerate(samples, 1):
            batch.append(one)
            if "image_id" in one.payload or len(batch) == 500 or number == len(samples):
                sent, batch = batch, []

                async def send(sent: list[Sample] = sent) -> None:
                    await self.context.bus.publish(sent)

                await self.insist(send)
                await pace(number / len(samples))

    async def keep_pace(self, done: float) -> None:
        """Wait until as large a part of the kills has happened as of the samples is published."""
        while self.killed.total() < KILLS * done - 1:
            in_time(self.end, "a kill")
            await asyncio.sleep(0.02)

    async def strike(self) -> None:
        """Kill somebody again and again."""
        await self.start("worker")
        while self.killed.total() < KILLS:
            await asyncio.sleep(self.chance.uniform(0.1, 1.2))
            (victim,) = self.chance.choices(list(VICTIMS), list(VICTIMS.values()))
            standing = dict(tuple(row) for row in await self.rows(STATES))
            await self._kill(victim)
            self.killed[victim] += 1
            self.between += bool(standing)
            self.states.update(standing or {"none": 1})

    async def _kill(self, victim: str) -> None:
        match victim:
            case "sessions":
                query = """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE usename = current_user AND pid <> pg_backend_pid()
                """
                await self.rows(query)
            case "postmaster":
                pid = (self.context.settings.data / "postgres" / "cluster" / "postmaster.pid").read_text()
                os.kill(int(pid.split()[0]), signal.SIGKILL)
                await self.rows("SELECT 1")
            case "worker":
                os.kill(self.alive["worker"], signal.SIGKILL)
                await self.start("worker")
            case _:
                name = f"{SERVICE} {self.chance.choice(list(EXPOSURES))}"
                os.kill(self.alive[name], signal.SIGKILL)
                await self.start(name)

    async def finish(self) -> dict[tuple[str, str], tuple[str, bytes]]:
        """Wait until nothing is due any more, and return hash and bytes of the latest header of each image."""
        while (await self.rows(LEFT))[0][0] or len(await self.rows(HEADERS)) < sum(EXPOSURES.values()):
            in_time(self.end, await self.rows(STATES))
            await asyncio.sleep(0.2)
        found = {}
        for instrument, image in await self.rows(HEADERS):
            header = await service.get(self.context, instrument, image)
            found[instrument, image] = (header.content_hash, _bytes_of(header))
        return found

    async def delivered(self) -> list[tuple[str, str]]:
        """Return which images a consumer is given that was registered before all of them, page by page."""
        found: list[tuple[str, str]] = []
        while True:
            async with self.context.database.begin() as connection:
                page = await service.pending(connection, "late", limit=17, collapse=True)
                if not page.headers:
                    return found
                await service.take_up_to(connection, "late", Cursor.parse(page.cursor))
            found += [
                (one.instrument, one.image_id) for one in page.headers if isinstance(one, HeaderCreated)
            ]


def _bytes_of(header: Header) -> bytes:
    """Return the file of a header but for what every revision has for itself."""
    hdus = [
        msgspec.structs.replace(
            hdu,
            cards=[
                msgspec.structs.replace(card, value=None) if card.key in header.volatile else card
                for card in hdu.cards
            ],
        )
        for hdu in header.hdus
    ]
    return fits_bytes(msgspec.structs.replace(header, hdus=hdus, created=0))


@asynccontextmanager
async def a_scene(directory: Path) -> AsyncIterator[Scene]:
    """Open an archive with three instruments whose headers settle within two seconds."""
    data, configured = directory / "data", directory / "headers"
    for source in reference_directory().rglob("*.yaml"):
        target = configured / source.relative_to(reference_directory())
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source.read_text().replace("d2: 60s", "d2: 2s"))
    environment = {**QUICK, "ARMILLARY_HEADERS__DIRECTORY": str(configured), "ARMILLARY_LOG": "ERROR"}
    settings = Settings(data=data, database={"account": QUICK["ARMILLARY_DATABASE__ACCOUNT"]})
    async with open_context(settings, Role.WORKER, application="armillary test") as context:
        nursery = Nursery(data, environment)
        try:
            async with context.database.begin() as connection:
                await service.register(connection, "late", None, "earliest")
            scene = Scene(context, nursery)
            await scene.begin()
            yield scene
        finally:
            nursery.close()


async def _at_once(_done: float) -> None:
    await asyncio.sleep(0)


@pytest.mark.crash
async def test_no_kill_loses_or_changes_a_header(nights: dict[str, list[Sample]], tmp_path: Path) -> None:
    async with a_scene(tmp_path / "calm") as calm:
        await asyncio.gather(*(calm.publish(one, _at_once) for one in nights.values()))
        expected = await calm.finish()
    async with a_scene(tmp_path / "storm") as storm:
        striking = asyncio.create_task(storm.strike())
        await asyncio.gather(*(storm.publish(one, storm.keep_pace) for one in nights.values()))
        await striking
        found = await storm.finish()
        delivered = await storm.delivered()
    counted = ", ".join(f"{state} {count}" for state, count in sorted(storm.states.items()))
    sys.stdout.write(f"{dict(storm.killed)} killed; {storm.between} with exposures open: {counted}\n")
    assert storm.killed.total() >= KILLS
    assert storm.between >= BETWEEN
    assert found.keys() == expected.keys()
    assert [image for image in found if found[image] != expected[image]] == []
    assert Counter(delivered) == Counter(found.keys())
