"""The keywords of a frame as the catalog holds them, ready for searches.

Files of a series agree in nine keywords of ten. What the first file of a series said is one row of
``shared_keywords``; a frame that refers to it holds only the keywords that may differ, so that it is written, kept
and searched at a fraction of the cost. A keyword of a frame has the value in its own keywords if it is there, and
the shared one otherwise.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from armillary.fits.models import Value
from armillary.fits.series import Series

MAX_KEYWORDS = 5000


@dataclass(frozen=True, slots=True)
class Shared:
    """The keywords of the first file of a series; the id follows from the text."""

    id: UUID
    text: str
    keywords: Mapping[str, Value]


_shared: WeakKeyDictionary[Series, Shared] = WeakKeyDictionary()


def shared_keywords(series: Series) -> Shared:
    """Return what the files of a series share."""
    found = _shared.get(series)
    if found is None:
        keywords = searchable_keywords(series.values)
        text = to_json(keywords)
        digest = hashlib.sha256(text.encode()).digest()
        found = _shared[series] = Shared(UUID(bytes=digest[:16]), text, keywords)
    return found


def own_keywords(headers: Sequence[Mapping[str, Value]], changed: frozenset[str], shared: Shared) -> str:
    """Return the JSON text of the keywords in which a file may differ from what its series shares."""
    return to_json(
        {
            keyword: next(header[keyword] for header in headers if keyword in header)
            for keyword in changed
            if keyword in shared.keywords
        }
    )


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
