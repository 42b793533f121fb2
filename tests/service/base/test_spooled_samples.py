"""Samples outlive a database that goes away: they wait on disk, and are stored in order when it is back."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from armillary.base.bus.engine import PostgresBus
from armillary.base.bus.errors import BusUnavailable
from armillary.base.bus.models import Published, Sample, Start
from armillary.base.bus.spool import SUFFIX, Spool, orphans
from armillary.base.bus.spooling import SpooledBus, spooled, take_over
from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from armillary.base.signals import PostgresSignals
from armillary.sky.instants import tai_of_datetime
from tests.support.clock import FakeClock
from tests.support.patience import in_time
from tests.support.postgres import fresh_database
from tests.support.relays import Relay, relayed

PATIENCE_S, AWAY_S = 300.0, 0.2
LIMIT = 1 << 20


@dataclass
class Away:
    """A bus whose database goes away when a test says so."""

    bus: PostgresBus
    relay: Relay
    clock: FakeClock
    directory: Path

    def files(self) -> list[Path]:
        """Return what waits on disk."""
        return [path for path in self.directory.glob(f"*{SUFFIX}") if path.stat().st_size]

    async def stored(self, count: int) -> list[Sample]:
        """Return so many samples in the order in which they were stored."""
        found: list[Sample] = []
        async with asyncio.timeout(PATIENCE_S):
            async with aclosing(self.bus.subscribe(start=Start(at="earliest"))) as lists:
                async for some in lists:
                    found += some
                    if len(found) >= count:
                        return found
        raise AssertionError("the subscription ended")


@pytest.fixture
async def away(postgres: EmbeddedServer, tmp_path: Path) -> AsyncIterator[Away]:
    clock = FakeClock(datetime.now(UTC))
    socket = Path(str(postgres.dsn.host)) / f".s.PGSQL.{postgres.dsn.port}"
    async with fresh_database(postgres) as name, relayed(socket) as relay:
        dsn = f"postgresql://{Role.WORKER}@127.0.0.1:{relay.port}/{name}"
        database = await Database.connect(dsn, Role.WORKER, name=name, pool_size=4, away_s=AWAY_S)
        signals = PostgresSignals(database)
        bus = PostgresBus(database, signals, clock, tai=tai_of_datetime, max_payload=10_000, skew_ns=10**10)
        yield Away(bus, relay, clock, tmp_path / "spool")
        await signals.close()
        await database.close()


def a_sample(seq: int, **payload: object) -> Sample:
    return Sample("camera", "state", "boot", seq, {"value": seq, **payload})


async def waiting(bus: SpooledBus, *numbers: int) -> None:
    assert await bus.publish([a_sample(one) for one in numbers]) == Published(spooled=len(numbers))


async def test_samples_wait_on_disk_and_are_stored_in_order(away: Away) -> None:
    async with spooled(away.bus, away.directory, limit=LIMIT) as bus:
        assert len((await bus.publish([a_sample(0)])).offsets) == 1
        assert away.files() == []
        await away.relay.close()
        then = tai_of_datetime(away.clock.now())
        for number in range(1, 1201, 100):
            await waiting(bus, *range(number, number + 100))
        assert len(away.files()) == 1
        away.clock.advance(3600)
        await away.relay.open()
        found = await away.stored(1201)
        assert [one.seq for one in found] == list(range(1201))
        last = found[-1]
        assert (last.t_event, getattr(last, "t_received", None)) == (then, then)
        end = time.monotonic() + PATIENCE_S
        while away.files():
            in_time(end, away.files())
            await asyncio.sleep(0.01)
        # The next ones go the straight way again.
        assert len((await bus.publish([a_sample(5000)])).offsets) == 1
    assert list(away.directory.glob("*")) == []


async def test_what_the_dead_left_is_stored_by_others(away: Away) -> None:
    for numbers in (range(3), range(3, 5)):
        left = Spool(away.directory, LIMIT)
        rows, _, _ = await away.bus.judged([a_sample(one, nan=float("nan")) for one in numbers])
        left.append(rows)
        left.close()
    first, _ = sorted(away.files())
    with first.open("ab") as file:
        file.write(b'["camera","state","boot",99,"telem')
    assert await take_over(away.bus, away.directory) == 5
    found = await away.stored(5)
    assert [one.seq for one in found] == list(range(5))
    assert all(str(one.payload["nan"]) == "nan" for one in found)
    assert list(away.directory.glob("*")) == []
    assert await take_over(away.bus, away.directory) == 0


async def test_what_the_living_keep_is_left_to_them(away: Away) -> None:
    async with spooled(away.bus, away.directory, limit=LIMIT) as bus:
        await away.relay.close()
        await waiting(bus, 1)
        assert list(orphans(away.directory)) == []
    # It ended while the database was away.
    assert len(away.files()) == 1
    await away.relay.open()
    async with spooled(away.bus, away.directory, limit=LIMIT):
        assert [one.seq for one in await away.stored(1)] == [1]


async def test_what_is_stored_already_is_stored_once(away: Away) -> None:
    await away.bus.publish([a_sample(1)])
    async with spooled(away.bus, away.directory, limit=LIMIT) as bus:
        await away.relay.close()
        await waiting(bus, 1, 2)
        await away.relay.open()
        assert [one.seq for one in await away.stored(2)] == [1, 2]


async def test_samples_are_refused_when_there_is_no_room(away: Away) -> None:
    async with spooled(away.bus, away.directory, limit=300) as bus:
        await away.relay.close()
        await waiting(bus, 1)
        with pytest.raises(BusUnavailable):
            await bus.publish([a_sample(one) for one in range(2, 10)])
        await waiting(bus, 2)
        await away.relay.open()
        assert [one.seq for one in await away.stored(2)] == [1, 2]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
async def test_a_full_disk_is_told(away: Away, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        with Path("/dev/full").open("wb", buffering=0) as file:
            return file.write(b"x")

    async with spooled(away.bus, away.directory, limit=LIMIT) as bus:
        await away.relay.close()
        await waiting(bus, 1)
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", full)
            with pytest.raises(BusUnavailable):
                await bus.publish([a_sample(2)])
        await waiting(bus, 3)
        await away.relay.open()
        assert [one.seq for one in await away.stored(2)] == [1, 3]


async def test_health_tells_what_waits(away: Away) -> None:
    async with spooled(away.bus, away.directory, limit=LIMIT) as bus:
        assert (await bus.health()).spooled_bytes == 0
        await away.relay.close()
        await waiting(bus, 1)
        assert (await bus.health()).spooled_bytes > 0


async def test_a_follower_outlives_the_database(away: Away) -> None:
    await away.bus.publish([a_sample(1)])
    told: list[int] = []
    async with asyncio.timeout(PATIENCE_S):
        async with aclosing(away.bus.subscribe(start=Start(at="earliest"))) as lists:
            async for some in lists:
                told += [one.seq for one in some]
                if told == [1]:
                    await away.relay.close()
                    await away.relay.open()
                    await away.bus.publish([a_sample(2)])
                if len(told) >= 2:
                    break
    assert told == [1, 2]
