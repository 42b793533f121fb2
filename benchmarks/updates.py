"""Benchmark 10: header updates over HTTP, from acceptance to what others see, against the old design.

Ours is a whole archive: web process, one worker, database, journal, syncs, records. Seconds come from the work
orders' own record where the row says "in the worker", else from the clock of the client. The peer edits and takes
in again in the steps of :mod:`benchmarks.fitsstorage`, in one process that finds its queue by polling. Both sides
have one core for everything, and copies of the same files.
"""

from __future__ import annotations

import asyncio
import bz2
import io
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np
import sqlalchemy as sa
from astropy.io import fits
from sqlalchemy.orm import Session

from armillary.access.models import Scope
from armillary.access.service import create_token
from armillary.archive.intake.verification import verify_files
from armillary.base.postgres.server import EmbeddedServer
from armillary.context import Context
from armillary.fits.containers import logical_name
from benchmarks import fitsstorage
from benchmarks.ingest import PEER, a_header
from benchmarks.scratch import scratch
from benchmarks.served import ACCOUNT, archive_of, nothing_left, processes, scalar, take_in
from benchmarks.table import Row, finish

LARGE, MIDDLE, SMALL = (5000, 7500), (2400, 2500), (1400, 1400)
"""Pixels of 16 bits: 75 MB, 50 MB of them when compressed; 12 MB; 4 MB."""
BZ2, PLAIN, BIG = "N20260101S0001.fits.bz2", "N20260101S0002.fits", "N20260101S0003.fits.bz2"
HIDDEN = "N20260101S0004.fits"
MANY = tuple(f"N20260102S{number:04d}.fits.bz2" for number in range(10))
PERCENTILES = ("20-percentile", "50-percentile", "70-percentile", "80-percentile", "85-percentile")
KEYWORDS = ("RAWIQ", "RAWCC", "RAWWV", "RAWBG", "NOTE")
SEALED = {"RA": 201.25, "DEC": -43.02, "PROP_MD": True, "RELEASE": "2900-01-01"}
LOOK_S = 0.01
WAITED_S = fitsstorage.POLL_S / 2
ROUNDS, BIG_ROUNDS, LOOKS, TEN = 9, 3, 400, 10
TOGETHER = 0.77
"""Ten waiting edits may take so much longer than one."""


def cards_of(number: int) -> dict[str, str]:
    """Return five cards that differ from round to round, the last one from those of every round."""
    return dict.fromkeys(KEYWORDS, PERCENTILES[number % len(PERCENTILES)]) | {"NOTE": f"round {number}"}


def write_files(folder: Path) -> None:
    """Write the files, with right checksums: noise as of a detector, headers of 200 cards."""
    shapes = {BIG: LARGE, BZ2: SMALL, PLAIN: SMALL, HIDDEN: SMALL, **dict.fromkeys(MANY, MIDDLE)}
    noise = np.random.default_rng(1).normal(1000, 300, LARGE).astype(np.int16)
    for number, (name, (height, width)) in enumerate(shapes.items()):
        header = a_header(number, name)
        header.update({"INSTRUME": "GMOS-N", **cards_of(-1), **(SEALED if name == HIDDEN else {})})
        image = fits.PrimaryHDU(noise[:height, :width], header)
        with io.BytesIO() as plain:
            image.writeto(plain, checksum=True)
            compressed = name.endswith(".bz2")
            content = bz2.compress(plain.getvalue()) if compressed else plain.getvalue()
        (folder / name).write_bytes(content)
    os.sync()


