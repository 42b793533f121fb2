"""Benchmark 4: files of 5 MB into the catalog.

Both sides use the same server with the same durability (fsync, synchronous_commit on, logged tables), each its
own database, and one process; the files are in the page cache. Ours reads and sums every byte (CRC-64/NVME), or
takes the sum that was made while the upload came in, in batches as the work order `ingest` does. The queue,
digests and pictures are left out on both sides.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import sqlalchemy as sa
from astropy.io import fits
from sqlalchemy.orm import Session

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Location, Root, to_signed
from armillary.archive.intake import ingest
from armillary.base import migrate
from armillary.base.clock import SystemClock
from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from armillary.base.signals import PostgresSignals
from armillary.base.store.stores import Stores
from armillary.context import Context
from armillary.fits.crc import crc64
from armillary.settings import Settings
from benchmarks import fitsstorage
from benchmarks.scratch import scratch
from benchmarks.table import Row, finish

FILES, SIDE, CARDS, ROUNDS = 400, 1580, 200, 4
BATCH, SLOTS = 100, 4
"""As the work order `ingest` and the worker have them."""
ACCOUNT = "daemon"
PEER = "steps of FitsStorage"
TABLES = "work_order, edit, product, frame, version, series, file"


@dataclass(frozen=True)
class Night:
    """The files to be taken in, with the checksum of each."""

    folder: Path
    paths: tuple[Path, ...]
    sums: dict[str, int]


def make_night(folder: Path) -> Night:
    """Write images with 200 cards each, as a robotic telescope does."""
    pixels = os.urandom(SIDE * SIDE * 2)
    paths, sums = [], {}
    for number in range(FILES):
        path = folder / f"cpt1m010-fa14-20260101-{number:04d}-e00.fits"
        header = a_header(number, path.name)
        data = header.tostring().encode("ascii") + pixels
        data += bytes(-len(data) % 2880)
        path.write_bytes(data)
        paths.append(path)
        sums[path.name] = crc64(data)
    os.sync()
    return Night(folder, tuple(paths), sums)


def a_header(number: int, name: str) -> fits.Header:
    """Return the header of one frame: what the profile of Las Cumbres reads, and fill."""
    header = fits.Header([("SIMPLE", True), ("BITPIX", 16), ("NAXIS", 2), ("NAXIS1", SIDE), ("NAXIS2", SIDE)])
    values: dict[str, Any] = {
        "ORIGIN": "LCOGT",
        "SITEID": "cpt",
        "TELID": "1m0a",
        "TELESCOP": "1m0-10",
        "INSTRUME": "fa14",
        "OBSTYPE": "EXPOSE",
        "ORIGNAME": name,
        "TIMESYS": "UTC",
        "DATE-OBS": f"2026-01-01T2{number % 4}:{number % 60:02d}:07.125",
        "DAY-OBS": "20260101",
        "EXPTIME": 60.0 + number,
        "FILTER": "rp",
        "GAIN": 1.4,
        "CCDSUM": "1 1",
        "USERID": "observer",
        "PROPID": f"KEY2026-{number % 7}",
        "BLKUID": str(73_900_000 + number),
        "RADESYS": "ICRS",
        "OBJECT": f"Field {number}",
        "RA": "05:41:42.500",
        "DEC": f"-{number % 80:02d}:51:22.00",
        "AZIMUTH": 121.4,
        "ALTITUDE": 61.7,
        "AIRMASS": 1.135,
        "CRVAL1": 85.427,
        "CRVAL2": -1.85,
        "L1PUBDAT": "2027-01-01T00:00:00",
    }
    for keyword, value in values.items():
        header[keyword] = (value, f"comment on {keyword}")
    for fill in range(CARDS - len(header)):
        value = (f"value {fill}", fill, fill * 1.37, fill % 8 == 0)[fill % 4]
        header[f"KEY{fill:05d}"] = (value, f"comment number {fill}")
    return header


@dataclass(frozen=True)
class Ours:
    """Our archive with a worker that runs all the time."""

    context: Context
    owner: Database
    root: Root
    night: Night

    async def seconds(self, *, known: bool) -> float:
        """Return the time until all files are in, beginning with an empty catalog."""
        async with self.owner.begin() as connection:
            await connection.exec_driver_sql(f"TRUNCATE {TABLES} CASCADE")
        sums = {path: self._known(path) if known else None for path in self.night.paths}
        batches = [self.night.paths[at : at + BATCH] for at in range(0, FILES, BATCH)]
        waiting = asyncio.Semaphore(SLOTS)
        start = time.perf_counter()
        await asyncio.gather(*(self._take_in(batch, sums, waiting) for batch in batches))
        return time.perf_counter() - start

    async def _take_in(
        self, paths: Sequence[Path], sums: dict[Path, dict[str, int] | None], waiting: asyncio.Semaphore
    ) -> None:
        async with waiting:
            now, store = self.context.clock.now(), catalog.store_of(self.context, self.root)
            files = [
                ingest.Candidate(
                    claim=None,
                    root=self.root,
                    store=store,
                    location=Location(self.root.id, "", path.name),
                    known=None,
                    now=now,
                    args={"known": sums[path]},
                )
                for path in paths
            ]
            await ingest.examine(self.context, files)
            if bad := [one.error for one in files if one.error]:
                raise AssertionError(bad[0])
            async with self.context.database.begin() as connection:
                await ingest.record_new(files, connection, now=now)

    def _known(self, path: Path) -> dict[str, int]:
        state = path.stat()
        return {"size": state.st_size, "mtime_ns": state.st_mtime_ns, "crc": self.night.sums[path.name]}

    async def check(self) -> None:
        """Compare what is in the catalog with astropy's values and with the checksums of the bytes."""
        query = sa.text(
            "SELECT f.name, v.file_crc, v.file_size, r.instrument, r.exposure_s,"
            " coalesce(s.keywords, '{}') || r.keywords AS keywords"
            " FROM file f JOIN version v ON v.file_id = f.id JOIN frame r ON r.version_id = v.id"
            " LEFT JOIN series s ON s.id = r.series_id WHERE v.present AND v.canonical"
        )
        async with self.context.database.begin() as connection:
            rows = {row.name: row for row in (await connection.execute(query)).all()}
        if rows.keys() != self.night.sums.keys():
            raise AssertionError(f"{len(rows)} of {FILES} files are in the catalog")
        for path in self.night.paths:
            row, header = rows[path.name], fits.getheader(path)
            if row.keywords != dict(header) or row.exposure_s != header["EXPTIME"]:
                raise AssertionError(f"{path.name}: values differ from astropy's")
            if (row.file_crc, row.file_size) != (to_signed(self.night.sums[path.name]), path.stat().st_size):
                raise AssertionError(f"{path.name}: size or checksum is wrong")


