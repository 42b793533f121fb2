"""The keywords of a frame as the catalog holds them, ready for searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

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
    try:
        text = _encoder.encode(values)
        if b"\\u" not in text:
            return text.decode()
    except UnicodeEncodeError:  # half of a surrogate pair
        pass
    return _encoder.encode({key: clean(value) for key, value in values.items()}).decode()


_encoder = msgspec.json.Encoder(enc_hook=str)