@dataclass(frozen=True)
class Ours:
    """A running archive, as a client with a token for edits and reading sees it, and as the public does."""

    context: Context
    client: httpx.AsyncClient
    anonymous: httpx.AsyncClient
    numbers: Iterator[int] = field(default_factory=count)

    async def post(self, wanted: Sequence[tuple[str, dict[str, str]]]) -> str:
        """Ask for edits and return the address of their status."""
        items = [{"filename": name, "values": {"generic": list(cards.items())}} for name, cards in wanted]
        reply = (await self.client.post("/update_headers", json=items)).raise_for_status()
        if not all(one["result"] for one in reply.json()):
            raise AssertionError(reply.text)
        return str(reply.headers["Location"])

    async def ended(self, status: str) -> list[dict[str, Any]]:
        """Wait for the end, digests included, and return the items."""
        found: dict[str, Any] = {"done": False}
        while not found["done"]:
            found = (await self.client.get(status, params={"wait": 60})).raise_for_status().json()
        if bad := [one["error"] for one in found["items"] if one["state"] != "completed"]:
            raise AssertionError(bad[0])
        items: list[dict[str, Any]] = found["items"]
        return items

    async def edited(self, name: str, cards: dict[str, str] | None = None) -> dict[str, Any]:
        """Edit five cards of a file and return the item of the status."""
        (item,) = await self.ended(await self.post([(name, cards or cards_of(next(self.numbers)))]))
        return item

    async def undone(self, name: str, edits: int) -> None:
        """Take the last edits of a file back, byte for byte, and wait until digests are known again."""
        file = f"(SELECT id FROM file WHERE name = '{logical_name(name)}')"
        last = f"SELECT id FROM edit WHERE file_id = {file} ORDER BY id DESC LIMIT {edits}"
        for edit in await scalar(self.context, f"SELECT array_agg(id ORDER BY id DESC) FROM ({last}) t"):
            (await self.client.post(f"/v1/edits/{edit}/revert")).raise_for_status()
            await nothing_left(self.context)

    async def shown(self, name: str) -> float:
        """Return the seconds from the acceptance of an edit until a list shows it."""
        cards = cards_of(next(self.numbers))
        status = await self.post([(name, cards)])
        start = time.perf_counter()
        while True:
            await asyncio.sleep(LOOK_S)
            listed = (await self.client.get(f"/jsonsummary/filename={name}")).raise_for_status().json()
            if f"{listed[0]['raw_iq']}-percentile" == cards["RAWIQ"]:
                break
        taken = time.perf_counter() - start
        await self.ended(status)
        return taken

    async def check(self, folder: Path) -> None:
        """Read every file again: its bytes, and by astropy its cards and checksums."""
        if problems := [one async for one in verify_files(self.context, ()) if one.problem]:
            raise AssertionError(problems[0])
        for name in (BZ2, PLAIN, BIG, MANY[0]):
            plain = fitsstorage.uncompressed(folder / name, folder.parent)
            with fits.open(plain, checksum=True) as hdus:
                if len({hdus[0].header[keyword] for keyword in KEYWORDS[:-1]}) != 1:
                    raise AssertionError(f"{name}: not all cards have landed")


@asynccontextmanager
async def ours(folder: Path) -> AsyncIterator[Ours]:
    """Run an archive that has taken the files of a directory in."""
    async with archive_of(folder) as context:
        with processes(context.settings.data, workers=1) as tree:
            await take_in(context, folder / "ours", products=True)
            async with context.database.begin() as connection:
                token = await create_token(
                    connection, "updates", [Scope.EDIT, Scope.READ], now=context.clock.now()
                )
            options: dict[str, Any] = {"base_url": tree.address, "timeout": 120, "trust_env": False}
            async with (
                httpx.AsyncClient(headers={"X-Api-Key": token}, **options) as client,
                httpx.AsyncClient(**options) as anonymous,
            ):
                yield Ours(context, client, anonymous)


