"""Rows of frames as answers show them, described by types that follow from the list of fields.

The rows themselves are dictionaries, as they come from the database: an answer has thousands of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NotRequired, TypedDict

from armillary.archive.catalog.tables import version
from armillary.archive.fields import FRAME_FIELDS, HOT, Kind
from armillary.archive.query.search import FILE_COLUMNS
from armillary.base.clock import Instant

_TYPES: Mapping[Kind, Any] = {
    "text": str | None,
    "number": float | None,
    "count": int | None,
    "flag": bool | None,
    "day": date | None,
    "instant": Instant | None,
    "time": str | None,
    "percentile": int | None,
    "binning": str | None,
}
"""What a value is; what a file does not tell, or a viewer may not know, is null."""
_typed_dict: Any = TypedDict


def _column(name: str) -> Any:
    column = version.c[name]
    found: Any = column.type.python_type
    known = Instant if found is datetime else found
    return known | None if column.nullable else known


_hot = {one.name: _TYPES[one.kind] for one in HOT}
_details = {one.name: NotRequired[_TYPES[one.kind]] for one in FRAME_FIELDS if not one.hot}

FoundFrame: Any = _typed_dict(
    "FoundFrame", {"name": str, **{name: _column(name) for name in FILE_COLUMNS}, **_hot, "visible": bool}
)
"""A row of `armillary.archive.search`."""

KnownFrame: Any = _typed_dict("KnownFrame", {**_hot, **_details})
"""The frame of one file, as `armillary.archive.records` tells it: without details that the file does not tell."""
