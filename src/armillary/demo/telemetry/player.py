"""Playing samples to a bus: as fast as it takes them, or as they once came, at any speed.

Where samples go is anything that publishes: the bus itself, or a server by HTTP. What it cannot take for a moment
is sent again until it does, since to store a sample twice changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import httpx
import msgspec

from armillary.base.bus.models import Published, Sample
from armillary.base.database_errors import is_transient
from armillary.base.log import get_logger
from armillary.demo.telemetry.astronomy import SECOND
from armillary.demo.telemetry.channels import Timed
from armillary.demo.telemetry.files import line_of
from armillary.errors import Unavailable

log = get_logger(__name__)
MOST, PERIOD_S = 500, 0.05
"""Samples of one batch; how often a batch is sent while time passes as it did."""
PAUSE_FIRST_S, PAUSE_LAST_S = 0.1, 2.0


class Publisher(Protocol):
    """What takes samples."""

    async def publish(self, samples: Sequence[Sample]) -> Published:
        """Store samples."""
        ...


@dataclass(frozen=True, slots=True)
class Server:
    """A server that takes samples over HTTP.

    Parameters
    ----------
    client
        Knows the address, and shows a token with the scope `operator`.
    """

    client: httpx.AsyncClient

    async def publish(self, samples: Sequence[Sample]) -> Published:
        """Send samples as lines of JSON.

        Raises
        ------
        Unavailable
            If the server is away or busy.
        httpx.HTTPStatusError
            If it refuses them.
        """
        headers = {"Content-Type": "application/x-ndjson"}
        try:
            reply = await self.client.post(
                "/v1/samples", content=b"".join(map(line_of, samples)), headers=headers
            )
        except httpx.TransportError as error:
            raise Unavailable(str(error)) from error
        if reply.status_code in (429, 502, 503, 504):
            raise Unavailable(f"the server answers {reply.status_code}")
        reply.raise_for_status()
        return msgspec.json.decode(reply.content, type=Published)


@dataclass
class Played:
    """What became of what was played."""

    samples: int = 0
    stored: int = 0
    duplicates: int = 0
    spooled: int = 0
    rejects: list[str] = field(default_factory=list)

    def add(self, samples: Sequence[Sample], found: Published) -> None:
        """Count a batch."""
        self.samples += len(samples)
        self.stored += len(found.offsets)
        self.duplicates += len(found.duplicates)
        self.spooled += found.spooled
        self.rejects += [f"{samples[one.index].source}: {one.reason}" for one in found.rejects]


async def play(
    said: Iterable[Timed],
    to: Publisher,
    *,
    speed: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Played:
    """Publish samples in the order of arrival.

    Parameters
    ----------
    speed
        How many seconds of the samples pass in one of ``clock``; None does not wait at all.
    """
    played, batch = Played(), list[Sample]()
    began: tuple[int, float] | None = None
    for one in said:
        if speed is not None:
            began = began or (one.arrives, clock())
            due_s = began[1] + (one.arrives - began[0]) / SECOND / speed
            if clock() < due_s and batch:
                await _send(batch, to, played, sleep)
            while (left_s := due_s - clock()) > 0:
                await sleep(max(left_s, PERIOD_S))
        batch.append(one.sample)
        if len(batch) == MOST:
            await _send(batch, to, played, sleep)
    await _send(batch, to, played, sleep)
    return played


async def _send(
    batch: list[Sample], to: Publisher, played: Played, sleep: Callable[[float], Awaitable[None]]
) -> None:
    """Send a batch until it is taken, and empty it."""
    pause_s = PAUSE_FIRST_S
    while batch:
        try:
            played.add(batch, await to.publish(batch))
            batch.clear()
        except Exception as error:
            if not is_transient(error):
                raise
            log.info("samples not taken", error=str(error))
            await sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_LAST_S)
