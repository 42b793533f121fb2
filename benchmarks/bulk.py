"""Benchmark 9: one change set over many small files, with audit, journal and syncs, by two worker processes.

`BULK_FILES` says how many files (5000 unless set). Pictures are left out: an edit of a header draws none. The time
ends when nothing is left to do, digests included; then every file is read again, and its card, its checksum and
its record are compared.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from astropy.io import fits
from rich.console import Console

from armillary.access.models import Scope
from armillary.access.service import create_token
from armillary.archive.intake.verification import verify_files
from armillary.context import Context
from benchmarks.scratch import scratch
from benchmarks.served import LOOK_S, archive_of, memory_mb, nothing_left, processes, scalar, take_in
from benchmarks.table import Row, finish

FILES = int(os.environ.get("BULK_FILES", "5000"))
WORKERS, CARDS, SIDE, PER_FOLDER = 2, 60, 36, 1000
WANTED_PER_S = 500
FLAT = 1.3
"""Times that the memory of a process may grow from a tenth of the work to its end."""
WANTED = {
    "selection": ["present"],
    "values": {"generic": [["OBSERVER", "A. Newcomer"]]},
    "reject_new": True,
    "why": "bulk",
}
err = Console(stderr=True)


@dataclass(slots=True)
class Course:
    """What was seen of a change set: seconds, and the memory of web and workers in MB at shares of the work."""

    seconds: float = 0.0
    memory: list[tuple[float, list[int]]] = field(default_factory=list)

    def grown(self) -> float:
        """Return how many times as large a process is at the end as it was after a tenth of the work."""
        early = next(sizes for share, sizes in self.memory if share >= 0.1)
        return max(last / first for first, last in zip(early, self.memory[-1][1], strict=True))


def make_files(folder: Path) -> None:
    """Write small images with unlike headers."""
    pixels, template = os.urandom(SIDE * 40 * 2), a_template()
    for number in range(FILES):
        values = {
            "DATE-OBS": f"'2026-01-{1 + number // 4000 % 28:02d}'",
            "OBJECT": f"'Field {number % 97}'",
            "DATALAB": f"'GN-2026A-Q-1-{number}-001'",
            "EXPTIME": f"{1.5 + number % 300:20}",
        }
        cards = [
            f"{card[:8]}= {values[key]:20}" if (key := card[:8].strip()) in values else card
            for card in template
        ]
        header = "".join(card.ljust(80) for card in cards).encode("ascii")
        content = header + b" " * (-len(header) % 2880) + pixels
        below = folder / f"{number // PER_FOLDER:03d}"
        below.mkdir(parents=True, exist_ok=True)
        (below / f"N2026S{number:06d}.fits").write_bytes(content + bytes(-len(content) % 2880))
    os.sync()


def a_template() -> list[str]:
    """Return the cards that all files have, END included."""
    header = fits.Header([("SIMPLE", True), ("BITPIX", 16), ("NAXIS", 2), ("NAXIS1", SIDE), ("NAXIS2", 40)])
    header["INSTRUME"] = "GMOS-N"
    for keyword in ("DATE-OBS", "OBJECT", "DATALAB", "EXPTIME"):
        header[keyword] = ""
    header["OBSERVER"] = ("nobody", "who was it")
    for fill in range(CARDS - len(header)):
        header[f"KEY{fill:05d}"] = (fill * 1.37, f"comment number {fill}")
    return [str(card) for card in header.cards] + ["END"]


async def follow(
    context: Context, client: httpx.AsyncClient, path: str, pids: Sequence[int], end: str
) -> Course:
    """Watch a change set over HTTP until nothing is left to do."""
    course, start = Course(), time.perf_counter()
    while True:
        reply = await client.get(path)
        known = reply.raise_for_status().json()
        files = known.get("files", {})
        share = 1 - sum(files.get(state, 0) for state in ("waiting", "queued", "reverting")) / FILES
        course.memory.append((share, [memory_mb(pid) for pid in pids]))
        if known["state"] == end:
            break
        if known["state"] == "failed":
            raise AssertionError(known["error"])
        await asyncio.sleep(LOOK_S)
    await nothing_left(context)
    course.seconds = time.perf_counter() - start
    return course


async def measured(folder: Path) -> dict[str, Course]:
    """Apply a change set to all files, revert it, and check every file after both."""
    make_files(folder / "night")
    async with archive_of(folder) as context:
        with processes(context.settings.data, workers=WORKERS) as tree:
            start = time.perf_counter()
            await take_in(context, folder / "night", products=False)
            err.print(f"  {FILES} files taken in: {time.perf_counter() - start:.0f} s")
            async with context.database.begin() as connection:
                token = await create_token(connection, "bulk", [Scope.EDIT], now=context.clock.now())
            headers = {"X-Api-Key": token}
            async with httpx.AsyncClient(
                base_url=tree.address, headers=headers, timeout=60, trust_env=False
            ) as client:
                reply = await client.post("/v1/changesets", json=WANTED)
                path = reply.raise_for_status().headers["Location"]
                applied = await follow(context, client, path, tree.pids, "completed")
                await check(context, folder / "night", "A. Newcomer", records=1)
                (await client.post(f"{path}/revert")).raise_for_status()
                reverted = await follow(context, client, path, tree.pids, "reverted")
                await check(context, folder / "night", "nobody", records=2)
    return {"applied": applied, "reverted": reverted}


async def check(context: Context, folder: Path, observer: str, *, records: int) -> None:
    """Compare every file, its checksum in the catalog, its digests and its records."""
    card = f"OBSERVER= '{observer:8}'".encode()
    paths = list(folder.glob("*/*.fits"))
    if len(paths) != FILES or not all(card in path.read_bytes() for path in paths):
        raise AssertionError("a file on disk does not say what it should")
    problems = [one async for one in verify_files(context, ()) if one.problem]
    if problems:
        raise AssertionError(problems[0])
    found = await scalar(context, "SELECT count(*) FROM edit WHERE change_set > 0 AND outcome = 'changed'")
    if found != records * FILES:
        raise AssertionError(f"{found} records instead of {records * FILES}")
    if lacking := await scalar(context, "SELECT count(*) FROM version WHERE present AND file_md5 IS NULL"):
        raise AssertionError(f"{lacking} files have no digests")


def run() -> list[Row]:
    """Measure change set and reversal, in seconds per file."""
    with scratch() as folder:
        courses = asyncio.run(measured(folder))
    rows = []
    for number, (name, course) in zip(("9", "9 revert"), courses.items(), strict=True):
        middle, last = course.memory[len(course.memory) // 2], course.memory[-1]
        err.print(
            f"  {name}: {FILES / course.seconds:.0f} files/s, {course.seconds:.1f} s; memory of web and workers"
            f" {course.memory[0][1]} MB at the beginning, {middle[1]} in the middle, {last[1]} at the end"
        )
        if FILES >= 20_000 and course.grown() > FLAT:
            raise AssertionError(f"{name}: a process grew {course.grown():.2f} times")
        peers = {f"{WANTED_PER_S} files/s": 1 / WANTED_PER_S}
        targets = dict.fromkeys(peers, 1.0) if name == "applied" else {}
        rows.append(
            Row(number, f"bulk edit of {FILES} files, {name}", course.seconds / FILES, peers, targets)
        )
    return rows


if __name__ == "__main__":
    finish(run())
