"""Conditions on keywords of headers: how people write them, and what they are in the database."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from armillary.archive.catalog.tables import all_keywords, keywords_with
from armillary.archive.query.errors import BadPredicate
from armillary.archive.query.models import Compared

_FORM = re.compile(r"\s*([A-Za-z0-9_-]+(?:[ .][A-Za-z0-9_-]+)*)\s*(>=|<=|!=|=|>|<)\s*(.*?)\s*", re.DOTALL)
_SEPARATORS = "-_ ."
"""They are all the same to who asks: a keyword is found in whatever spelling a header has it."""
_SEPARATOR = re.compile(f"[{_SEPARATORS}]")
_JSONPATH = {"=": "==", ">": ">", "<": "<", ">=": ">=", "<=": "<="}
LONGEST_KEYWORD = 72


def parse_predicate(text: str) -> Compared:
    """Read ``KEYWORD=VALUE`` and its kin; the words of HIERARCH keywords may be joined by dots.

    Raises
    ------
    BadPredicate
        If the text has another form.
    """
    found = _FORM.fullmatch(text)
    if not found or len(found[1]) > LONGEST_KEYWORD:
        raise BadPredicate(f"'{text}' is no keyword condition: write KEYWORD=VALUE, or !=, <, <=, >, >=.")
    keyword = found[1].upper().replace(".", " ").removeprefix("HIERARCH ")
    return Compared(keyword, found[2], found[3])


def comparison(term: Compared) -> sa.ColumnElement[bool]:
    """Return a condition on a keyword as one of SQL on ``frame``.

    Where the headers of a frame do not have the very keyword, others count that differ in separators alone.
    """
    own, path = keywords_with(term.keyword), _path(term.keyword)
    exact = _holds(own, path, term)
    match _SEPARATOR.split(term.keyword):
        case [_]:
            return exact
        case [first, last]:
            names = {f"{first}{one}{last}" for one in _SEPARATORS} - {term.keyword}
            others = [_holds(keywords_with(name), _path(name), term) for name in sorted(names)]
        case parts:
            others = [_holds(all_keywords(), _any_spelling(parts), term)]
    return sa.or_(exact, sa.and_(sa.not_(_is_there(own, path)), sa.or_(*others)))


def _path(keyword: str) -> str:
    return f'$."{keyword}"'


def _any_spelling(parts: Sequence[str]) -> str:
    """Return the path of a keyword with any separators; of several, too many to be named each."""
    return f"""$.keyvalue() ? (@.key like_regex "^{"[-_ .]".join(parts)}$").value"""


def _holds(keywords: sa.ColumnElement[Any], path: str, term: Compared) -> sa.ColumnElement[bool]:
    operator = "==" if term.operator == "!=" else _JSONPATH[term.operator]
    fits = sa.text(_quoted(f"{path} ? (@ {operator} $value)"))
    matches = [
        sa.func.jsonb_path_exists(keywords, fits, sa.func.jsonb_build_object("value", _typed(reading)))
        for reading in _readings(term.value)
    ]
    if term.operator != "!=":
        return sa.or_(*matches)
    # A value of another type differs, too, which JSON paths call unknown.
    return sa.and_(_is_there(keywords, path), sa.not_(sa.or_(*matches)))


def _is_there(keywords: sa.ColumnElement[Any], path: str) -> sa.ColumnElement[bool]:
    return sa.func.coalesce(sa.func.jsonb_path_exists(keywords, sa.text(_quoted(path))), False)


def _quoted(path: str) -> str:
    # The keyword has passed the pattern of FITS keywords: no quote and no colon can be in the path.
    return "'" + path + "'::jsonpath"


def _typed(value: object) -> sa.ColumnElement[Any]:
    return sa.cast(sa.literal(value, JSONB), JSONB)


def _readings(text: str) -> list[object]:
    """Return what a word of the command line may mean: itself, a number, a logical value."""
    readings: list[object] = [text]
    try:
        number = float(text)
        if math.isfinite(number):
            readings.append(int(text) if re.fullmatch(r"[+-]?\d+", text) else number)
    except ValueError:
        pass
    if text in ("T", "F"):
        readings.append(text == "T")
    return readings
