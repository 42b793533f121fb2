"""Benchmark 12: help, and a read command on a small archive, each in a process of its own.

The peer does the same after it has imported the whole program, as every command did before each of them loaded
what it needs and nothing else. The database runs meanwhile: to start it takes as long either way.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from armillary.archive.intake import bulk
from armillary.base.work import Worker
from armillary.commands.work import KINDS
from benchmarks.bulk import a_template
from benchmarks.scratch import scratch
from benchmarks.served import ACCOUNT, archive_of
from benchmarks.table import Row, finish, interleave

FILES, ROUNDS = 20, 9
PEER = "the whole program imported first"
WHOLE = """
import runpy, sys
import armillary.app
runpy.run_module("armillary", run_name="__main__", alter_sys=True)
"""
HELP, READ = 4.0, 2.0
"""Help takes a quarter of what it took, a read command half of it."""


def _write_files(folder: Path) -> None:
    """Write small files: headers, and pixels that are all zero."""
    folder.mkdir()
    header = "".join(card.ljust(80) for card in a_template()).encode("ascii")
    content = header + b" " * (-len(header) % 2880) + bytes(2880)
    for number in range(FILES):
        (folder / f"N20260101S{number:04d}.fits").write_bytes(content)


def _said(start: Sequence[str], words: Sequence[str]) -> str:
    """Run a command in a process of its own and return what it prints."""
    environment = os.environ | {"ARMILLARY_DATABASE__ACCOUNT": ACCOUNT, "COLUMNS": "100"}
    command = [sys.executable, *start, *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def _row(number: str, work: str, words: Sequence[str], *, target: float) -> Row:
    ours, peer = partial(_said, ["-m", "armillary"], words), partial(_said, ["-c", WHOLE], words)
    if not ours() or ours() != peer():
        raise AssertionError(f"{' '.join(words)} says something else")
    seconds = interleave({"ours": ours, PEER: peer}, rounds=ROUNDS)
    return Row(number, work, seconds.pop("ours"), seconds, {PEER: target})


async def _measure(folder: Path) -> list[Row]:
    await asyncio.to_thread(_write_files, folder / "night")
    async with archive_of(folder) as context:
        await bulk.submit_paths(context, [folder / "night"], copy=True, force=False, in_place=False)
        await Worker(context, KINDS, name="bench").drain()
        search = ["search", "--limit", "5", "--data", str(context.settings.data)]
        measured = partial(asyncio.to_thread, _row)
        return [
            await measured("12", "`armillary --help`", ["--help"], target=HELP),
            await measured("12 search", f"`armillary search` among {FILES} frames", search, target=READ),
        ]


def rows() -> list[Row]:
    """Measure and return the rows of benchmark 12."""
    with scratch() as folder:
        return asyncio.run(_measure(folder))


if __name__ == "__main__":
    finish(rows())
