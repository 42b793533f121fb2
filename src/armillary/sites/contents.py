"""JSON as sites send it: read strictly, kept with its numbers and the order of its keys."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from armillary.sites.errors import BadConfig
from armillary.sites.models import Content

MAX_DEPTH = 100
"""Levels of lists and objects within each other; far below what the readers of JSON can bear."""
_COMPACT = (",", ":")


def read_object(body: bytes) -> dict[str, Any]:
    """Return the object that a body is. Of a key that is there twice the last value counts.

    Raises
    ------
    BadConfig
        If it is no JSON, or no object; or holds what some readers of JSON cannot read: NaN, Infinity, numbers out
        of range, integers of more than 4300 digits, more than ``MAX_DEPTH`` levels, halves of surrogate pairs.
    """
    if not body.strip():
        raise BadConfig("The request has no body: send a JSON object. Nothing was changed.")
    try:
        value = json.loads(body, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise BadConfig(_TOO_DEEP) from None
    except ValueError as error:
        raise BadConfig(f"The body is not valid JSON ({error}). Nothing was changed.") from None
    if not isinstance(value, dict):
        raise BadConfig("The body is JSON but no object: send {...}. Nothing was changed.")
    return value


_TOO_DEEP = f"The object has more than {MAX_DEPTH} levels. Nothing was changed."


def content_of(value: Mapping[str, Any]) -> Content:
    """Return an object with its text and digest.

    Raises
    ------
    BadConfig
        As `read_object`.
    """
    _check_depth(value)
    try:
        text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=_COMPACT)
        canonical = json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=_COMPACT, sort_keys=True
        ).encode()
    except UnicodeEncodeError:
        raise BadConfig("A text in the object holds half of a surrogate pair. Nothing was changed.") from None
    except ValueError:
        raise BadConfig("A number in the object is out of range. Nothing was changed.") from None
    return Content(dict(value), text, canonical, hashlib.sha256(canonical).hexdigest())


def _check_depth(value: object) -> None:
    level: list[object] = [value]
    # The values inside the last level are one more.
    for _ in range(MAX_DEPTH + 1):
        level = [below for one in level for below in _below(one)]
        if not level:
            return
    raise BadConfig(_TOO_DEEP)


def _below(value: object) -> Iterable[object]:
    """Return what is directly inside of an object or a list; a value inside the last level has none."""
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is out of range")
    return number
