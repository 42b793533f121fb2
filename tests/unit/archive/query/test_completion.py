"""What is offered while somebody writes a selection: only what would be understood."""

from __future__ import annotations

from datetime import date

import pytest

from armillary.archive.query.errors import MalformedSelector
from armillary.archive.query.grammar.completion import MOST_WORDS, completions
from armillary.archive.query.service import read_selection

VALUES = {
    "instrument": ["GMOS-N", "kb01"],
    "program": ["GN-2026A-Q-1", "Nearby galaxies"],
    "observation_type": ["OBJECT", "light"],
    "filter": ["r", "rp", "a/b"],
}


@pytest.mark.parametrize("text", ["", "GMOS-N/", "GMOS-N/20260101/"])
def test_the_archive_comes_first(text: str) -> None:
    found = completions(text, VALUES)
    assert found[0] == f"{text}GMOS-N"
    assert len(found) <= MOST_WORDS


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("GMOS-N/pas", "GMOS-N/Pass"),
        ("gn-2026", "GN-2026A-Q-1"),
        ("filter=R", "filter=rp"),
        ("present/progid=N", "present/progid=Nearby galaxies"),
        ("exposure", "exposure_time="),
    ],
)
def test_a_word_is_completed(text: str, offered: str) -> None:
    assert offered in completions(text, VALUES)


@pytest.mark.parametrize("text", ["", "G", "b", "not", "a", "filter=", "progid=", "r"])
def test_what_is_offered_is_understood(text: str) -> None:
    for one in completions(text, VALUES):
        try:
            read_selection(one, today=date(2026, 1, 1), summit=False)
        except MalformedSelector:
            # A key still needs its value.
            assert one.endswith("=")


def test_nothing_is_offered_that_is_there_already_or_twice() -> None:
    assert completions("Pass", VALUES) == []
    assert completions("nothing like it", VALUES) == []
    folded = [one.casefold() for one in completions("g", VALUES)]
    assert len(folded) == len(set(folded))
    assert "a/b" not in " ".join(completions("filter=", VALUES))
