"""Read marked values into the frozen values of `models`: their options are those that files may have.

What does not fit is noted with its place and left out, so that the rest can still be read and checked.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from math import isfinite
from typing import Annotated, Any, Union, get_args, get_origin

from msgspec import UNSET, Struct, structs

from armillary.headers.recipes.durations import duration_ns
from armillary.headers.recipes.marked import Marked, Place, Problem

Hook = Callable[["Reader", Marked, tuple[str, ...]], Any]
SCALARS = (str, int, float, bool)


class Reader:
    """Reads values by their types; `hooks` are those types that files may write otherwise than as mappings."""

    def __init__(self, hooks: dict[Any, Hook]) -> None:
        self._hooks = hooks
        self.problems: list[Problem] = []

    def refuse(self, place: Place, message: str, path: tuple[str, ...], code: str = "C01") -> Any:
        """Note a problem; UNSET says that there is no value."""
        self.problems.append(Problem(place, message, path, code))
        return UNSET

    def read(self, node: Marked, kind: Any, path: tuple[str, ...]) -> Any:
        """Return the value of a node as the type wants it, or UNSET."""
        kind, optional = _without_none(kind)
        if node.value is None and optional:
            return None
        if kind in self._hooks:
            return self._hooks[kind](self, node, path)
        if kind is Any:
            return node.plain()
        origin = get_origin(kind)
        if origin is Annotated:
            return self._duration(node, path)
        if origin is tuple:
            return self._items(node, get_args(kind)[0], path)
        if origin is dict:
            return self._entries(node, get_args(kind)[1], path)
        if origin in (Union, types.UnionType):
            return self._scalar(node, get_args(kind), path)
        if issubclass(kind, Struct):
            return self.struct(node, kind, path)
        if issubclass(kind, StrEnum):
            return self._choice(node, kind, path)
        return self._scalar(node, (kind,), path)

    def struct(self, node: Marked, kind: type[Struct], path: tuple[str, ...]) -> Any:
        """Return a value of options, or UNSET if one that it needs is absent."""
        if not isinstance(node.value, dict):
            return self.refuse(node.place, f"{_last(path)} must be a mapping of options.", path)
        known = options(kind)
        for key in node.mapping.keys() - known.keys():
            self.refuse(node.key_places[key], unknown_option(key, known, path), (*path, key))
        given: dict[str, Any] = {}
        whole = True
        for key, (attribute, one, required) in known.items():
            value = self.read(node.mapping[key], one, (*path, key)) if key in node.mapping else UNSET
            if value is not UNSET:
                given[attribute] = value
            elif required:
                if key not in node.mapping:
                    self.refuse(node.place, f"{_last(path)} needs the option {key}.", path)
                whole = False
        return kind(**given) if whole else UNSET

    def _duration(self, node: Marked, path: tuple[str, ...]) -> Any:
        value = node.value
        if isinstance(value, int | float) and not isinstance(value, bool):
            # A bare number counts seconds.
            value = f"{value}s"
        try:
            return duration_ns(value) if isinstance(value, str) else self._wrong(node, "a duration", path)
        except ValueError as error:
            return self.refuse(node.place, f"{_last(path)}: {error}.", path)

    def _items(self, node: Marked, kind: Any, path: tuple[str, ...]) -> Any:
        if not isinstance(node.value, list):
            return self._wrong(node, "a list", path)
        found = [self.read(one, kind, path) for one in node.items]
        return tuple(one for one in found if one is not UNSET)

    def _entries(self, node: Marked, kind: Any, path: tuple[str, ...]) -> Any:
        if not isinstance(node.value, dict):
            return self._wrong(node, "a mapping", path)
        found = {key: self.read(one, kind, (*path, key)) for key, one in node.mapping.items()}
        return {key: value for key, value in found.items() if value is not UNSET}

    def _choice(self, node: Marked, kind: type[StrEnum], path: tuple[str, ...]) -> Any:
        words = [one.value for one in kind]
        if node.value not in words:
            return self._wrong(node, f"one of {' '.join(words)}", path)
        return kind(node.value)

    def _scalar(self, node: Marked, kinds: tuple[Any, ...], path: tuple[str, ...]) -> Any:
        value = node.value
        if isinstance(value, float) and not isfinite(value):
            return self._wrong(node, "a finite number", path)
        if type(value) in kinds:
            return value
        if type(value) is int and float in kinds:
            return float(value)
        named = {str: "a text (in quotes, if it looks like a number)", int: "a whole number"}
        named |= {float: "a number", bool: "true or false"}
        return self._wrong(node, " or ".join(named[kind] for kind in kinds), path)

    def _wrong(self, node: Marked, wanted: str, path: tuple[str, ...]) -> Any:
        return self.refuse(node.place, f"{_last(path)} must be {wanted}.", path)


def unknown_option(key: str, known: dict[str, Any], path: tuple[str, ...]) -> str:
    """Return what to say of an option that there is not."""
    near = get_close_matches(key, known, 1)
    where = f" in {_last(path)}" if path else ""
    return f"Unknown option {key}{where}" + (f"; did you mean {near[0]}?" if near else ".")


@cache
def options(kind: type[Struct]) -> dict[str, tuple[str, Any, bool]]:
    """Return the options of a type by the names that files have for them: attribute, type, and whether needed."""
    return {
        one.encode_name: (one.name, one.type, one.required)
        for one in structs.fields(kind)
        if one.name != "rev"
    }


def _without_none(kind: Any) -> tuple[Any, bool]:
    """Return a type without None, and whether it had None."""
    if get_origin(kind) not in (Union, types.UnionType) or type(None) not in get_args(kind):
        return kind, False
    rest = [one for one in get_args(kind) if one is not type(None)]
    return (rest[0] if len(rest) == 1 else Union[tuple(rest)]), True  # noqa: UP007


def _last(path: tuple[str, ...]) -> str:
    """Return how messages call what a path leads to."""
    return ".".join(path[-2:]) if path else "The document"
