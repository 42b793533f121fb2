"""The reference page says what the program says of itself."""

from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "reference.py"


def test_reference_page_is_up_to_date() -> None:
    script = runpy.run_path(str(SCRIPT))
    assert script["TARGET"].read_text() == script["reference"](), "run python scripts/reference.py"
