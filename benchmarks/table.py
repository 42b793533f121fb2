"""Rows of measurements: timing that interleaves the variants, the printed table, the JSON file."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results.json"


@dataclass(frozen=True)
class Row:
    """One line: seconds of our way and of each peer, and how many times slower a peer must be."""

    number: str
    work: str
    ours_s: float
    peers: dict[str, float]
    targets: dict[str, float]

    def ratio(self, peer: str) -> float:
        """Return how many times longer the peer takes."""
        return self.peers[peer] / self.ours_s

    def missed(self) -> list[str]:
        """Return the peers whose target is missed."""
        return [peer for peer, target in self.targets.items() if self.ratio(peer) < target]


Again = Callable[[Sequence[Row]], bool]
"""Tells whether these rows are to be measured once more: who prepared much for them need not do it again."""


def interleave(variants: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, float]:
    """Run every variant once per round and return the median seconds of each.

    A first round, not counted, warms caches. Interleaving lets a slow moment of the machine hit all alike.
    """
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds + 1):
        for name, work in variants.items():
            start = time.perf_counter()
            work()
            if number:
                seconds[name].append(time.perf_counter() - start)
    return {name: median(times) for name, times in seconds.items()}


def print_table(rows: Sequence[Row]) -> None:
    """Print the rows with ratios and targets."""
    table = Table("#", "Work", "Ours", "Peer", "Peer's time", "Ratio", "Target", "")
    for row in rows:
        for peer, seconds in row.peers.items():
            target = row.targets.get(peer)
            verdict = "" if target is None else "missed" if peer in row.missed() else "met"
            table.add_row(
                *(row.number, row.work, _time(row.ours_s), peer, _time(seconds)),
                *(f"{row.ratio(peer):.1f}x", "" if target is None else f">= {target:g}x", verdict),
            )
    console = Console()
    console.width = max(console.width, 130)
    console.print(table)


def _time(seconds: float) -> str:
    """Return a time in a unit that needs few digits."""
    for limit, unit, factor in ((1e-3, "us", 1e6), (1.0, "ms", 1e3)):
        if seconds < limit:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def write_json(
    rows: Sequence[Row], path: Path = RESULTS, *, machine: Mapping[str, str] | None = None
) -> None:
    """Merge the rows into a JSON file, by number; each row says on what machine it was measured, if known."""
    found = json.loads(path.read_text("utf-8")) if path.exists() else {}
    for row in rows:
        found[row.number] = {
            "work": row.work,
            "ours_s": row.ours_s,
            "peers_s": row.peers,
            "ratios": {peer: round(row.ratio(peer), 2) for peer in row.peers},
            "targets": row.targets,
            "missed": row.missed(),
            **({"machine": dict(machine)} if machine else {}),
        }
    path.write_text(json.dumps(dict(sorted(found.items())), indent=2) + "\n", "utf-8")


def finish(rows: Sequence[Row]) -> None:
    """Print and store the rows; exit with 1 if a target is missed."""
    print_table(rows)
    write_json(rows)
    sys.exit(1 if any(row.missed() for row in rows) else 0)
