"""Benchmark 7b: from the end of an exposure to the announcement of its header, while samples pour into the log.

The header service of a camera of 205 detectors is a process of its own. Exposures of half a minute overlap, one
ends about every second, and beside their events a thousand samples per second arrive: those of the devices of the
camera, and those of many others. What is measured begins when the log has taken the end event and ends when
somebody who listens in another process holds the announcement, with a long transaction open elsewhere. No keyword
of this camera waits for samples behind the end, so that event alone leads to the announcement.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from msgspec.structs import replace

from armillary.base.bus.models import Sample
from armillary.context import Context
from armillary.demo.telemetry import simulate
from armillary.headers import service
from armillary.headers.delivery.models import HeaderCreated, Page
from armillary.headers.recipes.service import load, reference_directory
from armillary.headers.render.measuring import Contest
from benchmarks import callbacks
from benchmarks.callbacks import Callback
from benchmarks.scratch import scratch
from benchmarks.served import ACCOUNT, archive_of
from benchmarks.table import Row, finish

INSTRUMENT = "cam205"
RATE, TICK_S = 1000, 0.05
EXPOSURES, EVERY_S, WARMING = 120, 0.93, 5
FIRST_S = 25.0
"""When the first exposure ends, from the first sample on: by then it has begun."""
BEGUN_S = 80.0
"""How long the night has lasted by then: the devices have said everything once."""
LONG_S = 10.0
"""How long somebody else's transactions are."""
PATIENCE_S = 120.0
SECOND = 1_000_000_000
LIMIT_S, CALLBACK_S, DUMP_RATIO = 0.05, 0.01, 10.0
Due = tuple[int, int, Sample]
"""When a sample is published, a number that sorts those of one instant, and the sample."""


@dataclass
class Ends:
    """When the end events of images were stored, and their announcements arrived (monotonic seconds)."""

    stored: dict[str, float] = field(default_factory=dict)
    arrived: dict[str, float] = field(default_factory=dict)

    def seconds(self) -> list[float]:
        """Return the latency of every image, in their order."""
        return [self.arrived[image] - at for image, at in self.stored.items()]


@dataclass(frozen=True)
class Measured:
    """Latencies, sorted, and callbacks of the event loop in the time of the measurement."""

    latencies: list[float]
    callbacks: list[Callback]

    def at(self, share: float) -> float:
        """Return the latency that so many exposures keep."""
        return self.latencies[math.ceil(share * len(self.latencies)) - 1]


# What is said.


def _devices(start: int) -> list[Due]:
    """Return what the devices of the camera say, without its images: of a night that has begun some time ago."""
    night = simulate(INSTRUMENT, 1, 7, start=start - round(BEGUN_S * SECOND))
    said = (one for one in night.samples() if "image_id" not in one.sample.payload)
    return [(one.arrives, number, one.sample) for number, one in enumerate(said)]


def _image(start: int) -> list[Sample]:
    """Return the events of an image of the sky, the last of which ends it."""
    night = simulate(INSTRUMENT, 2, 2, start=start)
    name = night.plan.exposures[-1].image_id
    return [one.sample for one in night.samples() if one.sample.payload.get("image_id") == name]


def _moved(one: Sample, number: int, end: int, last: Sample) -> Sample:
    """Return an event of an image as that of another one, which ends at an instant."""
    assert one.t_event is not None
    assert last.t_event is not None
    shift = end - last.t_event
    payload: dict[str, Any] = dict(one.payload)
    payload["image_id"] = f"{payload['image_id'].rsplit('_', 1)[0]}_{number:06d}"
    payload |= {key: value + shift / SECOND for key, value in payload.items() if key.startswith("date_")}
    if "seq_num" in payload:
        payload["seq_num"] = number
    return replace(one, epoch=f"image-{number}", payload=payload, t_event=one.t_event + shift)


def _others(now: int) -> Iterator[Sample]:
    """Yield samples of devices of which the header knows nothing."""
    for number in range(1 << 62):
        payload = {"value": math.sin(number), "status": "NOMINAL", "counts": [number, number + 1]}
        yield Sample(f"device:{number % 40}", f"reading{number % 7}", "boot", number, payload, t_event=now)


async def _pour(context: Context, due: list[Due], until: float) -> None:
    """Publish samples as they are due, filled up to the rate."""
    heapq.heapify(due)
    others, total, began = _others(context.bus.now()), 0, time.monotonic()
    while (now := time.monotonic()) < until:
        tai, batch = context.bus.now(), list[Sample]()
        while due and due[0][0] <= tai:
            batch.append(heapq.heappop(due)[2])
        missing = round((now - began) * RATE) - total - len(batch)
        batch += [replace(next(others), t_event=tai) for _ in range(missing)]
        found = await context.bus.publish(batch)
        if len(found.offsets) != len(batch):
            raise AssertionError(f"{len(batch) - len(found.offsets)} samples were not stored")
        total += len(batch)
        await asyncio.sleep(max(0.0, now + TICK_S - time.monotonic()))
    if total < 0.95 * RATE * (until - began):
        raise AssertionError(f"only {total} samples were published")


async def _end(context: Context, ending: Sequence[Sample], ends: Ends) -> None:
    """Publish end events at their instants."""
    for one in ending:
        assert one.t_event is not None
        await asyncio.sleep(max(0.0, (one.t_event - context.bus.now()) / 1e9))
        await context.bus.publish([one])
        ends.stored[one.payload["image_id"]] = time.monotonic()


