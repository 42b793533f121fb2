"""Selections that were written down mean what they meant when somebody asked."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.archive.query.cones import Cone
from armillary.archive.query.grammar import BadSelection, parse
from armillary.archive.query.grammar.words import FOLDED, WORDS
from armillary.archive.query.models import (
    Among,
    Anything,
    Around,
    Between,
    Compared,
    Component,
    Differs,
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
)
from armillary.archive.query.stored import terms_of_json, terms_to_json
from armillary.base.work.store import decoded, dump
from armillary.errors import BadRequest

DAY, INSTANT = date(2026, 1, 1), datetime(2026, 1, 1, 5, 0, 0, 250_000, UTC)
ALL: tuple[Term, ...] = (
    Among("raw_iq", (20, 70)),
    Differs("qa_state", "Fail"),
    Flag("present", True),
    Between("night", DAY, DAY, "[]"),
    Between("started_at", INSTANT, None),
    Between("airmass", 1.0, 1e5, "()"),
    Overlaps(INSTANT, None),
    Overlaps(None, None),
    Around("azimuth_deg", 350.0, 10.0),
    Starts("name", ("N2026", "S2026")),
    Component("disperser", "R400"),
    Like("object", r"NGC\_%"),
    Like("object", "m 1", folded=True),
    InCone(Cone(10.5, -20.25, 1e-6)),
    InHeader(("PI", "PINAME"), ("ann", "bob")),
    Compared("EXPTIME", ">=", "30"),
    TaggedOrRaw("x"),
    Found("hour-angle"),
    Latest(3, "site"),
    Anything("qa_state"),
    Nothing("no standards"),
)


def test_every_kind_of_term_comes_back_from_a_row() -> None:
    assert {type(term) for term in ALL} == set(get_args(Term))
    assert terms_of_json(decoded(dump({"terms": terms_to_json(ALL)}))["terms"]) == ALL


@given(st.lists(st.sampled_from([*WORDS, *FOLDED, "defaults", "today", "20260101-yesterday"]), max_size=6))
def test_any_selection_comes_back(segments: list[str]) -> None:
    try:
        terms = parse(segments, today=DAY).terms
    except BadSelection:
        return
    assert terms_of_json(terms_to_json(terms)) == terms


@pytest.mark.parametrize(
    "found",
    [None, 7, [7], [{}], [{"term": "Among"}], [{"term": "Drop", "x": 1}], [{"term": "Flag", "field": "a"}]],
)
def test_what_is_none_is_refused(found: object) -> None:
    with pytest.raises(BadRequest, match="cannot be read"):
        terms_of_json(found)
