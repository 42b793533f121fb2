"""Print results for eyes: columns that fit a terminal, and nothing cut where nobody looks."""

from __future__ import annotations

from collections.abc import Sequence

from armillary.commands.terminal import escape, out

GAP = "  "
LEAST = 10
"""Characters that a column keeps when a terminal is too narrow for all of it."""


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows below their headings.

    On a terminal, columns without any value are left out, and those after the first are shortened, then
    dropped, until a line fits. In a pipe or file every value is complete.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    hidden: list[str] = []
    if out.is_terminal:
        empty = [bool(rows) and not any(row[at] for row in cells) for at in range(len(headings))]
        widths = [0 if nothing else width for nothing, width in zip(empty, widths, strict=True)]
        hidden = _fit(widths, headings, out.width)
    for row in (headings, *cells):
        out.print(escape(_line(row, widths)))
    if hidden:
        out.print(f"[dim]not shown: {', '.join(hidden)}; widen the terminal or use --json[/]")


def print_pairs(pairs: Sequence[tuple[str, object]]) -> None:
    """Print what is known of one thing, one name and value per line."""
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        out.print(f"[dim]{escape(name.ljust(width))}[/]{GAP}{escape(_cell(value))}")


def size(count: int) -> str:
    """Return a number of bytes with its unit, in steps of 1024."""
    scaled = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if scaled < 1024:
            return f"{scaled:.0f} {unit}" if unit == "bytes" else f"{scaled:.1f} {unit}"
        scaled /= 1024
    return f"{scaled:.1f} TiB"


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _fit(widths: list[int], headings: Sequence[str], most: int) -> list[str]:
    """Narrow columns until a line fits; return the headings of those that had to go."""
    hidden: list[str] = []
    while sum(widths) + len(GAP) * (sum(map(bool, widths)) - 1) > most:
        spare = [width - max(LEAST, len(heading)) for width, heading in zip(widths, headings, strict=True)]
        widest = max(range(1, len(widths)), key=lambda at: spare[at], default=0)
        if widest and spare[widest] > 0:
            widths[widest] -= 1
            continue
        last = max((at for at in range(1, len(widths)) if widths[at]), default=0)
        if not last:
            break
        hidden.insert(0, headings[last])
        widths[last] = 0
    return hidden


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    shown = [
        (cell if len(cell) <= width else cell[: width - 1] + "…").ljust(width)
        for cell, width in zip(row, widths, strict=True)
        if width
    ]
    return GAP.join(shown).rstrip()