@contextmanager
def one_core() -> Iterator[None]:
    """Let this process, and all that it starts, have one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def in_worker_s(items: Sequence[dict[str, Any]]) -> float:
    """Return the seconds from the first claim to the last commit of items."""
    starts = [datetime.fromisoformat(one["started_at"]) for one in items]
    ends = [datetime.fromisoformat(one["finished_at"]) for one in items]
    return (max(ends) - min(starts)).total_seconds()


@dataclass(frozen=True)
class Old:
    """The peer and its copies of the files."""

    engine: sa.Engine
    folder: Path

    def edit_s(self, name: str, number: int) -> float:
        """Return the seconds of an edit alone."""
        start = time.perf_counter()
        fitsstorage.edit(self.folder / name, cards_of(number), self.folder.parent)
        return time.perf_counter() - start

    def ingest_s(self, name: str) -> float:
        """Return the seconds of the ingest that follows an edit."""
        start = time.perf_counter()
        with Session(self.engine) as session:
            fitsstorage.ingest(session, self.folder / name, self.folder.parent)
        return time.perf_counter() - start


@dataclass(slots=True)
class Edits:
    """Seconds of edits in turn: the first of a file, one that follows, and those of the peer."""

    first: list[float] = field(default_factory=list)
    next: list[float] = field(default_factory=list)
    old: list[float] = field(default_factory=list)


async def edits(mine: Ours, old: Old, name: str, rounds: int) -> Edits:
    """Edit a file twice and take both edits back, round by round; the peer edits in between."""
    found = Edits()
    for number in range(rounds + 1):
        taken = [in_worker_s([await mine.edited(name)]) for _ in range(2)]
        taken.append(await asyncio.to_thread(old.edit_s, name, number))
        await mine.undone(name, 2)
        for times, seconds in zip((found.first, found.next, found.old), taken, strict=True):
            times += [seconds] if number else []
    return found


async def large_rows(mine: Ours, old: Old) -> list[Row]:
    """Edit a large compressed file: once, to no effect, and ten times at once."""
    found = await edits(mine, old, BIG, BIG_ROUNDS)
    one, theirs = median(found.next), {PEER: median(found.old)}
    nothing, ten = [], []
    for _ in range(BIG_ROUNDS):
        same = cards_of(next(mine.numbers))
        await mine.edited(BIG, same)
        item = await mine.edited(BIG, same)
        if item["changed"] is not False:
            raise AssertionError("an edit to no effect changed something")
        nothing.append(in_worker_s([item]))
        wanted = [(BIG, cards_of(next(mine.numbers))) for _ in range(TEN)]
        ten.append(in_worker_s(await mine.ended(await mine.post(wanted))))
    return [
        Row("10.1", "first edit of a 50 MB .fits.bz2, in the worker", median(found.first), theirs, {PEER: 5}),
        Row("10.1 next", "the edit after it", one, theirs, {PEER: 5}),
        Row("10.2", "the same to no effect", median(nothing), theirs, {PEER: 20}),
        Row("10.3", "ten waiting edits of it", median(ten), {"one edit": one}, {"one edit": TOGETHER}),
    ]


async def small_rows(mine: Ours, old: Old) -> list[Row]:
    """Edit small files: in the worker, from acceptance to a list, many after each other."""
    found = await edits(mine, old, BZ2, ROUNDS)
    theirs = {PEER: median(found.old)}
    rows = [
        Row("10.4", "first edit of a 4 MB .fits.bz2, in the worker", median(found.first), theirs, {PEER: 2}),
        Row("10.4 next", "the edit after it", median(found.next), theirs, {PEER: 2}),
    ]
    started = [await mine.edited(PLAIN) for _ in range(ROUNDS)]
    waits = [_between(one["queued_at"], one["started_at"]) for one in started]
    poll = {"a poll each second": WAITED_S}
    rows.append(
        Row("10.5", "an order waits for an idle worker", median(waits), poll, dict.fromkeys(poll, 10.0))
    )
    for number, name, target in (("10.6", PLAIN, 10.0), ("10.7", BZ2, 3.0)):
        here = [await mine.shown(name) for _ in range(ROUNDS)]
        there = [await asyncio.to_thread(_published_s, old, name, number) for number in range(ROUNDS)]
        work = f"from acceptance to a list, 4 MB {'.fits.bz2' if name == BZ2 else 'in place'}"
        rows.append(Row(number, work, median(here), {PEER: median(there)}, {PEER: target}))
    return rows


def _between(first: str, last: str) -> float:
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


def _published_s(old: Old, name: str, number: int) -> float:
    return WAITED_S + old.edit_s(name, number) + WAITED_S + old.ingest_s(name)


async def sustained_rows(mine: Ours, old: Old) -> list[Row]:
    """Edit many compressed files for the first time, until all are live, and until all digests are known too."""
    start = time.perf_counter()
    items = await mine.ended(await mine.post([(name, cards_of(7)) for name in MANY]))
    await nothing_left(mine.context)
    whole, files = time.perf_counter() - start, len(MANY)
    there = sum([old.edit_s(name, 7) + old.ingest_s(name) for name in MANY]) / files
    work = f"a first edit of each of {files} .fits.bz2 of 12 MB"
    return [
        Row("10.8", work, in_worker_s(items) / files, {PEER: there}, {PEER: 5}),
        Row("10.8 digests", f"{work}, digests included", whole / files, {PEER: there}, {PEER: 2}),
    ]


async def hidden_row(mine: Ours) -> Row:
    """Ask for a place that is hidden from the caller, and for one where nothing is."""
    asked = {
        True: "/jsonsummary/ra={RA}/dec={DEC}".format(**SEALED),
        False: "/jsonsummary/ra=21.25/dec=43.02",
    }
    seen = [len((await mine.client.get(path)).raise_for_status().json()) for path in asked.values()]
    if seen != [1, 0]:
        raise AssertionError(f"whoever may read finds {seen} files, not one that is hidden and none")
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(LOOKS):
        for hidden, path in asked.items():
            start = time.perf_counter()
            reply = await mine.anonymous.get(path)
            seconds[hidden].append(time.perf_counter() - start)
            if reply.json() != []:
                raise AssertionError("a hidden place is shown")
    fast, slow = sorted(median(one) for one in seconds.values())
    return Row(
        "10.9", "a hidden place or an empty one, the slower", slow, {"the faster": fast}, {"the faster": 0.9}
    )


async def _measure(folder: Path) -> list[Row]:
    for name in ("ours", "theirs"):
        (folder / name).mkdir()
    write_files(folder / "ours")
    shutil.copytree(folder / "ours", folder / "theirs", dirs_exist_ok=True)
    async with ours(folder) as mine:
        server = await EmbeddedServer.acquire(mine.context.settings.data / "postgres", account=ACCOUNT)
        old = Old(await fitsstorage.create(server), folder / "theirs")
        rows = [*await large_rows(mine, old), *await small_rows(mine, old)]
        rows += [*await sustained_rows(mine, old), await hidden_row(mine)]
        await mine.check(folder / "ours")
        old.engine.dispose()
        await server.release()
    return rows


def run() -> list[Row]:
    """Measure all rows of benchmark 10."""
    with scratch() as folder, one_core():
        return asyncio.run(_measure(folder))


if __name__ == "__main__":
    finish(run())
