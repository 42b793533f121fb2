"""The pages that the script of the reference writes say what the program says of itself."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "reference.py"


@pytest.mark.parametrize("name", ["reference.md", "instruments.md", "quality.md"])
def test_written_pages_are_up_to_date(name: str) -> None:
    script = runpy.run_path(str(SCRIPT))
    assert (script["DOCS"] / name).read_text() == script["PAGES"][name](), "run python scripts/reference.py"
