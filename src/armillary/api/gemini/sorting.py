"""``?orderby=FIELD[_asc|_desc]``: the order of a list, by the names that elements of lists have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, TypeAlias

from fastapi import Query

from armillary.api.gemini.elements import COMPUTED, SUMMARIES
from armillary.archive.query.models import Selection, SortedBy

ORDERBY = "orderby"
FIELDS = {key: name for key, (name, _) in SUMMARIES.items() if key not in COMPUTED}
"""Keys of elements to the fields whose values they show."""
OrderBy: TypeAlias = Annotated[
    list[str] | None,
    Query(
        description="Keys of /jsonsummary to sort by, each with _asc or _desc behind it; what is unknown is "
        "left out and told in Armillary-Unrecognised."
    ),
]


def sorted_by(selection: Selection, asked: Sequence[str] | None) -> Selection:
    """Return the selection in the order that is asked for; unknown fields join what is unrecognised.

    The archive of Gemini leaves out a field that it does not know, and its clients count on an answer.
    """
    order: dict[str, SortedBy] = {}
    unknown: list[str] = []
    for text in asked or ():
        found = _read(text)
        if found is None:
            unknown.append(f"{ORDERBY}={text}")
        else:
            order.setdefault(found.field, found)
    return replace(selection, order=tuple(order.values()), unrecognised=(*selection.unrecognised, *unknown))


def _read(text: str) -> SortedBy | None:
    if text in FIELDS:
        return SortedBy(FIELDS[text])
    key, _, direction = text.rpartition("_")
    known = key in FIELDS and direction in ("asc", "desc")
    return SortedBy(FIELDS[key], descending=direction == "desc") if known else None
