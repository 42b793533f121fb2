"""Records here and there in one form, and how they differ: by values, not by how these were written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from armillary.publish.svo.coercion import Uncoercible, instant
from armillary.publish.svo.models import (
    HEADER,
    LOCATION,
    TAGS,
    Difference,
    Draft,
    Json,
    Keyword,
    KeywordType,
    Place,
    Stored,
)


def normal(kind: KeywordType, value: Json) -> Json:
    """Return a value of a field as it is compared: times to the millisecond in UTC, text stripped, none null."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if kind is KeywordType.TIME and isinstance(value, str):
        return _milliseconds(value)
    if kind is KeywordType.REAL and isinstance(value, int | float):
        return float(value)
    return value.strip() if isinstance(value, str) else value


def _milliseconds(text: str) -> str:
    try:
        found = instant(text).astimezone(UTC).replace(tzinfo=None)
    except Uncoercible:
        return text.strip()
    return f"{found.isoformat(timespec='milliseconds')}Z"


def drafted(keywords: Sequence[Keyword], draft: Draft) -> dict[str, Json]:
    """Return the fields of a record here, normalised; all of its dataset, whether it has a value or not."""
    return {one.name: normal(one.type, draft.fields.get(one.name)) for one in keywords}


def read(keywords: Sequence[Keyword], body: Mapping[str, Any]) -> dict[str, Json]:
    """Return the fields of a record there, normalised."""
    return {one.name: normal(one.type, body.get(one.name)) for one in keywords}


def digest(fields: Mapping[str, Json], header: str, tags: frozenset[str] | None) -> str:
    """Return a digest by which records are compared without being kept; tags count where they are published."""
    whole = [sorted(fields.items()), header.strip(), sorted(tags) if tags is not None else None]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def whole_digest(digest_of_fields: str, place: Place) -> str:
    """Return a digest of a record with its place."""
    whole = f"{digest_of_fields}{json.dumps(place.body(), sort_keys=True)}"
    return hashlib.sha256(whole.encode()).hexdigest()


def differences(keywords: Sequence[Keyword], draft: Draft, stored: Stored) -> tuple[Difference, ...]:
    """Return what is otherwise here than there: fields, the header, parts of the location, tags."""
    here = drafted(keywords, draft)
    found = [
        Difference(name, stored.fields.get(name), value)
        for name, value in here.items()
        if stored.fields.get(name) != value
    ]
    if stored.header != draft.header.strip():
        found.append(Difference(HEADER, stored.header, draft.header))
    found += place_differences(draft.place, stored.location.place if stored.location else None)
    if draft.tags is not None and draft.tags != stored.tags:
        found.append(Difference(TAGS, sorted(stored.tags), sorted(draft.tags)))
    return tuple(found)


def place_differences(here: Place, there: Place | None) -> list[Difference]:
    """Return the parts of a location that differ; a path that gave way to another record's is none of them."""
    if there is None:
        return [Difference(LOCATION, None, here.file_url)]
    ours, theirs = here.at(there.file_path).body(), there.body()
    return [
        Difference(f"{LOCATION}.{name}", theirs[name], value)
        for name, value in ours.items()
        if theirs[name] != value
    ]


def patch_of(draft: Draft, changed: Sequence[Difference]) -> dict[str, Json]:
    """Return the body that makes a record there like the one here, its location left out."""
    body: dict[str, Json] = {}
    for one in changed:
        if one.field == HEADER:
            body[HEADER] = draft.header
        elif one.field == TAGS:
            body[TAGS] = [{"name": name} for name in one.new]
        elif not one.field.startswith(LOCATION):
            body[one.field] = draft.fields.get(one.field)
    return body
