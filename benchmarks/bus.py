"""Benchmark 7c: samples of telemetry into the log over HTTP, acknowledged when durable and answered at once.

Two publishers send batches of a simulated night, as NDJSON, to one web process; after each batch the last of its
samples is asked for by its time, and has to be there. The target is a rate: 2 000 samples per second.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from armillary.access.models import Scope
from armillary.access.service import create_token
from armillary.base.bus.models import Sample
from armillary.base.database import Role
from armillary.context import open_context
from armillary.demo.telemetry import simulate
from armillary.demo.telemetry.files import line_of
from armillary.settings import DatabaseSettings, Settings
from benchmarks.scratch import scratch
from benchmarks.served import ACCOUNT, processes
from benchmarks.table import Row, finish

BATCH, ROUNDS, RATE = 100, 3, 2000.0
EXPOSURES = 30
START_S = 60.0


async def _token(folder: Path) -> str:
    settings = Settings(data=folder / "data", database=DatabaseSettings(account=ACCOUNT))
    async with (
        open_context(settings, Role.OWNER, application="armillary benchmark") as context,
        context.database.begin() as connection,
    ):
        now = context.clock.now()
        return await create_token(connection, "bench", [Scope.OPERATOR], now=now)


Batch = tuple[bytes, int, Sample]
"""The body of a request, how many samples are in it, and the last of them."""


def _batches(number: int) -> list[Batch]:
    """Return a night of two instruments in batches; each round is one of its own."""
    nights = [simulate(name, number, EXPOSURES).samples() for name in ("spec1", "cam9")]
    said = [one.sample for one in itertools.chain(*nights)]
    some = [said[at : at + BATCH] for at in range(0, len(said), BATCH)]
    return [(b"".join(map(line_of, one)), len(one), one[-1]) for one in some]


async def _ready(client: httpx.AsyncClient) -> None:
    end = time.monotonic() + START_S
    while True:
        try:
            (
                await client.get("/v1/bus/range", params={"source": "x", "topic": "x", "t0": 0})
            ).raise_for_status()
            return
        except httpx.HTTPError:
            if time.monotonic() > end:
                raise
        await asyncio.sleep(0.1)


async def _publish(client: httpx.AsyncClient, batches: Sequence[Batch]) -> None:
    for body, count, last in batches:
        reply = await client.post("/v1/samples", content=body)
        reply.raise_for_status()
        if len(reply.json()["offsets"]) != count:
            raise AssertionError(f"not stored: {reply.text[:300]}")
        assert last.t_event is not None
        asked: dict[str, Any] = {"source": last.source, "topic": last.topic, "t": last.t_event}
        found = (await client.get("/v1/bus/asof", params=asked)).json()
        if found["t_event"] != last.t_event:
            raise AssertionError(f"not answered: {asked}")


async def _measure(url: str, secret: str) -> float:
    """Return the seconds that a sample takes, the median of some rounds."""
    times = []
    headers = {"X-Api-Key": secret}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60.0, trust_env=False) as client:
        await _ready(client)
        for number in range(ROUNDS + 1):
            batches = _batches(number)
            start = time.perf_counter()
            await asyncio.gather(_publish(client, batches[::2]), _publish(client, batches[1::2]))
            seconds = time.perf_counter() - start
            if number:
                times.append(seconds / sum(count for _, count, _ in batches))
    return median(times)


def rows() -> list[Row]:
    """Measure and return the row of benchmark 7c, in seconds per sample."""
    with scratch() as folder:
        secret = asyncio.run(_token(folder))
        with processes(folder / "data", workers=0) as tree:
            mine = asyncio.run(_measure(tree.address, secret))
    target = f"{RATE:.0f} samples per second"
    return [
        Row(
            "7c",
            f"samples over HTTP, batches of {BATCH}, durable, then asof",
            mine,
            {target: 1 / RATE},
            {target: 1.0},
        )
    ]


if __name__ == "__main__":
    finish(rows())
