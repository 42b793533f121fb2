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
    announcing,
    bulk,
    bus,
    containers,
    edits,
    frames,
    headers,
    images,
    ingest,
    nights,
    pipe,
    queue,
    rendering,
    small_files,
    updates,
    zips,
)
from benchmarks.machine import describe_machine
from benchmarks.table import Again, Row, print_table, write_json

Group = Callable[[Again], Sequence[Row]]


def anew(measure: Callable[[], Sequence[Row]]) -> Group:
    """Return a group that is measured once more from the beginning."""

    def run(again: Again) -> Sequence[Row]:
        rows = measure()
        return measure() if again(rows) else rows

    return run


GROUPS: dict[str, Group] = {
    "1": anew(lambda: [headers.read_one_header()]),
    "1b": anew(headers.read_all_headers),
    "2 2b 2d": anew(edits.large_edits),
    "2c": anew(lambda: [containers.edit_compressed()]),
    "2e": anew(lambda: [edits.queued_edits()]),
    "3": anew(lambda: [headers.checksum_after_edit()]),
    "4": anew(ingest.run),
    "4b": frames.rows,
    "4c 4d": anew(small_files.run),
    "4e": anew(images.rows),
    "5": anew(queue.rows),
    "5b": anew(pipe.rows),
    "6": anew(almanac.run),
    "6b": anew(nights.run),
    "7 7a": anew(rendering.rows),
    "7b": anew(announcing.rows),
    "7c": anew(bus.rows),
    "8": anew(zips.rows),
    "8b": anew(containers.make_preview),
    "9": anew(bulk.run),
    "10": anew(updates.run),
}
err = Console(stderr=True)


def measured(group: Group) -> list[Row]:
    """Return the rows of a group; if one misses a target, those of a second measurement."""
    first: list[Row] = []

    def again(rows: Sequence[Row]) -> bool:
        missed = [row for row in rows if row.missed()]
        if first or not missed:
            return False
        first.extend(rows)
        err.print(f"  {', '.join(row.number for row in missed)}: missed, measured once more")
        print_table(missed)
        return True

    rows = group(again)
    return [dataclasses.replace(row, work=f"{row.work} (measured twice)") if first else row for row in rows]


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
            found = measured(group)
            # At once, too: a run takes half an hour, and may be broken off.
            print_table(found)
            rows += found
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
