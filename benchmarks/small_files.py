"""Benchmarks 4c and 4d: `armillary ingest` of 10 000 small files, as a user waits for it.

The whole command is measured, from the start of its process to its end, in an archive that exists already: the
embedded server is started, files are found, read, recorded, and their digests and pictures made. The files lie in
the page cache and all differ. The peer is a script without a database that does the same with the libraries that
such scripts use: header and pixels by astropy, both digests by hashlib, the limits of the stretch by astropy's
zscale, a preview of at most 1024 and a thumbnail of at most 256 pixels by Pillow. It runs in one process, as such
scripts do, and beside that in one for each of two cores. Then the command runs once more: nothing has changed.
"""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import md5, sha256
from pathlib import Path

import numpy as np
from astropy.io import fits

from benchmarks.scratch import scratch, wait_for_quick_files
from benchmarks.served import ACCOUNT, archive_of
from benchmarks.table import Row, finish

FILES, SIDE, HEADER = 10_000, 80, 5760
PEER, TWICE, LIMIT, AGAIN = "astropy + Pillow + hashlib", "the same in 2 processes", "1 ms a file", "2 s"
PREVIEW_PX, THUMBNAIL_PX, QUALITY = 1024, 256, 88
MEMORY_MB = 400
"""What no process of the command may exceed, however many files there are."""
LAUNCHER = """
import resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.call(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"\\n{time.perf_counter() - start} {used.ru_utime + used.ru_stime} {used.ru_maxrss}")
sys.exit(code)
"""
"""Measures a command from a small process: a new one counts the memory of the one that it came from as its own."""
RECORDED = """
SELECT f.name, v.data_md5, v.data_sha256, r.exposure_s, r.object,
    (SELECT count(*) FROM product AS p WHERE p.version_id = v.id AND p.key IS NOT NULL) AS pictures
FROM file AS f JOIN version AS v ON v.file_id = f.id AND v.present AND v.canonical
JOIN frame AS r ON r.version_id = v.id
"""
WRITES = """
SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables
WHERE relname IN ('file', 'version', 'frame', 'product', 'work_order', 'feed_entry')
"""


