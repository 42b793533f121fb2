from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.fits.cards import COMMENTARY, body_of
from armillary.fits.header import Header, read_values
from armillary.fits.models import Value
from tests.support.headers import a_card, a_header, a_primary

TRICKY = [
    "KEY     = 'abc'",
    "KEY     =                   12",
    "KEY     =                 12.5 / c",
    "KEY     =                    T",
    "key     =                    F",
    "KEY     =                  1_0",
    "KEY     =                1_0.5",
    "KEY     =              1.E+999",
    "KEY     =                 1.D3",
    "KEY     = 'long&'",
    "CONTINUE  'er&'",
    "CONTINUE  'est'",
    "KEY     = 'ends here 1234567890'",
    "KEY     = 'ends in column thirty-one or so' / c",
    "KEY     = '" + "x" * 68 + "'",
    "KEY     = 'it''s'",
    "KEY     =                   12 3",
    "KEY     =                   12345",
    "KEY     =                    Tx",
    "KEY     = \xe9\xff",
    "KEY     =\t12",
    "KEY     words",
    "COMMENT = 'no'",
    "HISTORY x",
    "HIERARCH ESO A = 1",
    "HIERARCH no value",
    "        text",
    "",
    "OTHER   = / nothing",
    "\x00\x01",
]


def slow_values(header: Header) -> dict[str, Value]:
    """Read by the exact path alone."""
    found: dict[str, Value] = {}
    for card in header.cards:
        if card.keyword not in COMMENTARY and card.raw[:8] != b"CONTINUE":
            found.setdefault(card.keyword, card.value)
    return found


@given(st.lists(st.sampled_from(TRICKY), max_size=12))
def test_fast_and_exact_paths_agree(cards: list[str]) -> None:
    header = Header(a_header(*cards))
    fast, slow = read_values(header.raw), slow_values(header)
    assert fast == slow
    assert [type(v) for v in fast.values()] == [type(v) for v in slow.values()]


@given(st.binary(max_size=400))
def test_any_bytes_are_a_header_of_some_sort(junk: bytes) -> None:
    header = Header(junk)
    assert header.values() == slow_values(header)
    assert b"".join(card.raw for card in header.cards) == body_of(junk)


def test_first_of_duplicated_keywords_counts() -> None:
    header = Header(a_primary("A       = 1", "A       = 2"))
    assert header.get("a") == 1
    assert header.values()["A"] == 1
    assert [card.value for card in header.cards if card.keyword == "A"] == [1, 2]


def test_continued_string_is_one_card() -> None:
    header = Header(a_primary("A       = 'one &' / x", "CONTINUE  'two&'", "CONTINUE  '' / y"))
    card = header.cards[3]
    assert (card.keyword, card.value, card.comment, len(card.raw)) == ("A", "one two", "x y", 240)
    assert header.get("A") == header.values()["A"] == "one two"


def test_hierarch_keywords_are_found_by_their_long_name() -> None:
    header = Header(a_primary("HIERARCH ESO DET ID = 7"))
    assert header.get("eso det id") == 7
    assert "ESO DET ID" in header.keywords()
    assert "SIMPLE" in header.keywords()


def test_absent_keyword_gives_the_default() -> None:
    assert Header(a_primary()).get("NOPE", 5) == 5
    assert Header(a_primary("A       =")).get("A", 5) is None


def test_values_leave_commentary_out_and_keywords_keep_it() -> None:
    header = Header(a_primary("COMMENT c", "HISTORY h", "        blank"))
    assert header.values().keys() == {"SIMPLE", "BITPIX", "NAXIS"}
    assert {"COMMENT", "HISTORY"} <= header.keywords()


def test_values_of_a_header_cannot_be_changed_from_outside() -> None:
    header = Header(a_primary())
    header.values()["NEW"] = 1
    assert header.values().keys() == {"SIMPLE", "BITPIX", "NAXIS"}


def test_text_has_a_line_per_card() -> None:
    text = Header(a_primary("COMMENT \xe9")).text()
    assert text.splitlines()[3] == "COMMENT ?"
    assert len(text.splitlines()) == 4


@pytest.mark.parametrize("junk", ["END     junk behind", "END"])
def test_cards_after_end_do_not_count(junk: str) -> None:
    raw = a_card("A       = 1") + a_card(junk) + a_card("B       = 2")
    assert Header(raw).values() == {"A": 1}
