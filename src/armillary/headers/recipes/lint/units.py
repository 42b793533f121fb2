"""What is to be said of units: whether they exist, convert, and agree with the words of a comment."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

_BRACKETS = re.compile(r"\[([^\]]+)\]|\(([^)]+)\)")
_SPELT = re.compile(r"\bin ([A-Za-z%/]+)")


@lru_cache(maxsize=1024)
def unit_of(name: str) -> Any:
    """Return the unit of a name by astropy; None if there is none."""
    # Only here: every worker loads this module, and few ever judge a recipe.
    from astropy import units

    try:
        return units.Unit(name)
    except (ValueError, TypeError):
        return None


def fault(given: str, out: str) -> str | None:
    """Return why a value cannot be converted from a unit to another; None if it can."""
    from astropy import units

    for name in (given, out):
        if unit_of(name) is None:
            return f"There is no unit {name}"
    if not unit_of(given).is_equivalent(unit_of(out), equivalencies=units.temperature()):
        return f"{given} does not convert to {out}"
    return None


def same(one: str, other: str) -> bool:
    """Tell whether two names mean the same unit."""
    return one == other or (unit_of(one) is not None and unit_of(one) == unit_of(other))


def contradicted(comment: str, unit: str) -> str | None:
    """Return the unit that a comment speaks of, in brackets or after "in", if the card has another."""
    told: list[str] = [one for pair in _BRACKETS.findall(comment) for one in pair if one] + _SPELT.findall(
        comment
    )
    for name in told:
        # Words such as "in a" are units to astropy, too; one letter counts in brackets alone.
        if len(name) == 1 and f"[{name}]" not in comment and f"({name})" not in comment:
            continue
        spelt = name[:-1] if unit_of(name) is None and name.endswith("s") else name
        if unit_of(spelt) is not None and not same(spelt, unit):
            return name
    return None
