"""Terms as conditions of SQL on ``version`` joined with its ``file`` and that file's ``frame``.

A frame belongs to a file, so conditions on it choose files, and older versions come with theirs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeGuard, assert_never

import sqlalchemy as sa

from armillary.access.models import Principal
from armillary.archive.catalog.tables import file, finding, frame, keywords_with, version
from armillary.archive.fields import BY_NAME, POINTING, Kind
from armillary.archive.query import visibility
from armillary.archive.query.called import is_called
from armillary.archive.query.comparisons import comparison
from armillary.archive.query.cones import in_cone
from armillary.archive.query.intervals import overlaps
from armillary.archive.query.latest import is_latest
from armillary.archive.query.models import (
    Among,
    Anything,
    Around,
    Between,
    Bound,
    Compared,
    Component,
    Differs,
    Ends,
    Flag,
    Found,
    InCone,
    InHeader,
    Latest,
    Like,
    Nothing,
    Overlaps,
    Starts,
    TaggedOrRaw,
    Term,
    field_of,
    literally,
)

Condition = sa.ColumnElement[bool]
listed = version.join(file, file.c.id == version.c.file_id).join(frame, frame.c.file_id == version.c.file_id)
"""What conditions are about."""
Rows = Callable[[Sequence[Condition]], sa.FromClause]
"""Which tables a statement joins for the conditions that it has."""

_CASTS: dict[Kind, type[sa.types.TypeEngine[Any]]] = {
    "flag": sa.Boolean,
    "count": sa.Double,
    "percentile": sa.Double,
    "number": sa.Double,
}
"""What the text of a detail becomes; other kinds are compared as text."""
_DAY = timedelta(days=1)
_PREFIX = re.compile(r"(?:[^%_\\]|\\.)*", re.DOTALL)
ANY = "any"
"""What stands for any finding."""
_TRUE_WORDS = ("true", "t", "yes", "1")


def detail(name: str) -> sa.ColumnElement[Any]:
    """Return a value of a frame that has no column of its own."""
    text = frame.c.details[name].astext
    kind = _CASTS.get(BY_NAME[name].kind)
    return sa.cast(text, kind()) if kind else text


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


def every_version(_wanted: Sequence[Condition]) -> sa.FromClause:
    """Return the tables of all versions."""
    return listed


def only_needed(wanted: Sequence[Condition]) -> sa.FromClause:
    """Return ``frame``, joined with its file and the version that it is of where conditions speak of them."""
    named = sa.select(frame.c.file_id).where(*wanted).get_final_froms()
    joined: sa.FromClause = frame
    if file in named:
        joined = joined.join(file, file.c.id == frame.c.file_id)
    return joined.join(version, version.c.id == frame.c.version_id) if version in named else joined


def conditions(
    terms: Iterable[Term],
    viewer: Principal,
    today: date,
    *,
    rows: Rows = every_version,
    all_known: bool = False,
) -> list[Condition]:
    """Return the conditions under which all terms hold, as far as the viewer may know that.

    Parameters
    ----------
    rows
        What the statement joins that they are for: the latest frames are the latest among its rows, so nothing
        but these terms may leave rows of it out.
    all_known
        Whether it is known already that no file is hidden.
    """
    wanted = tuple(terms)
    found = [condition for term in wanted for condition in _of(term)]
    if not all_known and not visibility.sees_everything(viewer):
        found.append(visibility.known(viewer, today))
    if any(tells_position(term) for term in wanted):
        found.append(visibility.coordinates_visible(viewer, today))
    latest = [
        is_latest(term, column(term.per), found, rows(found)) for term in wanted if isinstance(term, Latest)
    ]
    return found + latest


def tells_position(term: Term) -> bool:
    """Tell whether it gives away where a telescope pointed to know for which files a term holds.

    Headers tell positions under many names, and a comparison gives a value away bit by bit.
    """
    if isinstance(term, Latest):
        return term.per in POINTING
    return isinstance(term, InCone | Compared | Found) or field_of(term) in POINTING


def _of(term: Term) -> Iterator[Condition]:
    match term:
        case Among("name", values) if any("/" in str(value) for value in values):
            yield is_called([str(value) for value in values])
        case Among("object", values):
            # The index knows names in lower case alone.
            yield sa.func.lower(frame.c.object).in_([sa.func.lower(value) for value in values])
            yield frame.c.object.in_(values)
        case Among(name, values):
            yield column(name) == values[0] if len(values) == 1 else column(name).in_(values)
        case Differs(name, value):
            yield column(name).is_distinct_from(value)
        case Flag(name, value):
            yield _flag(name, value)
        case Between("started_at", low, high) if _is_day(low) and _is_day(high):
            yield _taken_on(low, high)
        case Between(name, low, high, ends):
            yield from _between(column(name), low, high, ends)
        case Overlaps():
            yield from overlaps(term)
        case Around(name, low, high):
            above, below = column(name) >= low, column(name) < high
            yield sa.and_(above, below) if low < high else sa.or_(above, below)
        case Starts(name, prefixes):
            yield sa.or_(*(_starts(name, prefix) for prefix in prefixes))
        case Component(name, part):
            yield sa.or_(column(name) == part, *(_starts(name, part + joint) for joint in ("_", "+_")))
        case Like("object", pattern, folded=True) if (text := _meant_literally(pattern)) is not None:
            yield sa.func.lower(frame.c.object) == sa.func.lower(text)
        case Like(name, pattern, folded=True):
            yield column(name).ilike(pattern, escape="\\")
        case Like(name, pattern):
            yield from _like(name, pattern)
        case InCone(cone):
            yield in_cone(cone)
        case InHeader(keywords, words):
            yield sa.or_(*(_holds(keyword, words) for keyword in keywords))
        case Compared():
            yield comparison(term)
        case TaggedOrRaw(tag):
            yield sa.or_(column("processing") == "Raw", keywords_with("PROCTAG")["PROCTAG"].astext == tag)
        case Found(what):
            yield _has_finding(what)
        case Anything() | Latest():
            # Anything goes; and which are the latest follows from all the others.
            pass
        case Nothing():
            yield sa.false()
        case _:
            assert_never(term)


def _is_day(bound: Bound | None) -> TypeGuard[date]:
    """Tell whether a bound is a day, and no instant."""
    return isinstance(bound, date) and not isinstance(bound, datetime)


def _taken_on(first: date, last: date) -> Condition:
    """Return whether a frame was taken in some UTC days, both included.

    Where its start is not known, its end decides, or its night.
    """
    low, high = (datetime.combine(day, time(0), UTC) for day in (first, last + _DAY))
    nights = _between(frame.c.night, first, last, "[]")
    ended = sa.and_(*_between(frame.c.ended_at, low, high, "[)"))
    of_night = sa.and_(frame.c.ended_at.is_(None), *nights)
    undated = sa.and_(frame.c.started_at.is_(None), sa.or_(ended, of_night))
    return sa.or_(sa.and_(*_between(frame.c.started_at, low, high, "[)")), undated)


def _between(
    value: sa.ColumnElement[Any], low: Bound | None, high: Bound | None, ends: Ends
) -> Iterator[Condition]:
    if low is not None:
        yield value >= low if ends[0] == "[" else value > low
    if high is not None:
        yield value <= high if ends[1] == "]" else value < high


def _like(name: str, pattern: str) -> Iterator[Condition]:
    # A range of names serves every plan, a pattern only those that are made for it.
    if name == "name" and (prefix := _PREFIX.match(pattern)) and prefix[0]:
        yield begins_with(file.c.name, re.sub(r"\\(.)", r"\1", prefix[0]))
    yield column(name).like(pattern, escape="\\")


def _meant_literally(pattern: str) -> str | None:
    """Return the text that a pattern stands for if it stands for one alone."""
    whole = _PREFIX.fullmatch(pattern)
    return re.sub(r"\\(.)", r"\1", pattern, flags=re.DOTALL) if whole else None


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
        return column(name).like(literally(prefix) + "%", escape="\\")
    return begins_with(file.c.name, prefix)


def begins_with(name: sa.ColumnElement[str], prefix: str) -> Condition:
    """Return whether a name of a file begins with some characters.

    A range of names serves every plan, prepared ones too; the index orders them by code point.
    """
    last = ord(prefix[-1])
    after = prefix[:-1] + chr(last + 1) if last < sys.maxunicode else ""
    beyond = name < after if after and after.isprintable() else sa.true()
    return sa.and_(name >= prefix, beyond, sa.func.starts_with(name, prefix))


def _has_finding(what: str) -> Condition:
    """Return whether something was found in the headers of the version that the frame is of."""
    found = sa.select(finding.c.id).where(finding.c.version_id == frame.c.version_id)
    if what != ANY:
        named = (finding.c.rule, finding.c.rule_group, finding.c.severity)
        found = found.where(sa.or_(*(column == what for column in named)))
    return found.correlate(frame).exists()


def _holds(keyword: str, words: tuple[str, ...]) -> Condition:
    text = keywords_with(keyword)[keyword].astext
    return sa.and_(*(text.ilike(f"%{literally(word)}%", escape="\\") for word in words))
