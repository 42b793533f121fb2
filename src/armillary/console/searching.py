"""What the form of the search page asks for: its fields as they were written, as terms, and what is wrong."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

from armillary.archive.fields import CRITERIA, FRAME_FIELDS
from armillary.archive.models import MAX_PAGE
from armillary.archive.query.models import InCone, Term
from armillary.archive.query.service import Cone, read_selection, terms_of
from armillary.base.text import storable
from armillary.errors import ArmillaryError, BadRequest

CHOICES = ("view", "columns", "limit", "month", "total")
"""Parameters of the page that are about how it looks, and not about which frames it shows."""
PLACE = ("position", "radius")
"""A circle in the words of people; programs write both as `cone`."""
KEYWORD, SELECTION, CONE, CURSOR, UNKNOWN = "keyword", "selection", "cone", "cursor", "unknown"
LONGEST: Mapping[str, int] = {SELECTION: 2000}
LONGEST_WORD = 200
RADIUS_DEG = 0.1
_TYPES = {one.name: one.type for one in CRITERIA}
_FORMS = {
    date: "a day: write YYYY-MM-DD",
    datetime: "a time: write YYYY-MM-DD hh:mm:ss, in UTC",
    float: "a number",
    int: "a whole number",
    bool: "yes or no: write true or false",
}
_GROUPS = (
    *(one.asked for one in FRAME_FIELDS if one.asked),
    *(("warnings",), ("finding",), ("during",), ("latest", "per"), ("name",)),
)
"""Criteria that are about one thing each, and are wrong together."""
MORE = (
    *("telescope", "observation_id", "data_label", "since", "until", "during", "latest", "per"),
    *("finding", CONE, "warnings"),
)
NAMES = ("name", *(one.name for one in CRITERIA), *PLACE, CONE, SELECTION)
"""Every field of the form that is given once."""


@dataclass(slots=True)
class Search:
    """A search as it was asked for.

    Parameters
    ----------
    given
        The fields that are not empty, as they were written.
    keywords
        Conditions on keywords, of which there may be many.
    values
        The fields as values, without those that cannot be read.
    terms
        What all of it means; the circle is for `place` to add.
    problems
        What is wrong, by the field where it is.
    """

    given: dict[str, str] = field(default_factory=dict)
    keywords: tuple[str, ...] = ()
    values: dict[str, Any] = field(default_factory=dict)
    terms: tuple[Term, ...] = ()
    problems: dict[str, ArmillaryError] = field(default_factory=dict)
    empty: bool = False
    """Whether fields were sent that are empty, which an address does not need."""

    @property
    def asks(self) -> list[tuple[str, str]]:
        """The parameters that say which frames are meant."""
        pairs = [(name, self.given[name]) for name in NAMES if name in self.given]
        return pairs + [(KEYWORD, one) for one in self.keywords]

    @property
    def asking(self) -> str:
        """The query of an address that is about these frames, however they are shown."""
        return urlencode(self.asks)

    @property
    def wants_more(self) -> bool:
        """Whether a field is used that the form shows only when somebody asks for more."""
        return any(name in self.given for name in MORE)

    def query(self, **changes: str | None) -> str:
        """Return the query of an address that asks for the same, with other choices; None leaves one out."""
        chosen = {name: self.given[name] for name in CHOICES if name in self.given} | changes
        # In one order, so that one search has one address.
        return urlencode([*self.asks, *((name, value) for name, value in chosen.items() if value)])

    def address(self, **changes: str | None) -> str:
        """Return the address of the page that asks for the same."""
        query = self.query(**changes)
        return f"/frames?{query}" if query else "/frames"

    def changed(self, **fields: str | None) -> str:
        """Return the address of a search that differs in some fields."""
        given = {name: value for name, value in {**self.given, **fields}.items() if value}
        return Search(given, self.keywords).address()

    def place(self, cone: Cone) -> None:
        """Ask for a circle, too."""
        self.values[CONE] = f"{cone.ra_deg:.9g},{cone.dec_deg:.9g},{cone.radius_deg:.9g}"
        self.terms = (*self.terms, InCone(Cone.parse(self.values[CONE])))


def read_search(sent: Iterable[tuple[str, str]], *, today: date, summit: bool) -> Search:
    """Return what the parameters of an address ask for, problems included."""
    pairs = list(sent)
    search = Search(empty=any(not value.strip() for _, value in pairs))
    known = (*NAMES, *CHOICES, CURSOR)
    search.keywords = tuple(value.strip() for name, value in pairs if name == KEYWORD and value.strip())
    for name, value in pairs:
        if name == KEYWORD or not value.strip():
            continue
        if name not in known:
            near = difflib.get_close_matches(name, (*known, KEYWORD), n=1)
            hint = f"did you mean '{near[0]}'?" if near else "the form has all that there are."
            search.problems[UNKNOWN] = BadRequest(f"A search has no field '{name[:100]}'; {hint}")
        elif name == "columns" and name in search.given:
            search.given[name] += f",{value.strip()}"
        else:
            search.given[name] = value.strip()
    _read(search, today, summit)
    return search


def _read(search: Search, today: date, summit: bool) -> None:
    for name, text in search.given.items():
        if len(text) > LONGEST.get(name, LONGEST_WORD) and name not in ("columns", CURSOR):
            search.problems[name] = BadRequest(f"At most {LONGEST.get(name, LONGEST_WORD)} characters.")
        elif not storable(text):
            search.problems[name] = BadRequest("There are characters in it that no header can have.")
        elif name == "limit" and not (text.isascii() and text.isdecimal() and 0 < int(text) <= MAX_PAGE):
            search.problems[name] = BadRequest(f"A page has 1 to {MAX_PAGE} frames, and not '{text}'.")
        elif name in _TYPES:
            _convert(search, name, text)
        elif name == "name":
            search.values[name] = text
    for group in _GROUPS:
        values = {name: search.values[name] for name in group if name in search.values}
        if values:
            _add(search, group[0], lambda values=values: terms_of(**values))
    for one in search.keywords:
        _add(search, KEYWORD, lambda one=one: terms_of(keywords=[one]))
    selection = search.given.get(SELECTION)
    if selection and SELECTION not in search.problems:
        _add(search, SELECTION, lambda: read_selection(selection, today=today, summit=summit).terms)
    if "radius" in search.given and "position" not in search.given:
        search.problems["radius"] = BadRequest("A radius needs a position around which it is.")
    if CONE in search.given and "position" in search.given:
        search.problems[CONE] = BadRequest("A position and a cone are two circles; leave one out.")
    elif CONE in search.given:
        _add(search, CONE, lambda: terms_of(cone=search.given[CONE]))
        search.values[CONE] = search.given[CONE]


def _add(search: Search, name: str, read: Any) -> None:
    try:
        found: Sequence[Term] = read()
        search.terms = (*search.terms, *found)
    except ArmillaryError as error:
        search.problems[name] = error


def _convert(search: Search, name: str, text: str) -> None:
    kind = _TYPES[name]
    try:
        search.values[name] = _value(kind, text)
    except (ValueError, OverflowError, KeyError):
        search.problems[name] = BadRequest(f"'{text}' is not {_FORMS[kind]}.")


def _value(kind: type[Any], text: str) -> Any:
    if kind is datetime:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    if kind is date:
        return date.fromisoformat(text)
    if kind is bool:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text.lower()]
    if kind is float and not math.isfinite(float(text)):
        raise ValueError(text)
    return kind(text)
