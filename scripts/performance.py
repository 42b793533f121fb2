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
KNOWN = (
    ("4c", "astropy + Pillow + hashlib"),
    ("4c", "1 ms a file"),
    ("4d", "2 s"),
    ("1", "astropy"),
    ("2", "astropy"),
    ("2c", "decompress, edit by astropy, recompress"),
    ("2e", "one by one"),
    ("3", "md5"),
    ("4", "steps of FitsStorage"),
    ("4b.1", "limit of 1 ms"),
    ("4b.5", "limit of 1 ms"),
    ("5", "pgqueuer"),
    ("8b", "ZScale + matplotlib"),
)
"""The rows of the README, number and peer: first what a user waits for, then the engines."""


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


def merged(lines: str, found: dict[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    """Return the lines of a table, those that were measured anew in the place of the old ones."""
    known = {cells(line): line for line in lines.splitlines(keepends=True)} | found
    return {key: known[key] for key in sorted(known, key=lambda key: order_of(key[0]))}


def written(page: str, found: dict[tuple[str, str], str], chosen: tuple[tuple[str, str], ...] = ()) -> None:
    """Renew the table of a page: every row by its number, or the chosen ones in their order."""
    path = TOP / page
    before, lines, after = parts(path.read_text("utf-8"), page)
    known = merged(lines, found)
    path.write_text(f"{before}{HEAD}{''.join(known[key] for key in chosen or known)}{after}", "utf-8")


def parts(text: str, page: str) -> tuple[str, str, str]:
    """Return what is before the only table of benchmarks, its lines, and what is behind it."""
    tables = list(TABLE.finditer(text))
    if len(tables) != 1:
        raise SystemExit(f"{page} has {len(tables)} tables of benchmarks instead of one.")
    return text[: tables[0].start()], tables[0][1], text[tables[0].end() :]


def main() -> None:
    """Renew the table of all rows, and that of the best-known ones from it."""
    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    written("docs/performance.md", {(number, peer): line for number, peer, line in rows(results)})
    every = parts((TOP / "docs/performance.md").read_text("utf-8"), "docs/performance.md")[1]
    written("README.md", merged(every, {}), KNOWN)


if __name__ == "__main__":
    main()
