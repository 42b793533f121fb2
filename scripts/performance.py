"""Write the results of `make bench` into docs/performance.md, and the best-known rows into the README.

The rows are those of benchmarks/results.json, which the benchmark writes; those of groups that did not run stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TOP = Path(__file__).parent.parent
RESULTS = TOP / "benchmarks" / "results.json"
HEAD = "| # | Work | Ours | Peer | Peer's time | Ratio | Target |\n|---|---|---|---|---|---|---|\n"
TABLE = re.compile(re.escape(HEAD) + r"((?:\|.*\n)*)")
KNOWN = {
    "1": "astropy",
    "2": "astropy",
    "2c": "decompress, edit by astropy, recompress",
    "2e": "one by one",
    "3": "md5",
    "4": "steps of FitsStorage",
    "4b.1": "limit of 1 ms",
    "4b.5": "limit of 1 ms",
    "5": "pgqueuer",
    "8b": "ZScale + matplotlib",
}
"""The rows of the README: number and peer."""


def shown(value: float) -> str:
    """Return a number with three digits, or with all of those before the point."""
    return f"{value:,.0f}".replace(",", " ") if value >= 1000 else f"{value:.3g}"


def seconds(value: float) -> str:
    """Return a time in a unit that needs few digits."""
    for limit, unit, factor in ((1e-3, "µs", 1e6), (1.0, "ms", 1e3)):
        if value < limit:
            return f"{value * factor:.3g} {unit}"
    return f"{value:.3g} s"


def order_of(number: str) -> tuple[Any, ...]:
    """Return what sorts numbers as people do: 2, 2b, 10.1, 10.1 next."""
    first, *rest = re.findall(r"\d+|\D+", number)
    return (int(first), *(f"{int(part):03d}" if part.isdigit() else part for part in rest))


def rows(found: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield number, peer and line of every row."""
    for number in sorted(found, key=order_of):
        row = found[number]
        for peer, theirs in row["peers_s"].items():
            ratio, target = shown(theirs / row["ours_s"]), row["targets"].get(peer)
            cells = (
                *(number, row["work"], seconds(row["ours_s"]), peer, seconds(theirs)),
                *(f"{ratio}x", "" if target is None else f"{target:g}x"),
            )
            yield number, peer, f"| {' | '.join(cells)} |\n"


def cells(line: str) -> tuple[str, str]:
    """Return number and peer of a line of a table."""
    found = line.strip("| \n").split(" | ")
    return found[0], found[3]


def merged(lines: str, found: dict[tuple[str, str], str]) -> str:
    """Return the lines of a table, those that were measured anew in the place of the old ones."""
    known = {cells(line): line for line in lines.splitlines(keepends=True)} | found
    return "".join(known[key] for key in sorted(known, key=lambda key: order_of(key[0])))


def main() -> None:
    """Renew the two tables."""
    found = json.loads(RESULTS.read_text("utf-8"))
    every = {(number, peer): line for number, peer, line in rows(found)}
    best = {key: line for key, line in every.items() if KNOWN.get(key[0]) == key[1]}
    for page, lines in (("docs/performance.md", every), ("README.md", best)):
        path = TOP / page
        text, count = TABLE.subn(
            lambda table, lines=lines: HEAD + merged(table[1], lines), path.read_text("utf-8")
        )
        if count != 1:
            raise SystemExit(f"{page} has no table of benchmarks.")
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
