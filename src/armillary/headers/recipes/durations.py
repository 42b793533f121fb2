"""Texts of durations (``0.5s``, ``2min``) and of instants (``readout_start - 200ms``)."""

from __future__ import annotations

import re
from decimal import Decimal

from armillary.headers.recipes.models import Instant

_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)\s*(ns|us|ms|s|min|h|d)")
_INSTANT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\s*([-+])\s*(.+))?", re.DOTALL)


def duration_ns(text: str) -> int:
    """Return the nanoseconds of a duration: a number with its unit, ns us ms s min h d.

    Raises
    ------
    ValueError
        If it is none.
    """
    found = _DURATION.fullmatch(text.strip())
    if not found:
        raise ValueError(f"'{text}' is no duration; write a number and ns, us, ms, s, min, h or d: 0.5s")
    return int(Decimal(found[1]) * _UNITS_NS[found[2]])


def instant(text: str) -> Instant:
    """Return the instant that a moment, with a duration after or before it, stands for.

    Raises
    ------
    ValueError
        If it is none.
    """
    found = _INSTANT.fullmatch(text.strip())
    if not found:
        raise ValueError(f"'{text}' is no moment; write it as readout_start or readout_start - 200ms")
    offset = duration_ns(found[3]) if found[3] else 0
    return Instant(found[1], -offset if found[2] == "-" else offset)
