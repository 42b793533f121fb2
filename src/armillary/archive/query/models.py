"""A selection as values: terms that all have to hold, each about one field of a file, version or frame."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal, TypeAlias

from armillary.archive.query.cones import Cone

Ends = Literal["[)", "[]", "()"]
Bound: TypeAlias = "float | date | datetime"


@dataclass(frozen=True, slots=True)
class Among:
    """The field is one of these values."""

    field: str
    values: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Differs:
    """The field is anything but this, unknown included."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Flag:
    """The field is true, or is false."""

    field: str
    value: bool


@dataclass(frozen=True, slots=True)
class Between:
    """The field lies between two bounds, or on one side of one; ``ends`` says which of them belong to it."""

    field: str
    low: Bound | None
    high: Bound | None
    ends: Ends = "[)"


@dataclass(frozen=True, slots=True)
class Overlaps:
    """The exposure overlaps an interval of instants; a bound that is None leaves it open on that side.

    An exposure lasts from its start up to, but not including, its end; of unknown or no duration it is an
    instant. A frame whose start is unknown never overlaps.
    """

    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Around:
    """An angle in degrees lies in ``[low, high)``, across 360 if ``low`` is the larger."""

    field: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Starts:
    """The field begins with one of these."""

    field: str
    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Component:
    """The field is this part of an instrument, with or without its number (``R400+_G5305``)."""

    field: str
    name: str


@dataclass(frozen=True, slots=True)
class Like:
    """The field fits a pattern, as of LIKE in SQL; `literally` writes the parts that mean themselves.

    With ``folded``, upper and lower case do not matter.
    """

    field: str
    pattern: str
    folded: bool = False


@dataclass(frozen=True, slots=True)
class InCone:
    """The position lies in a circle on the sky."""

    cone: Cone


@dataclass(frozen=True, slots=True)
class InHeader:
    """One of these keywords has a value that holds all of the words, in any case."""

    keywords: tuple[str, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """A keyword of the headers has a value for which this is so; numbers compare as numbers, words as words."""

    keyword: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class TaggedOrRaw:
    """The data are raw, or were processed under this tag (keyword PROCTAG)."""

    tag: str


@dataclass(frozen=True, slots=True)
class Found:
    """The headers were checked, and there is a finding of this rule, group or severity, or any finding."""

    what: str


@dataclass(frozen=True, slots=True)
class Latest:
    """The frame is one of the newest ``count`` of those that have its value of the field ``per``.

    Only frames of which all other terms hold count, as far as the viewer may know that. Frames without a start are
    the oldest; of equal starts, the file that came in last is the newest. A frame without a value is in no group.
    """

    count: int
    per: str


@dataclass(frozen=True, slots=True)
class Anything:
    """The field may be anything; said aloud, it takes the place of a default."""

    field: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing fits: the catalog knows no frame of which this holds."""

    reason: str


Term = (
    Among
    | Differs
    | Flag
    | Between
    | Overlaps
    | Around
    | Starts
    | Component
    | Like
    | InCone
    | InHeader
    | Compared
    | TaggedOrRaw
    | Found
    | Latest
    | Anything
    | Nothing
)

CLOSING = frozenset(
    {"started_at", "night", "entrytime", "lastmod", "program", "observation_id", "data_label", "name"}
)
"""Fields whose terms leave a bounded number of rows: dates, ids and file names."""


def literally(text: str) -> str:
    """Return a part of a pattern that stands for this text alone."""
    return re.sub(r"([%_\\])", r"\\\1", text)


def field_of(term: Term) -> str | None:
    """Return the field that a term is about."""
    if isinstance(term, Overlaps):
        return "started_at"
    return getattr(term, "field", None)


@dataclass(frozen=True, slots=True)
class SortedBy:
    """A field by which a list is sorted; rows without a value are the last in either direction."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What to list; every term has to hold.

    ``columns`` is what ``cols=`` asks of tables made for people. ``unrecognised`` holds what was asked for and
    left out: by a lenient parser, or since it means nothing here. Lists are in the ``order`` of these fields,
    the first one first; rows that are equal in all of them are in the order of names.
    """

    terms: tuple[Term, ...] = ()
    columns: str | None = None
    unrecognised: tuple[str, ...] = ()
    order: tuple[SortedBy, ...] = ()

    @property
    def is_open(self) -> bool:
        """Tell whether nothing bounds the number of rows: no date, no id, no file name."""
        return not any(self.mentions(name) for name in CLOSING)

    def mentions(self, field: str) -> bool:
        """Tell whether a term is about a field."""
        return any(field_of(term) == field for term in self.terms)

    def implying(self, field: str) -> Selection:
        """Return the selection of those rows alone that have a flag, unless it speaks of that flag itself."""
        return self if self.mentions(field) else replace(self, terms=(*self.terms, Flag(field, True)))

    def requiring(self, *terms: Term) -> Selection:
        """Return the selection with more terms."""
        return replace(self, terms=(*self.terms, *terms))
