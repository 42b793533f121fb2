"""Conditions on keywords of headers: how people write them, and what they are in the database."""

from __future__ import annotations

import math
import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from armillary.archive.catalog.tables import keywords_with
from armillary.archive.query.errors import BadPredicate
from armillary.archive.query.models import Compared

_FORM = re.compile(
    r"\s*([A-Za-z0-9_-]{1,8}|[A-Za-z0-9_-]+(?:[ .][A-Za-z0-9_-]+)+)\s*(>=|<=|!=|=|>|<)\s*(.*?)\s*", re.DOTALL
)
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
    """Return a condition on a keyword as one of SQL on ``frame``."""
    name = f'$."{term.keyword}"'
    operator = "==" if term.operator == "!=" else _JSONPATH[term.operator]
    path = sa.text(_quoted(f"{name} ? (@ {operator} $value)"))
    keywords = keywords_with(term.keyword)
    matches = [
        sa.func.jsonb_path_exists(keywords, path, sa.func.jsonb_build_object("value", _typed(reading)))
        for reading in _readings(term.value)
    ]
    if term.operator != "!=":
        return sa.or_(*matches)
    # A value of another type differs, too, which JSON paths call unknown.
    there = sa.func.jsonb_path_exists(keywords, sa.text(_quoted(name)))
    return sa.and_(there, sa.not_(sa.or_(*matches)))


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
