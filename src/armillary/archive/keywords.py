"""The keywords of a frame as the catalog holds them, ready for searches."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any

from armillary.fits.models import Value

MAX_KEYWORDS = 5000


def searchable_keywords(headers: Sequence[Mapping[str, Value]]) -> Mapping[str, Value]:
    """Return the keywords of all HDUs, the first one to say a keyword wins, at most 5000."""
    if len(headers) == 1 and len(headers[0]) <= MAX_KEYWORDS:
        return headers[0]
    found: dict[str, Value] = {}
    for values in headers:
        for keyword, value in values.items():
            if len(found) >= MAX_KEYWORDS:
                return found
            found.setdefault(keyword, value)
    return found


def clean(value: Any) -> Any:
    """Return a value that PostgreSQL can hold: text without NUL and without halves of surrogate pairs."""
    if isinstance(value, str) and not value.isprintable():
        return "".join(c for c in value if c != "\0" and not "\ud800" <= c <= "\udfff")
    return value


def to_json(values: Mapping[str, Any]) -> str:
    """Return values as JSON text that PostgreSQL can hold; what JSON does not know becomes text."""
    text = _encoder.encode(values)
    if "\\u" in text:
        text = _encoder.encode({key: clean(value) for key, value in values.items()})
    return text


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date | time) else str(value)


_encoder = json.JSONEncoder(default=_plain, allow_nan=False)
