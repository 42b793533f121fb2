"""A log of samples with its clock, and samples for it."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from armillary.base.bus.models import EVERYTHING, Bus, Filter, Sample, Start, Stored
from armillary.sky.instants import tai_of_datetime
from tests.support.clock import FakeClock

MAX_PAYLOAD, SKEW_NS = 10_000, 10_000_000_000
S = 1_000_000_000
PATIENCE_S = 300.0
_numbers = itertools.count(1)


@dataclass
class Log:
    """A bus whose clock stands still until a test moves it."""

    bus: Bus
    clock: FakeClock

    @property
    def now(self) -> int:
        """The present instant, TAI nanoseconds."""
        return tai_of_datetime(self.clock.now())

    def catch_up(self) -> None:
        """Set the clock to what it really is: engines have servers with clocks of their own."""
        self.clock.advance((datetime.now(UTC) - self.clock.now()).total_seconds())

    async def put(self, *samples: Sample) -> list[int]:
        """Publish new samples and return their offsets."""
        found = await self.bus.publish(samples)
        assert (found.duplicates, found.rejects, found.spooled) == ([], [], 0)
        return found.offsets

    async def told(
        self, start: Start, count: int, *, wanted: Filter = EVERYTHING, then: Sample | None = None
    ) -> list[Stored]:
        """Return so many samples that a follower is told; publish one when it follows."""
        found = list[Stored]()
        async with asyncio.timeout(PATIENCE_S), aclosing(self.bus.subscribe(wanted, start)) as lists:
            async for some in lists:
                found += some
                if then is not None:
                    await self.put(then)
                    then = None
                elif len(found) >= count:
                    break
        return found


def a_sample(t: int | None = None, seq: int | None = None, **changes: Any) -> Sample:
    """Return a sample that differs from all others."""
    known: dict[str, Any] = {"source": "camera", "topic": "state", "epoch": "boot", "payload": {"value": t}}
    number = next(_numbers) if seq is None else seq
    return Sample(**(known | {"seq": number, "t_event": t} | changes))