def make_files(folder: Path, count: int) -> None:
    """Write images of 80 x 80 pixels behind a header of two blocks, no two alike."""
    sky = np.random.default_rng(7).normal(1000, 30, (2 * SIDE, 2 * SIDE))
    for number in range(count):
        left, low = number % SIDE, number // SIDE % SIDE
        pixels = (sky[low : low + SIDE, left : left + SIDE] + number / SIDE**2).astype(">i2")
        data = a_header(number) + pixels.tobytes()
        night = folder / f"202601{1 + number // 1000:02d}"
        night.mkdir(exist_ok=True)
        (night / f"N{night.name}S{number % 1000:04d}.fits").write_bytes(
            data.ljust(-(-len(data) // 2880) * 2880, b"\0")
        )


def a_header(number: int) -> bytes:
    """Return a header as a small camera writes it."""
    values: dict[str, str | int | float | bool] = {
        "SIMPLE": True,
        "BITPIX": 16,
        "NAXIS": 2,
        "NAXIS1": SIDE,
        "NAXIS2": SIDE,
        "INSTRUME": "GUIDER",
        "TELESCOP": "Gemini-North",
        "OBJECT": f"Field {number}",
        "OBSTYPE": "OBJECT",
        "DATE-OBS": f"2026-01-{1 + number // 1000:02d}",
        "UT": f"{number // 60 % 24:02d}:{number % 60:02d}:07.125",
        "EXPTIME": 1.0 + number / 8,
        "FILTER1": "r_G0303",
        "RA": 15.0 + number / 100,
        "DEC": -20.0 + number / 1000,
        "EQUINOX": 2000.0,
        "AIRMASS": 1.1 + number % 90 / 100,
        "GAIN": 1.4,
        "OBSID": f"GN-2026A-Q-{1 + number // 100}",
        "DATALAB": f"GN-2026A-Q-{1 + number // 100}-{number % 100:03d}",
    }
    for fill in range(HEADER // 80 - 1 - len(values)):
        values[f"KEY{fill:05d}"] = (f"value {fill}", fill, fill * 1.37, fill % 8 == 0)[fill % 4]
    cards = [f"{a_card(keyword, value)} / comment on {keyword}" for keyword, value in values.items()]
    return "".join(f"{card:<80}" for card in [*cards, "END"]).encode("ascii")


def a_card(keyword: str, value: str | float | bool) -> str:
    """Return a card in the fixed format, without its comment."""
    match value:
        case bool():
            return f"{keyword:<8}= {'FT'[value]:>20}"
        case str():
            text = f"'{value:<8}'"
            return f"{keyword:<8}= {text:<20}"
        case _:
            return f"{keyword:<8}= {value!r:>20}"


@dataclass(frozen=True)
class Ran:
    """What a command took: seconds on the clock and of processors, and the largest of its processes."""

    seconds: float
    processor_s: float
    memory_mb: int
    text: str


def ran(*words: str | Path) -> Ran:
    """Run a command of ours or of the peer, in a process of its own."""
    # Or the disk would still write what the one before has left to it: the pictures of 20 000 files.
    os.sync()
    environment = os.environ | {"ARMILLARY_DATABASE__ACCOUNT": ACCOUNT}
    command = [sys.executable, "-c", LAUNCHER, sys.executable, *map(str, words)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{words[1]} ended with {done.returncode}: {done.stdout}")
    text, _, measured = done.stdout.rstrip().rpartition("\n")
    seconds, processor_s, memory_kb = map(float, measured.split())
    return Ran(seconds, processor_s, int(memory_kb) >> 10, text)


def ingest(folder: Path) -> Ran:
    """Let the command take the files in."""
    return ran("-m", "armillary", "ingest", folder / "files", "--data", folder / "data")


def peer(folder: Path, processes: int) -> Ran:
    """Let the script do the same."""
    return ran("-m", "benchmarks.small_files_peer", folder / "files", folder / "pictures", str(processes))


async def prepare(folder: Path) -> None:
    """Make the archive, with nothing in it."""
    async with archive_of(folder):
        pass


async def check(folder: Path, count: int) -> None:
    """Compare the catalog with the files."""
    async with archive_of(folder) as context, context.database.begin() as connection:
        rows = {row.name: row for row in await connection.exec_driver_sql(RECORDED)}
    paths = sorted((folder / "files").rglob("*.fits"))
    if len(rows) != count or len(paths) != count:
        raise AssertionError(f"{len(rows)} of {len(paths)} files are in the catalog")
    for number, path in enumerate(paths):
        row, data = rows[path.name], path.read_bytes()
        digests = md5(data, usedforsecurity=False).hexdigest(), sha256(data).hexdigest()
        if (row.data_md5, row.data_sha256) != digests or row.pictures != 2:
            raise AssertionError(f"{path.name}: digests are wrong, or pictures lack")
        if number % 100 == 0:
            header = fits.getheader(io.BytesIO(data))
            if (row.exposure_s, row.object) != (header["EXPTIME"], header["OBJECT"]):
                raise AssertionError(f"{path.name}: values differ from astropy's")


async def writes(folder: Path) -> int:
    """Return how many rows of the catalog and the queue were ever written."""
    async with archive_of(folder) as context, context.database.begin() as connection:
        await connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")
        return int((await connection.exec_driver_sql(WRITES)).scalar_one())


def run(*, count: int = FILES) -> Sequence[Row]:
    """Measure both rows."""
    with scratch() as folder:
        (folder / "files").mkdir()
        wait_for_quick_files(folder)
        make_files(folder / "files", count)
        single, double = peer(folder, 1), peer(folder, 2)
        asyncio.run(prepare(folder))
        ours = ingest(folder)
        if f"{count} ingested, 0 skipped, 0 failed" not in ours.text:
            raise AssertionError(ours.text)
        if ours.memory_mb > MEMORY_MB:
            raise AssertionError(f"a process of the command takes {ours.memory_mb} MB")
        asyncio.run(check(folder, count))
        before = asyncio.run(writes(folder))
        again = ingest(folder)
        if f"0 ingested, {count} skipped, 0 failed" not in again.text:
            raise AssertionError(again.text)
        if (more := asyncio.run(writes(folder)) - before) > 0:
            raise AssertionError(f"{more} rows were written although nothing changed")
    print(
        f"processor time a file: {1e3 * ours.processor_s / count:.2f} ms; memory {ours.memory_mb} MB",
        file=sys.stderr,
    )
    peers = {PEER: single.seconds / count, TWICE: double.seconds / count, LIMIT: 1e-3}
    work = f"armillary ingest of {count} files of 20 kB, digests and pictures, cold; one file"
    return [
        Row("4c", work, ours.seconds / count, peers, {PEER: 5.0, LIMIT: 1.0}),
        Row("4d", "the same again, nothing changed; all files", again.seconds, {AGAIN: 2.0}, {AGAIN: 1.0}),
    ]


if __name__ == "__main__":
    finish(run(count=int(sys.argv[1]) if sys.argv[1:] else FILES))
