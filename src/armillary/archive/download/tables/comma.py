"""Frames as CSV (RFC 4180): one line of names, then one for each frame."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from armillary.archive.download.tables.columns import COLUMNS
from armillary.archive.query.service import plain_values

MEDIA_TYPE = "text/csv; charset=utf-8; header=present"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""Programs for spreadsheets take texts that begin so for formulas, and run them."""
_TEXTS = frozenset(one.name for one in COLUMNS if one.kind == "text")


def head() -> str:
    """Return the line of names."""
    return _lines([[one.name for one in COLUMNS]])


def lines(frames: Iterable[Mapping[str, Any]]) -> str:
    """Return lines of frames; a text that might be taken for a formula has an apostrophe before it."""
    return _lines([_cell(name, value) for name, value in _ordered(one)] for one in frames)


def _ordered(frame: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    plain = plain_values(frame)
    return [(one.name, plain[one.name]) for one in COLUMNS]


def _cell(name: str, value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if name in _TEXTS and isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value


def _lines(rows: Iterable[Iterable[Any]]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue()
