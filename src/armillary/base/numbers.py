"""Numbers as they come from outside: as such, or as text."""

from __future__ import annotations

import math
from typing import Any


def finite(value: Any) -> float | None:
    """Return a finite number that is given as such or as text, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None
