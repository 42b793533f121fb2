"""Benchmark 5c: from a kill of every process to the first waiting edit that lands, beside a clean start.

Settings are the default ones. An edit that is under way is killed with everything else: web process, workers,
supervisor and database at one instant, as when power fails. The time goes from that kill to the end of the edit,
with all that `armillary up` does. The peer is a start after a stop in good order, with an edit that waits for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median

from tests.crash.tree import DEFAULTS, Tree

from armillary.archive.intake import bulk
from armillary.base.place import PRIVATE, STORE
from armillary.base.store.locks import PathLocks
from armillary.base.work import Worker, wait_for
from armillary.commands.work import KINDS
from armillary.context import Context
from armillary.edits.acceptance import rules_of, submit_edit
from armillary.edits.models import Origin, Target
from armillary.edits.words import request_of_words
from benchmarks.bulk import a_template
from benchmarks.scratch import scratch
from benchmarks.served import LIMIT_S, archive_of, scalar
from benchmarks.table import Row, finish

ROUNDS, WITHIN_S = 3, 2.0
NAME, ORIGIN = "N20260101S0001.fits", Origin("bench", "127.0.0.1", "")
LOOK_S = 0.01
_numbers = count()


@dataclass(frozen=True)
class Archive:
    """An archive in a directory, and the processes that may be serving it."""

    folder: Path
    tree: Tree

    async def fill(self) -> None:
        """Take a file in."""
        header = "".join(card.ljust(80) for card in a_template()).encode("ascii")
        path = self.folder / NAME
        path.write_bytes(header + b" " * (-len(header) % 2880) + bytes(2880))
        async with archive_of(self.folder) as context:
            await bulk.submit_paths(context, [path], copy=True, force=False, in_place=False)
            await Worker(context, KINDS, name="bench").drain()

    async def queue(self, *, begun: bool = False) -> int:
        """Have an edit accepted and return its order, once it is under way if it is to be ``begun``."""
        async with archive_of(self.folder) as context:
            cards = {"generic": [["OBSERVER", f"number {next(_numbers)}"]]}
            request = request_of_words(Target(NAME), cards, rules_of(context.settings.edits))
            answer, _ = await submit_edit(context, request, ORIGIN)
            while begun and await _state(context, answer.order_id) != "Started":  # noqa: ASYNC110 (by others)
                await asyncio.sleep(LOOK_S)
        return answer.order_id

    async def landed(self, order: int) -> float:
        """Wait for the end of an edit and return when it was, in seconds since 1970."""
        async with archive_of(self.folder) as context:
            await wait_for(context.database, context.signals, [order], LIMIT_S)
            if (state := await _state(context, order)) != "Completed":
                raise AssertionError(f"the edit ended as {state}")
            ended = f"SELECT extract(epoch FROM finished)::float8 FROM work_order WHERE id = {order}"
            return float(await scalar(context, ended))

    def stop(self) -> None:
        """Stop everything in good order."""
        self.tree.stop()
        self.tree.await_rest()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep edits from coming to their end: whoever begins one waits in it."""
        locks = PathLocks(self.tree.data / PRIVATE / STORE / "locks")
        try:
            while locks.try_all([NAME]):
                time.sleep(LOOK_S)
            yield
        finally:
            locks.close()


async def _state(context: Context, order: int) -> str:
    return str(await scalar(context, f"SELECT state FROM work_order WHERE id = {order}"))


def _clean_start(archive: Archive) -> float:
    """Return the seconds from a start to the end of an edit that waited for it."""
    order = asyncio.run(archive.queue())
    archive.tree.await_rest()
    archive.tree.start()
    seconds = asyncio.run(archive.landed(order)) - archive.tree.began
    archive.stop()
    return seconds


def _outage(archive: Archive) -> float:
    """Return the seconds from a kill of everything to the end of the edit that was under way."""
    archive.tree.start()
    with archive.held():
        order = asyncio.run(archive.queue(begun=True))
        killed = time.time()
        archive.tree.fail()
    asyncio.run(archive.tree.begin_anew())
    seconds = asyncio.run(archive.landed(order)) - killed
    archive.stop()
    return seconds


def rows() -> list[Row]:
    """Measure and return the row of benchmark 5c."""
    with scratch() as folder:
        archive = Archive(folder, Tree(folder / "data", settings=DEFAULTS))
        try:
            asyncio.run(archive.fill())
            found = [(_outage(archive), _clean_start(archive)) for _ in range(ROUNDS)]
        finally:
            archive.tree.clear()
    ours, clean = (median(seconds) for seconds in zip(*found, strict=True))
    work = "from a kill of every process to the first waiting edit, landed"
    peers = {f"a clean start, and {WITHIN_S:g} s": clean + WITHIN_S, "a clean start": clean}
    return [Row("5c", work, ours, peers, {f"a clean start, and {WITHIN_S:g} s": 1.0})]


if __name__ == "__main__":
    finish(rows())
