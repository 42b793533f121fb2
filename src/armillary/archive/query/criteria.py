"""What frames are asked for, in the words of options and parameters, as terms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from armillary.archive.fields import CRITERIA, FRAME_FIELDS, WARNINGS, FrameField
from armillary.archive.models import QaState
from armillary.archive.query.comparisons import parse_predicate
from armillary.archive.query.cones import Cone
from armillary.archive.query.grammar.parser import parse
from armillary.archive.query.intervals import as_utc, parse_interval
from armillary.archive.query.latest import parse_latest
from armillary.archive.query.models import (
    Among,
    Between,
    Flag,
    Found,
    InCone,
    Like,
    Selection,
    Term,
    literally,
)
from armillary.base.text import storable
from armillary.errors import BadRequest
from armillary.fits.containers import logical_name

NAME = "name"
_WILD = re.compile(r"([*?])")


_NAMES = frozenset((NAME, *(one.name for one in CRITERIA)))


def read_selection(text: str, *, today: date, summit: bool) -> Selection:
    """Return the selection that is written as in a path of Gemini's lists, the slashes between included.

    Raises
    ------
    BadSelection
        If a part of it cannot be understood; nothing is left out.
    """
    return parse(text.split("/"), today=today, summit=summit)


def terms_of(
    *, cone: Cone | str | None = None, keywords: Sequence[str] | None = None, **given: Any
) -> tuple[Term, ...]:
    """Return the terms that are asked for by criteria; those that are None ask for nothing.

    Raises
    ------
    BadRequest
        If one of the words cannot be understood, or holds what no header can.
    """
    if unknown := given.keys() - _NAMES:
        raise TypeError(f"no criteria: {', '.join(sorted(unknown))}")
    _refuse_unstorable([*(one for one in given.values() if isinstance(one, str)), *(keywords or ())])
    terms = list(_named(given[NAME])) if given.get(NAME) is not None else []
    for field in FRAME_FIELDS:
        values = [given.get(name) for name in field.asked]
        if any(value is not None for value in values):
            terms.append(_term(field, values))
    if given.get(WARNINGS) is not None:
        terms.append(Flag("mdready", not given[WARNINGS]))
    if given.get("finding") is not None:
        terms.append(Found(given["finding"]))
    if given.get("during") is not None:
        terms.append(parse_interval(given["during"]))
    if given.get("latest") is not None or given.get("per") is not None:
        terms.append(parse_latest(given.get("latest"), given.get("per")))
    if cone:
        terms.append(InCone(Cone.parse(cone) if isinstance(cone, str) else cone))
    return (*terms, *map(parse_predicate, keywords or ()))


def _refuse_unstorable(texts: Iterable[str]) -> None:
    if bad := next((text for text in texts if not storable(text)), None):
        raise BadRequest(f"{bad!r} holds characters that no header can have.")


def _term(field: FrameField, values: Sequence[Any]) -> Term:
    if len(values) == 1:
        return Among(field.name, (_qa_word(values[0]) if field.name == "qa_state" else values[0],))
    low, high = values
    if field.kind == "instant":
        return Between(field.name, as_utc(low), as_utc(high))
    # A night alone is that night.
    return Between(field.name, low, low if high is None and field.kind == "day" else high, "[]")


def _named(name: str) -> Iterator[Term]:
    """Yield what a name of a file selects, in which ``*`` and ``?`` stand for anything and for one character."""
    if not _WILD.search(name):
        yield Among(NAME, (name,)) if "/" in name else Among(NAME, (logical_name(name),))
        return
    signs = {"*": "%", "?": "_"}
    path, joint, last = name.rpartition("/")
    if joint and not _WILD.search(path):
        yield Among("path", (path,))
        name = last
    yield Like(NAME, "".join(signs.get(part) or literally(part) for part in _WILD.split(name)))


def _qa_word(text: str) -> str:
    known = {one.lower(): str(one) for one in QaState}
    if text.lower() not in known:
        raise BadRequest(f"'{text}' is no QA state; write one of {', '.join(known.values())}.")
    return known[text.lower()]
