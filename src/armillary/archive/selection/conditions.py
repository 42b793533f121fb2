"""Selections as conditions of SQL on ``version`` joined with its ``file`` and that file's ``frame``.

A frame belongs to a file, so conditions on it choose files, and older versions come with theirs.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Iterator
from datetime import date
from typing import Any, assert_never

import sqlalchemy as sa

from armillary.access.models import Principal
from armillary.archive import embargo
from armillary.archive.cones import in_cone
from armillary.archive.models import Frame
from armillary.archive.selection.models import (
    Among,
    Anything,
    Around,
    Between,
    Component,
    Differs,
    Flag,
    InCone,
    InHeader,
    Like,
    Nothing,
    Selection,
    Starts,
    TaggedOrRaw,
    Term,
    field_of,
)
from armillary.archive.tables import file, frame, keywords_with, version

Condition = sa.ColumnElement[bool]
PROPRIETARY = frozenset(
    {"ra_deg", "dec_deg", "azimuth_deg", "elevation_deg", "airmass", "object", "rotator_deg"}
)
"""Fields that tell where a telescope pointed; they find nothing that the caller may not see."""

listed = version.join(file, file.c.id == version.c.file_id).join(frame, frame.c.file_id == version.c.file_id)
"""What conditions are about."""

_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "bool": sa.Boolean(),
    "int": sa.Double(),
    "float": sa.Double(),
    "str": sa.Text(),
    "time": sa.Text(),
}
_DETAILS = {
    one.name: _TYPES[str(one.type).removesuffix(" | None")]
    for one in dataclasses.fields(Frame)
    if one.name not in frame.c
}
_TRUE_WORDS = ("true", "t", "yes", "1")


def detail(name: str) -> sa.ColumnElement[Any]:
    """Return a value of a frame that has no column of its own."""
    text = frame.c.details[name].astext
    kind = _DETAILS[name]
    return text if isinstance(kind, sa.Text) else sa.cast(text, kind)


def metadata_ready() -> Condition:
    """Return whether everything in a file's headers could be read: its frame has no warnings."""
    return sa.func.cardinality(frame.c.warnings) == 0


def column(name: str) -> sa.ColumnElement[Any]:
    """Return what a field of a selection is in the database."""
    match name:
        case "name":
            return file.c.name
        case "mdready":
            return metadata_ready()
        case "preimage":
            return sa.func.lower(keywords_with("PREIMAGE")["PREIMAGE"].astext).in_(_TRUE_WORDS)
        case _ if name in version.c:
            return version.c[name]
        case _ if name in frame.c:
            return frame.c[name]
    return detail(name)


def conditions(selection: Selection, viewer: Principal, today: date) -> Iterator[Condition]:
    """Yield the conditions under which a version is selected, for somebody who may see so much."""
    for term in selection.terms:
        yield from _of(term)
    if any(isinstance(term, InCone) or field_of(term) in PROPRIETARY for term in selection.terms):
        yield embargo.coordinates_visible(viewer, today)


def _of(term: Term) -> Iterator[Condition]:
    match term:
        case Among(name, values):
            yield column(name) == values[0] if len(values) == 1 else column(name).in_(values)
        case Differs(name, value):
            yield column(name).is_distinct_from(value)
        case Flag(name, value):
            yield _flag(name, value)
        case Between(name, low, high, ends):
            yield column(name) >= low if ends[0] == "[" else column(name) > low
            yield column(name) <= high if ends[1] == "]" else column(name) < high
        case Around(name, low, high):
            above, below = column(name) >= low, column(name) < high
            yield sa.and_(above, below) if low < high else sa.or_(above, below)
        case Starts(name, prefixes):
            yield sa.or_(*(_starts(name, prefix) for prefix in prefixes))
        case Component(name, part):
            yield sa.or_(column(name) == part, *(_starts(name, part + joint) for joint in ("_", "+_")))
        case Like(name, text, open_start, open_end):
            pattern = f"{'%' if open_start else ''}{_escaped(text)}{'%' if open_end else ''}"
            yield column(name).like(pattern, escape="\\")
        case InCone(cone):
            yield in_cone(cone)
        case InHeader(keywords, words):
            yield sa.or_(*(_holds(keyword, words) for keyword in keywords))
        case TaggedOrRaw(tag):
            yield sa.or_(column("processing") == "Raw", keywords_with("PROCTAG")["PROCTAG"].astext == tag)
        case Anything():
            pass
        case Nothing():
            yield sa.false()
        case _:
            assert_never(term)


def _flag(name: str, value: bool) -> Condition:
    if name in ("present", "canonical", "mdready"):
        return column(name) if value else sa.not_(column(name))
    if name in ("spectroscopy", "adaptive_optics", "laser_guide_star"):
        # Not every instrument has such a thing to say yes or no to.
        return column(name).is_(value)
    known = sa.func.coalesce(column(name), False)
    return known if value else sa.not_(known)


def _starts(name: str, prefix: str) -> Condition:
    if name != "name":
        return column(name).like(_escaped(prefix) + "%", escape="\\")
    return begins_with(file.c.name, prefix)


def begins_with(name: sa.ColumnElement[str], prefix: str) -> Condition:
    """Return whether a name of a file begins with some characters.

    A range of names serves every plan, prepared ones too; the index orders them by code point.
    """
    last = ord(prefix[-1])
    after = prefix[:-1] + chr(last + 1) if last < sys.maxunicode else ""
    beyond = name < after if after and after.isprintable() else sa.true()
    return sa.and_(name >= prefix, beyond, sa.func.starts_with(name, prefix))


def _holds(keyword: str, words: tuple[str, ...]) -> Condition:
    text = keywords_with(keyword)[keyword].astext
    return sa.and_(*(text.ilike(f"%{_escaped(word)}%", escape="\\") for word in words))


def _escaped(text: str) -> str:
    return re.sub(r"([%_\\])", r"\\\1", text)
