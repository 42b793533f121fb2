"""The groups of rows, by the numbers of their rows, and how one is measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

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
    outages,
    pages,
    pipe,
    queue,
    rendering,
    small_files,
    starting,
    tiles,
    updates,
    zips,
)
from benchmarks.table import Again, Row, print_table

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
    "5c": anew(outages.rows),
    "6": anew(almanac.run),
    "6b": anew(nights.run),
    "7 7a": anew(rendering.rows),
    "7b": anew(announcing.rows),
    "7c": anew(bus.rows),
    "8": anew(zips.rows),
    "8b": anew(containers.make_preview),
    "8c": anew(tiles.rows),
    "9": anew(bulk.run),
    "10": anew(updates.run),
    "11": pages.rows,
    "12": anew(starting.rows),
}
err = Console(stderr=True)


def measured(number: str) -> list[Row]:
    """Return the rows of a group; if one misses a target, those of a second measurement."""
    log.configure(level="ERROR")
    first: list[Row] = []

    def again(rows: Sequence[Row]) -> bool:
        missed = [row for row in rows if row.missed()]
        if first or not missed:
            return False
        first.extend(rows)
        err.print(f"  {', '.join(row.number for row in missed)}: missed, measured once more")
        print_table(missed)
        return True

    rows = GROUPS[number](again)
    return [dataclasses.replace(row, work=f"{row.work} (measured twice)") if first else row for row in rows]
