"""Measure everything side by side in one run: `python -m benchmarks`, or some of it: `python -m benchmarks 4 5`.

Prints one table and writes ``benchmarks/results.json``. Exits with 1 if a target is missed or an output is wrong.
A group of rows that misses a target is measured once more, and the table says so: the figures of a machine that
does something else for a moment are not ours.
"""

from __future__ import annotations

import dataclasses
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from armillary.base import log
from benchmarks import (
    almanac,
    bulk,
    containers,
    edits,
    frames,
    headers,
    images,
    ingest,
    nights,
    pipe,
    queue,
    updates,
    zips,
)
from benchmarks.machine import describe_machine
from benchmarks.table import Row, print_table, write_json

Group = Callable[[], Sequence[Row]]
GROUPS: dict[str, Group] = {
    "1": lambda: [headers.read_one_header()],
    "1b": headers.read_all_headers,
    "2 2b 2d": edits.large_edits,
    "2c": lambda: [containers.edit_compressed()],
    "2e": lambda: [edits.queued_edits()],
    "3": lambda: [headers.checksum_after_edit()],
    "4": ingest.run,
    "4b": frames.rows,
    "4e": images.rows,
    "5": queue.rows,
    "5b": pipe.rows,
    "6": almanac.run,
    "6b": nights.run,
    "8": zips.rows,
    "8b": containers.make_preview,
    "9": bulk.run,
    "10": updates.run,
}
err = Console(stderr=True)


def measured(group: Group) -> list[Row]:
    """Return the rows of a group; if one misses a target, those of a second measurement."""
    rows = list(group())
    if not any(row.missed() for row in rows):
        return rows
    missed = ", ".join(row.number for row in rows if row.missed())
    err.print(f"  {missed}: missed, measured once more")
    return [dataclasses.replace(row, work=f"{row.work} (measured twice)") for row in group()]


def main(wanted: Sequence[str]) -> int:
    """Measure the wanted groups, or all; return the exit code."""
    log.configure(level="ERROR")
    machine = describe_machine(Path.cwd())
    err.print(
        "  ".join(f"{name}: {value}" for name, value in machine.items()), soft_wrap=True, highlight=False
    )
    rows: list[Row] = []
    wrong: list[str] = []
    for number, group in GROUPS.items():
        if wanted and not set(wanted) & set(number.split()):
            continue
        start = time.monotonic()
        err.print(f"measuring {number} ...")
        try:
            rows += measured(group)
        except Exception:
            traceback.print_exc()
            wrong.append(number)
        err.print(f"  {time.monotonic() - start:.0f} s")
    print_table(rows)
    write_json(rows, machine=machine)
    for number in wrong:
        print(f"{number}: failed, see above")
    return 1 if wrong or any(row.missed() for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
