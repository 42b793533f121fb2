"""A night that is played to the log leads to the headers that it should, however often it is disturbed."""

from __future__ import annotations

import itertools
import random
from collections.abc import AsyncIterator, Sequence

import pytest

from armillary.base.bus.engine import PostgresBus
from armillary.base.bus.models import Published, Sample
from armillary.base.clock import SystemClock
from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from armillary.base.signals import PostgresSignals
from armillary.demo.telemetry import simulate
from armillary.demo.telemetry.faults import HARMLESS, Spoiler
from armillary.demo.telemetry.player import PERIOD_S, play
from armillary.errors import Unavailable
from armillary.headers.render.rendering import questions, render
from armillary.sky.instants import tai_of_datetime
from tests.support.nights import Record, exposures_of, reference, rendered
from tests.support.postgres import fresh_database, postgres

__all__ = ["postgres"]


@pytest.fixture
async def bus(postgres: EmbeddedServer) -> AsyncIterator[PostgresBus]:
    async with fresh_database(postgres) as name:
        database = await Database.connect(postgres, Role.WORKER, name=name, pool_size=2)
        signals = PostgresSignals(database)
        yield PostgresBus(
            database, signals, SystemClock(), tai=tai_of_datetime, max_payload=1 << 20, skew_ns=10**10
        )
        await signals.close()
        await database.close()


class Unsteady:
    """What takes some of what it is sent, and says that it did not."""

    def __init__(self, bus: PostgresBus) -> None:
        self._bus, self._chance = bus, random.Random(1)

    async def publish(self, samples: Sequence[Sample]) -> Published:
        """Store samples, perhaps."""
        kind = self._chance.randrange(4)
        if kind == 0:
            raise Unavailable
        found = await self._bus.publish(samples)
        if kind == 1:
            raise Unavailable
        return found


async def no_time(_seconds: float) -> None:
    """Let no time pass."""


@pytest.mark.parametrize("spoilt", [False, True])
async def test_headers_from_the_log_are_those_from_memory(bus: PostgresBus, spoilt: bool) -> None:
    night = simulate("cam9", 11, 5)
    said = list(Spoiler(11, HARMLESS, 0.01).spoil(night.samples()) if spoilt else night.samples())
    played = await play(said, Unsteady(bus), sleep=no_time)
    distinct = {one.sample.identity for one in said}
    assert (played.samples, played.rejects, played.spooled) == (len(said), [], 0)
    assert played.stored <= len(distinct)
    recipe, template = reference().recipes["cam9"], reference().templates["cam9", "raw"]
    expected = list(rendered(night))
    for exposure, known in zip(exposures_of(recipe, Record(night.samples())), expected, strict=True):
        answers = await bus.answer(questions(recipe, template, exposure))
        header = render(recipe, template, exposure, answers, created=known.created)
        assert (header.content_hash, header.inputs_hash) == (known.content_hash, known.inputs_hash)


async def test_samples_are_played_as_they_came() -> None:
    night = simulate("spec1", 1, 1)
    now, sent = 0.0, list[tuple[float, Sample]]()

    class Sink:
        async def publish(self, samples: Sequence[Sample]) -> Published:
            sent.extend((now, one) for one in samples)
            return Published(list(range(len(samples))))

    async def pass_time(seconds: float) -> None:
        nonlocal now
        now += seconds

    said = list(night.samples())
    played = await play(said, Sink(), speed=10.0, clock=lambda: now, sleep=pass_time)
    assert (played.samples, played.stored) == (len(said), len(said))
    assert [one for _, one in sent] == [one.sample for one in said]
    for (when, _), one in zip(sent, said, strict=True):
        due_s = (one.arrives - said[0].arrives) / 1e10
        assert due_s - 1e-6 <= when <= due_s + 2 * PERIOD_S
    assert all(one[0] <= other[0] for one, other in itertools.pairwise(sent))
