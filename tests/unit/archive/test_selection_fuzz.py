"""Whatever a client sends, the grammar answers with a selection that SQL can hold, or its own error."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from armillary.access.models import ANYBODY
from armillary.archive.query.conditions import conditions, tells_position
from armillary.archive.query.grammar import BadSelection, Selection, parse
from armillary.archive.query.grammar.keys import COORDINATES, KEYS
from armillary.archive.query.grammar.words import FOLDED, WORDS

TODAY = date(2026, 1, 2)
VALUES = st.one_of(
    st.text(max_size=12),
    st.from_regex(r"[-+0-9.:TZhmsd* ]{0,24}", fullmatch=True),
    st.from_regex(r"20[0-9]{6}(T[0-9:]{0,8})?--?20[0-9]{6}(T[0-9:]{0,8})?", fullmatch=True),
)
SEGMENTS = st.one_of(
    st.sampled_from([*WORDS, *FOLDED, "defaults", ""]),
    st.builds("{}={}".format, st.sampled_from([*KEYS, *COORDINATES, "cols", "nokey"]), VALUES),
    VALUES,
    st.from_regex(r"G[NS]?-20[0-9]{2}[AB]-[A-Z0-9-]{0,20}", fullmatch=True),
    st.from_regex(r"[NS]20[0-9]{6}[A-Z]?[0-9]{0,4}[a-z_.]{0,9}", fullmatch=True),
)


def _read(segments: list[str], *, lenient: bool) -> Selection | None:
    try:
        return parse(segments, today=TODAY, lenient=lenient)
    except BadSelection:
        return None


@given(st.lists(SEGMENTS, max_size=6), st.booleans())
def test_any_path_is_selected_by_or_refused(segments: list[str], lenient: bool) -> None:
    found = _read(segments, lenient=lenient)
    if found is None:
        return
    assert lenient or not found.unrecognised
    clauses = list(conditions(found.terms, ANYBODY, TODAY))
    statement = str(sa.and_(sa.true(), *clauses).compile(dialect=postgresql.dialect()))
    if any(map(tells_position, found.terms)):
        assert "proprietary_coordinates" in statement


@given(st.lists(SEGMENTS, max_size=5))
def test_the_order_of_segments_does_not_matter(segments: list[str]) -> None:
    first = _read(segments, lenient=True)
    second = _read(segments[::-1], lenient=True)
    assert (first is None) == (second is None)
    if first and second:
        assert set(first.terms) == set(second.terms)
        assert first.is_open == second.is_open