async def _listen(context: Context, ends: Ends) -> None:
    """Note when announcements arrive, which come once each and in the order of the ends."""
    cursor = "now"

    async def read() -> Page:
        async with context.database.look() as connection:
            wanted: dict[str, Any] = {"instrument": INSTRUMENT, "night": None, "complete": None}
            return await service.page(connection, cursor, limit=100, collapse=False, **wanted)

    async for page in service.following(context, read):
        cursor = page.cursor
        for one in page.headers:
            if not isinstance(one, HeaderCreated) or one.revision != 1 or not one.complete:
                raise AssertionError(f"announced: {one}")
            if one.image_id in ends.arrived:
                raise AssertionError(f"{one.image_id} was announced twice")
            ends.arrived[one.image_id] = time.monotonic()
        if len(ends.arrived) == EXPOSURES:
            return


async def _hold(context: Context) -> None:
    """Keep transactions open that have written something."""
    while True:
        async with context.database.begin() as connection:
            await connection.exec_driver_sql("SELECT pg_current_xact_id()")
            await asyncio.sleep(LONG_S)


# The measurement.


@contextmanager
def _service(data: Path, told: Path) -> Iterator[None]:
    """Run the header service of the camera, with an event loop that is watched."""
    environment = os.environ | {
        "ARMILLARY_DATABASE__ACCOUNT": ACCOUNT,
        "ARMILLARY_HEADERS__DIRECTORY": str(reference_directory()),
        "ARMILLARY_LOG": os.environ.get("ARMILLARY_LOG", "ERROR"),
    }
    command = [sys.executable, "-m", "benchmarks.callbacks", str(told)]
    command += ["header", "run", INSTRUMENT, "--data", str(data)]
    process = subprocess.Popen(command, env=environment)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


async def _measure(context: Context) -> tuple[list[float], float, float]:
    """Return the latencies in the order of the exposures, and between which instants they were measured."""
    await service.enable(context, INSTRUMENT, actor="benchmark")
    began, now = time.monotonic(), context.bus.now()
    events = _image(now)
    stops = [now + round((FIRST_S + number * EVERY_S) * SECOND) for number in range(EXPOSURES)]
    images = [
        [_moved(one, number, end, events[-1]) for one in events] for number, end in enumerate(stops, start=1)
    ]
    due = _devices(now)
    due += [
        ((one.t_event or 0) + 12_000_000, -number, one)
        for number, image in enumerate(images)
        for one in image[:-1]
    ]
    ends, until = Ends(), began + FIRST_S + EXPOSURES * EVERY_S + 1.0
    holding = asyncio.create_task(_hold(context))
    try:
        await asyncio.wait_for(
            asyncio.gather(
                _pour(context, due, until),
                _end(context, [image[-1] for image in images], ends),
                _listen(context, ends),
            ),
            until - time.monotonic() + PATIENCE_S,
        )
    finally:
        holding.cancel()
        with suppress(asyncio.CancelledError):
            await holding
    if list(ends.arrived) != list(ends.stored):
        raise AssertionError("headers were not announced in the order of the exposures")
    await _check(context, list(ends.stored))
    first = list(ends.stored.values())[WARMING]
    return ends.seconds()[WARMING:], first, max(ends.arrived.values())


async def _check(context: Context, images: Sequence[str]) -> None:
    """See that headers are those of their images."""
    for image in images[:: len(images) // 5]:
        header = await service.get(context, INSTRUMENT, image)
        found = header.card("OBSID")
        if found is None or found.value != image or len(header.hdus) != 206:
            raise AssertionError(f"the header of {image} is another one")


async def _measured(folder: Path) -> Measured:
    told = folder / "callbacks"
    async with archive_of(folder) as context:
        with _service(folder / "data", told):
            latencies, first, last = await _measure(context)
    watched = [one for one in callbacks.read(told) if first <= one.ended <= last]
    return Measured(sorted(latencies), sorted(watched, key=lambda one: -one.seconds))


def _dump_s() -> float:
    """Return how long PyYAML takes to write the same cards."""
    loaded = load(reference_directory())
    contest = Contest(loaded.recipes[INSTRUMENT], loaded.templates[INSTRUMENT, "raw"])
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        contest.peer()
        seconds.append(time.perf_counter() - start)
    return median(seconds)


def rows() -> list[Row]:
    """Measure and return the rows: p99, p50, and the longest callback."""
    with scratch() as folder:
        found = asyncio.run(_measured(folder))
    longest = found.callbacks[0].seconds if found.callbacks else callbacks.WORTH_S
    count = len(found.latencies)
    work = f"end event stored to announcement received, 205 detectors, {RATE} samples/s"
    limits = {"limit of 50 ms": LIMIT_S}
    return [
        Row("7b", f"{work}: p99 of {count}", found.at(0.99), limits, dict.fromkeys(limits, 1.0)),
        Row(
            "7b p50", f"{work}: p50 of {count}", found.at(0.5), {"PyYAML": _dump_s()}, {"PyYAML": DUMP_RATIO}
        ),
        Row(
            "7b callback",
            "longest callback of the event loop meanwhile, CPU time of its thread",
            longest,
            {"limit of 10 ms": CALLBACK_S},
            {"limit of 10 ms": 1.0},
        ),
    ]


if __name__ == "__main__":
    finish(rows())
