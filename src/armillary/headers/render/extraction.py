"""From a payload to the raw value of a keyword, or the values of all detectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from armillary.headers.models import Reason
from armillary.headers.recipes.models import Keyed, Source

Payload = Mapping[str, Any]


class Undefined(Exception):
    """There is no value; ``reason`` says why, ``raw`` is what could not be used."""

    def __init__(self, reason: Reason, raw: Any = None) -> None:
        self.reason, self.raw = reason, raw
        super().__init__(reason.value)


class Shaped:
    """Whether a scalar was taken for a list, or the reverse, while values were read."""

    __slots__ = ("noted",)

    def __init__(self) -> None:
        self.noted = False


@lru_cache(maxsize=4096)
def split_delimited(text: str, separator: str = ":") -> tuple[str, ...]:
    """Return the items of a delimited text; behind a backslash, the next character stands for itself.

    Empty items count; an empty text is one empty item.
    """
    if "\\" not in text:
        return tuple(text.split(separator))
    items, item, characters = [], "", iter(text)
    for one in characters:
        if one == "\\":
            item += next(characters, "\\")
        elif one == separator:
            items.append(item)
            item = ""
        else:
            item += one
    return (*items, item)


def reach(path: str) -> Callable[[Payload], Any]:
    """Return a function that takes the value at a dotted path out of a payload."""
    parts = tuple(path.split("."))
    if len(parts) == 1:
        return lambda payload: _step(payload, path)

    def walk(payload: Payload) -> Any:
        value: Any = payload
        for part in parts:
            value = _step(value, part)
        return value

    return walk


def _step(value: Any, part: str) -> Any:
    try:
        return value[part]
    except (KeyError, TypeError):
        raise Undefined(Reason.EXTRACTION_ERROR) from None


def items_of(value: Any, separator: str, shaped: Shaped) -> Sequence[Any]:
    """Return the items of a list or a delimited text; anything else counts as a list of itself."""
    if isinstance(value, str):
        return split_delimited(value, separator)
    if isinstance(value, list | tuple):
        return value
    shaped.noted = True
    return (value,)


def scalar_reader(source: Source) -> Callable[[Payload, Shaped], Any]:
    """Return a function that reads the one value of a source that is not one per detector."""
    if source.keyed:
        keyed = source.keyed
        names, values = reach(keyed.keys), reach(keyed.values)
        return lambda payload, shaped: _by_name(keyed, names(payload), values(payload), shaped)
    take = reach(source.field or "")
    index = source.index
    if index is None:
        return lambda payload, shaped: take(payload)
    return lambda payload, shaped: _by_index(take(payload), index, shaped)


def _by_name(keyed: Keyed, names: Any, values: Any, shaped: Shaped) -> Any:
    keys, items = items_of(names, keyed.split, shaped), items_of(values, keyed.split, shaped)
    if len(keys) != len(items):
        raise Undefined(Reason.LENGTH_MISMATCH, [names, values])
    for key, item in zip(keys, items, strict=True):
        if key == keyed.name:
            return item
    raise Undefined(Reason.EXTRACTION_ERROR, names)


def _by_index(value: Any, index: int, shaped: Shaped) -> Any:
    if isinstance(value, list | tuple):
        if -len(value) <= index < len(value):
            return value[index]
        raise Undefined(Reason.EXTRACTION_ERROR, value)
    if index in (0, -1):
        shaped.noted = True
        return value
    raise Undefined(Reason.EXTRACTION_ERROR, value)


def column_reader(source: Source) -> Callable[[Payload, Sequence[str], Shaped], list[Any]]:
    """Return a function that reads one value per detector, in the order of the detectors it is given.

    A detector that the payload does not name gets an ``Undefined`` as its item.
    """
    per = source.per_detector
    assert per is not None
    ids, values, separator = reach(per.ids), reach(source.field or ""), per.split

    def read(payload: Payload, detectors: Sequence[str], shaped: Shaped) -> list[Any]:
        value = values(payload)
        names, items = items_of(ids(payload), separator, shaped), items_of(value, separator, shaped)
        if len(names) != len(items):
            raise Undefined(Reason.LENGTH_MISMATCH, value)
        return _matched(tuple(names), items, tuple(detectors))

    return read


def _matched(names: tuple[Any, ...], items: Sequence[Any], detectors: tuple[str, ...]) -> list[Any]:
    if names == detectors:
        return list(items)
    by_id = dict(zip(names, items, strict=True))
    absent = Undefined(Reason.EXTRACTION_ERROR)
    return [by_id.get(one, absent) for one in detectors]
