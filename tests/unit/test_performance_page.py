"""The table of the README is a choice from that of all benchmarks, with what a user waits for first."""

from __future__ import annotations

import runpy
from pathlib import Path

TOP = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(TOP / "scripts" / "performance.py"))


def table(page: str) -> list[str]:
    """Return the lines of the table of benchmarks in a page."""
    lines: str = SCRIPT["parts"]((TOP / page).read_text("utf-8"), page)[1]
    return lines.splitlines(keepends=True)


def test_the_readme_shows_the_chosen_rows_in_their_order_as_they_were_measured() -> None:
    rows = table("README.md")
    assert tuple(map(SCRIPT["cells"], rows)) == SCRIPT["KNOWN"]
    assert set(rows) <= set(table("docs/performance.md"))


def test_what_a_user_waits_for_stands_first() -> None:
    assert [SCRIPT["cells"](row)[0] for row in table("README.md")][:3] == ["4c", "4c", "4d"]