@asynccontextmanager
async def ours(server: EmbeddedServer, night: Night, private: Path) -> AsyncIterator[Ours]:
    """Open our archive on a server, with a worker for ingests alone."""
    owner = await Database.connect(server, Role.OWNER, pool_size=1)
    await migrate.upgrade(owner)
    private.mkdir(exist_ok=True)
    database = await Database.connect(server, Role.WORKER, home=private.resolve())
    signals = PostgresSignals(database)
    context = Context(Settings(data=private), database, Stores(private), signals, SystemClock())
    async with database.begin() as connection:
        root = await catalog.ensure_root(connection, "night", night.folder, in_place=True)
    try:
        yield Ours(context, owner, root, night)
    finally:
        await signals.close()
        await database.close()
        await owner.close()


@dataclass(frozen=True)
class Peer:
    """The re-enacted steps on a database of their own."""

    engine: sa.Engine
    night: Night

    def seconds(self) -> float:
        """Return the time of all files, beginning with empty tables."""
        with self.engine.begin() as connection:
            connection.execute(sa.text("TRUNCATE fulltextheader, header, diskfile, file"))
        start = time.perf_counter()
        with Session(self.engine) as session:
            for path in self.night.paths:
                fitsstorage.ingest(session, path, path.parent)
        return time.perf_counter() - start

    def check(self) -> None:
        """Make sure that the peer did the work."""
        with Session(self.engine) as session:
            sums = {row.filename: row.file_md5 for row in session.query(fitsstorage.DiskFile)}
            texts = session.query(fitsstorage.FullText).count()
            headers = session.query(fitsstorage.HeaderRow).count()
        expected = {path.name: fitsstorage.md5_of(path) for path in self.night.paths}
        if sums != expected or texts != FILES or headers != FILES:
            raise AssertionError("the peer did not take every file in")


async def _measure(folder: Path, rounds: int) -> dict[str, float]:
    (folder / "night").mkdir()
    night = make_night(folder / "night")
    times: dict[str, list[float]] = {"summed": [], "known": [], PEER: []}
    server = await EmbeddedServer.acquire(folder / "postgres", account=ACCOUNT)
    try:
        theirs = Peer(await fitsstorage.create(server), night)
        async with ours(server, night, folder / "private") as mine:
            for number in range(rounds + 1):
                found = {"summed": await mine.seconds(known=False)}
                await mine.check()
                found["known"] = await mine.seconds(known=True)
                await mine.check()
                found[PEER] = await asyncio.to_thread(theirs.seconds)
                for name, seconds in found.items():
                    times[name] += [seconds] if number else []
        theirs.check()
        theirs.engine.dispose()
    finally:
        await server.release()
    return {name: median(found) / FILES for name, found in times.items()}


def run(*, rounds: int = ROUNDS) -> list[Row]:
    """Measure both rows of benchmark 4, in seconds per file."""
    with scratch() as folder:
        found = asyncio.run(_measure(folder, rounds))
    peers = {PEER: found[PEER]}
    return [
        Row("4", "ingest of a 5 MB file, every byte summed", found["summed"], peers, {PEER: 20.0}),
        Row("4 known", "the same, its checksum came with the upload", found["known"], peers, {PEER: 100.0}),
    ]


if __name__ == "__main__":
    finish(run())
