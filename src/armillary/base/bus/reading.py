"""Samples as they are sent: a JSON array, or one object per line, each judged by itself.

The literals ``NaN``, ``Infinity`` and ``-Infinity`` are numbers here, as many programs write them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from armillary.base.bus.errors import BadSamples
from armillary.base.bus.models import Reject, Sample

ARRAY, LINES = "application/json", "application/x-ndjson"
_samples = msgspec.json.Decoder(Sample)
_array = msgspec.json.Decoder(list[msgspec.Raw])
Read = tuple[list[Sample], list[int], list[Reject]]
"""Samples, their places in what was sent, and what is none."""
_ERRORS = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)


def read_samples(body: bytes) -> Read:
    """Read samples: an array if the body begins with a bracket, else one per line.

    Raises
    ------
    BadSamples
        If it is an array that is no JSON.
    """
    if body.lstrip()[:1] != b"[":
        return _judged(line for line in body.splitlines() if line.strip())
    try:
        return _judged(map(bytes, _array.decode(body)))
    except _ERRORS:
        # It may hold literals that only the parser of the standard library knows.
        return _judged(_loaded_array(body))


def _judged(given: Iterable[Any]) -> Read:
    samples, places, rejects = list[Sample](), list[int](), list[Reject]()
    for place, one in enumerate(given):
        try:
            samples.append(_sample(one))
            places.append(place)
        except _ERRORS as error:
            rejects.append(Reject(place, str(error) or type(error).__name__))
    return samples, places, rejects


def _sample(one: Any) -> Sample:
    if not isinstance(one, bytes):
        return _converted(one)
    try:
        return _samples.decode(one)
    except msgspec.ValidationError:
        raise
    except _ERRORS:
        if b"NaN" not in one and b"Infinity" not in one:
            raise
        return _converted(_loaded(one))


def _converted(value: Any) -> Sample:
    if _is_out_of_range(value):
        raise ValueError("Number out of range")
    return msgspec.convert(value, Sample)


def _loaded_array(body: bytes) -> list[Any]:
    try:
        found = _loaded(body)
    except _ERRORS as error:
        raise BadSamples(f"The body is no JSON: {str(error) or type(error).__name__}.") from None
    if not isinstance(found, list):
        raise BadSamples
    return found


def _loaded(text: bytes) -> Any:
    return json.loads(text.decode(), parse_float=_number)


def _number(text: str) -> float | Decimal:
    # What is too large is not infinite: nobody said so.
    found = float(text)
    return found if abs(found) != float("inf") else Decimal(text)


def _is_out_of_range(value: Any) -> bool:
    match value:
        case dict():
            return any(map(_is_out_of_range, value.values()))
        case list():
            return any(map(_is_out_of_range, value))
    return isinstance(value, Decimal)
