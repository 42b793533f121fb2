"""Measure everything side by side in one run: `python -m benchmarks`, or some of it: `python -m benchmarks 4 5`.

Prints one table and writes ``benchmarks/results.json``. Exits with 1 if a target is missed or an output is wrong.
A group of rows that misses a target is measured once more, and the table says so: the figures of a machine that
does something else for a moment are not ours. Each group has a process of its own: what one leaves in memory would
slow the collector of garbage of the next, and count as the memory of its commands.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console

from benchmarks.groups import GROUPS, measured
from benchmarks.machine import describe_machine
from benchmarks.table import Row, print_table, write_json

err = Console(stderr=True)


def apart(number: str) -> list[Row]:
    """Return the rows of a group, measured in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(measured, number).result()


def main(wanted: Sequence[str]) -> int:
    """Measure the wanted groups, or all; return the exit code."""
    machine = describe_machine(Path.cwd())
    err.print(
        "  ".join(f"{name}: {value}" for name, value in machine.items()), soft_wrap=True, highlight=False
    )
    rows: list[Row] = []
    wrong: list[str] = []
    for number in GROUPS:
        if wanted and not set(wanted) & set(number.split()):
            continue
        start = time.monotonic()
        err.print(f"measuring {number} ...")
        try:
            found = apart(number)
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
