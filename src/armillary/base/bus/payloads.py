"""Payloads as they are stored: a text of JSON, and apart from it what JSON cannot say.

JSON has no word for numbers that are not finite. In their places the text has nulls, and a list of their places
goes beside it, so that the text can be searched and they come back as they were.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

MOST_DEPTH = 100
"""Levels of nested objects and lists; parsers of others give up somewhere above that."""
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
Path = list[str | int]
_paths = msgspec.json.Decoder(list[tuple[Path, str]])


class Unstorable(ValueError):
    """A payload cannot be stored; the text says why."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A payload as the database keeps it."""

    text: str
    odd: str | None
    """Places and names of numbers that are not finite, as JSON; None if there are none."""


def encode(payload: dict[str, Any], limit: int) -> Encoded:
    """Return a payload as it is stored.

    Raises
    ------
    Unstorable
        If it has more than ``limit`` bytes, or holds what no text of JSON can.
    """
    try:
        found = msgspec.json.encode(payload)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Unstorable(f"payload: {str(error) or type(error).__name__}") from None
    if len(found) > limit:
        raise Unstorable(f"payload: {len(found)} bytes, over the limit of {limit}")
    # Counting is cheap, and a walk through all that is nested is not.
    if found.count(b"{") + found.count(b"[") > MOST_DEPTH and _depth(payload) > MOST_DEPTH:
        raise Unstorable(f"payload: nested deeper than {MOST_DEPTH} levels")
    if b"\\u0000" in found and any("\0" in one for one in _texts(payload)):
        raise Unstorable("payload: a text holds the character NUL")
    odd = list(_odd(payload, [])) if b"null" in found else []
    return Encoded(found.decode(), msgspec.json.encode(odd).decode() if odd else None)


def decode(text: str, odd: str | None) -> dict[str, Any]:
    """Return a payload that was stored."""
    payload: dict[str, Any] = msgspec.json.decode(text)
    for path, word in _paths.decode(odd) if odd else ():
        place: Any = payload
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = _WORDS[word]
    return payload


def shown(payload: dict[str, Any]) -> dict[str, Any]:
    """Return a payload as answers show it: numbers that are not finite as texts."""
    return _worded(payload) if b"null" in msgspec.json.encode(payload) else payload


def _word(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _worded(value: Any) -> Any:
    match value:
        case dict():
            return {key: _worded(one) for key, one in value.items()}
        case list() | tuple():
            return [_worded(one) for one in value]
        case float() if not math.isfinite(value):
            return _word(value)
    return value


def _odd(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    match value:
        case dict():
            for key, one in value.items():
                yield from _odd(one, [*path, key])
        case list() | tuple():
            for place, one in enumerate(value):
                yield from _odd(one, [*path, place])
        case float() if not math.isfinite(value):
            yield path, _word(value)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for key, one in value.items():
                yield key
                yield from _texts(one)
        case list() | tuple():
            for one in value:
                yield from _texts(one)


def _depth(value: Any) -> int:
    """Return how deeply a value is nested, or something above the limit; level by level, without recursion."""
    level, depth = [value], 0
    while level and depth <= MOST_DEPTH:
        below: list[Any] = []
        for one in level:
            below += one.values() if isinstance(one, dict) else one if isinstance(one, list | tuple) else ()
        level, depth = [one for one in below if isinstance(one, dict | list | tuple)], depth + 1
    return depth
