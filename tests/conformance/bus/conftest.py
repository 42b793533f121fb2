from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from armillary.base.bus.engine import PostgresBus
from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from armillary.base.signals import PostgresSignals
from armillary.sky.instants import tai_of_datetime
from tests.conformance.bus.logs import MAX_PAYLOAD, SKEW_NS, Log
from tests.support.clock import FakeClock
from tests.support.memory_bus import MemoryBus
from tests.support.postgres import fresh_database, postgres

__all__ = ["postgres"]


@pytest.fixture(params=["memory", "postgres"])
async def log(request: pytest.FixtureRequest, postgres: EmbeddedServer) -> AsyncIterator[Log]:
    """Every engine, empty, with a clock that stands still."""
    clock = FakeClock(datetime.now(UTC))
    if request.param == "memory":
        yield Log(MemoryBus(clock, MAX_PAYLOAD, SKEW_NS), clock)
        return
    async with fresh_database(postgres) as name:
        database = await Database.connect(postgres, Role.WORKER, name=name, pool_size=4)
        signals = PostgresSignals(database)
        bus = PostgresBus(
            database, signals, clock, tai=tai_of_datetime, max_payload=MAX_PAYLOAD, skew_ns=SKEW_NS
        )
        yield Log(bus, clock)
        await signals.close()
        await database.close()
