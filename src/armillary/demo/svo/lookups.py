"""Filters of lists: a field, a lookup, a value; by text, number or time."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from armillary.demo.svo.replies import bad
from armillary.demo.svo.values import instant
from armillary.demo.svo.world import BOOLEAN, INTEGER, REAL, TEXT, TIME

_OF_TEXT: Mapping[str, Callable[[str, str], bool]] = {
    "exact": lambda have, want: have == want,
    "iexact": lambda have, want: have.lower() == want.lower(),
    "contains": lambda have, want: want in have,
    "icontains": lambda have, want: want.lower() in have.lower(),
    "startswith": lambda have, want: have.startswith(want),
    "istartswith": lambda have, want: have.lower().startswith(want.lower()),
    "endswith": lambda have, want: have.endswith(want),
    "iendswith": lambda have, want: have.lower().endswith(want.lower()),
    "regex": lambda have, want: re.search(want, have) is not None,
    "iregex": lambda have, want: re.search(want, have, re.IGNORECASE) is not None,
}
_ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {
    "exact": lambda have, want: have == want,
    "gt": lambda have, want: have > want,
    "gte": lambda have, want: have >= want,
    "lt": lambda have, want: have < want,
    "lte": lambda have, want: have <= want,
}


def knows(kind: str, lookup: str) -> bool:
    """Tell whether a type of field can be looked up so."""
    if lookup == "isnull" or (kind != BOOLEAN and lookup == "in"):
        return True
    if kind == TEXT:
        return lookup in _OF_TEXT
    return lookup == "exact" if kind == BOOLEAN else lookup in _ORDERED or lookup == "range"


def matcher(kind: str, lookup: str, said: str) -> Callable[[Any], bool]:
    """Return what tells whether a stored value fits what was asked; lists of thousands are searched by it."""
    if lookup == "isnull":
        # Text that was never set is stored as an empty one, so it is never null.
        absent = said.lower() in ("true", "1")
        return lambda have: (have is None) == absent
    if lookup == "in":
        several = [read(kind, one) for one in said.split(",")]
        return lambda have: have is not None and have in several
    if lookup == "range":
        low, high = (read(kind, one) for one in said.partition(",")[::2])
        return lambda have: have is not None and bool(low <= have <= high)
    compare, wanted = (_OF_TEXT[lookup] if kind == TEXT else _ORDERED[lookup]), read(kind, said)
    return lambda have: have is not None and compare(have, wanted)


def read(kind: str, said: str) -> Any:
    """Return what a text asks for, by the type of the field; refuse what cannot be read."""
    try:
        match kind:
            case _ if kind == TIME:
                return instant(said)
            case _ if kind in (INTEGER, REAL):
                return float(said)
            case _ if kind == BOOLEAN:
                return said.lower() in ("true", "1")
    except ValueError:
        raise bad(f"Invalid value '{said}' for a filter.") from None
    return said


def in_order(value: Any) -> tuple[int, Any]:
    """Return what sorts a value among others of its field; null ones are the last."""
    if value is None:
        return (1, 0)
    return (0, value.astimezone(UTC) if isinstance(value, datetime) else value)
