"""What differs between two configurations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from armillary.sites.documents import ConfigDifference


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[ConfigDifference]:
    """Return what differs, in the order of paths; lists of other lengths differ as a whole."""
    return sorted(_compare("", old, new), key=lambda one: one.path)


def _compare(path: str, old: Any, new: Any) -> Iterator[ConfigDifference]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            below = f"{path}/{_escaped(key)}"
            if key in old and key in new:
                yield from _compare(below, old[key], new[key])
            else:
                yield ConfigDifference(below, old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _compare(f"{path}/{place}", one, other)
    # True equals 1, and 1 equals 1.0, but not in JSON.
    elif type(old) is not type(new) or old != new:
        yield ConfigDifference(path, old, new)


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
