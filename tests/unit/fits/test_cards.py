from __future__ import annotations

import math
import struct

import pytest
from astropy.io import fits
from hypothesis import assume, given
from hypothesis import strategies as st

from armillary.fits.cards import extent, find_end, fit_card, format_card, parse_card, split_cards
from armillary.fits.errors import InvalidValue
from armillary.fits.models import Value
from armillary.fits.values import same_value
from tests.support.headers import PRINTABLE, a_card, a_header, comments, keywords, numbers, strings, values


def value_of(text: str) -> Value:
    return parse_card(a_card(text)).value


def same(a: object, b: object) -> bool:
    """Equal in type and, for floats, in every bit but the sign of zero."""
    return type(a) is type(b) and a == b


@given(keywords, values, comments)
def test_written_card_reads_back_as_the_same_value(keyword: str, value: Value, comment: str) -> None:
    raw, cut = fit_card(keyword, value, comment)
    card = parse_card(raw)
    assert len(raw) % 80 == 0
    assert card.keyword == keyword
    assert same_value(card.value, value)
    if not cut:
        assert card.comment == comment.removeprefix("/").strip() or comment.startswith("/")


@given(keywords, st.one_of(numbers, st.booleans()), comments)
def test_astropy_reads_the_number_that_was_written(keyword: str, value: Value, comment: str) -> None:
    card = fits.Card.fromstring(format_card(keyword, value, comment))
    assert same(card.value, value)


@given(keywords, st.text(PRINTABLE, max_size=200))
def test_astropy_reads_the_string_that_was_written(keyword: str, value: str) -> None:
    # astropy takes a slash behind a doubled quote for the start of the comment.
    assume(not ("'" in value and "/" in value))
    card = fits.Card.fromstring(format_card(keyword, value))
    assert card.value.rstrip() == value.rstrip()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_float_reads_back_in_every_bit(value: float) -> None:
    read = parse_card(format_card("KEY", value)).value
    assert isinstance(read, float)
    assert struct.pack(">d", read) == struct.pack(">d", value)


@given(st.text(st.sampled_from("'&x "), min_size=60, max_size=300), st.text(PRINTABLE, max_size=60))
def test_long_strings_of_quotes_and_ampersands_survive(value: str, comment: str) -> None:
    cards = split_cards(format_card("KEY", value, comment))
    assert extent(cards, 0) == len(cards)
    read = parse_card(b"".join(cards)).value
    assert isinstance(read, str)
    assert read == value.rstrip()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("abc", "KEY     = 'abc     '"),
        ("", "KEY     = ''"),
        ("   ", "KEY     = '        '"),
        ("it's", "KEY     = 'it''s   '"),
        (True, "KEY     =                    T"),
        (-17, "KEY     =                  -17"),
        (1.0, "KEY     =                  1.0"),
        (1e22, "KEY     =              1.0E+22"),
        (1.5e-7, "KEY     =              1.5E-07"),
        (-2.2250738585072014e-308, "KEY     = -2.2250738585072014E-308"),
        (None, "KEY     ="),
        (1 + 2j, "KEY     =           (1.0, 2.0)"),
    ],
)
def test_fixed_format_is_exact(value: Value, text: str) -> None:
    assert format_card("KEY", value) == a_card(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("KEY     = 1.D5", 1e5),
        ("KEY     =                1.5d-3", 1.5e-3),
        ("KEY     = 'abc''def'", "abc'def"),
        ("KEY     = ''", ""),
        ("KEY     = '    '", ""),
        ("KEY     = '  x '  no slash", "  x"),
        ("KEY     = 'open", None),
        ("KEY     = T/ free format", True),
        ("KEY     =   F", False),
        ("KEY     = Tx", None),
        ("KEY     = (1, -2.5E0) / complex", 1 - 2.5j),
        ("KEY     = 123456789012345678901234567890", 123456789012345678901234567890),
        ("KEY     =                                  5 / right of column 30", 5),
        ("KEY     = 5 comment without slash", 5),
        ("KEY     = 1_000", None),
        ("KEY     = 1_0.0", None),
        ("KEY     = nan", None),
        ("KEY     = 1E999", None),
        ("KEY     =             1.0E999", None),
        ("KEY     = - 5", None),
        ("KEY     =", None),
        ("KEY     = / undefined", None),
        ("KEY      words without an indicator", None),
        ("KEY     ='no blank'", None),
        ("HIERARCH ESO DET ID = 'x' / y", "x"),
    ],
)
def test_odd_value_is_read_as_the_standard_says(text: str, value: Value) -> None:
    assert same(value_of(text), value)


def test_hierarch_card_is_known_by_its_long_name() -> None:
    card = parse_card(a_card("HIERARCH  eso DET  ID = 3 / id"))
    assert (card.keyword, card.value, card.comment) == ("ESO DET ID", 3, "id")


def test_commentary_card_has_its_text_as_value() -> None:
    assert value_of("HISTORY = 'not a value'") == "= 'not a value'"


def test_bytes_outside_ascii_are_shown_as_question_marks() -> None:
    card = parse_card(b"OBSERVER= 'Jos\xe9   '".ljust(80))
    assert card.value == "Jos?"
    assert b"\xe9" in card.raw


def test_comment_that_does_not_fit_is_cut_and_told() -> None:
    raw, cut = fit_card("KEY", "x" * 60, "123456789012345")
    assert len(raw) == 80
    assert (parse_card(raw).comment, cut) == ("123456", "789012345")


def test_comment_of_a_long_string_is_on_the_last_card() -> None:
    cards = split_cards(format_card("KEY", "x" * 100, "c" * 40))
    assert [card[:10] for card in cards] == [b"KEY     = ", b"CONTINUE  ", b"CONTINUE  "]
    assert cards[-1].rstrip().endswith(b"/ " + b"c" * 40)


def test_string_of_68_characters_stays_on_one_card() -> None:
    assert len(format_card("KEY", "x" * 68)) == 80
    assert len(format_card("KEY", "x" * 69)) == 160


@pytest.mark.parametrize("value", [math.nan, math.inf, complex(0, math.inf), "é"])
def test_value_without_fits_form_is_refused(value: Value) -> None:
    with pytest.raises(InvalidValue):
        format_card("KEY", value)


def test_continue_without_ampersand_belongs_to_nobody() -> None:
    cards = [a_card("KEY     = 'abc'"), a_card("CONTINUE  'def'")]
    assert extent(cards, 0) == 1


def test_ampersand_without_continue_is_part_of_the_value() -> None:
    assert value_of("KEY     = 'R&D&'") == "R&D&"


def test_end_in_the_text_of_a_card_is_not_the_end() -> None:
    header = a_header("HISTORY END     of the night", "X".ljust(7) + "=     END     ")
    assert find_end(header) == 160


@given(strings, st.integers(0, 3))
def test_parsing_never_fails_on_any_text(text: str, cards: int) -> None:
    raw = text.encode("ascii")[: 80 * (cards + 1)].ljust(80 * (cards + 1))
    assert parse_card(raw).raw == raw


@given(st.from_regex(r"[A-Z]{2,9} [A-Z0-9]{1,9}( [A-Z0-9]{1,5})?", fullmatch=True), values, comments)
def test_long_keywords_are_written_behind_hierarch(keyword: str, value: Value, comment: str) -> None:
    raw, _ = fit_card(keyword, value, comment)
    assert raw.startswith(f"HIERARCH {keyword} =".encode())
    card = parse_card(raw)
    assert card.keyword == keyword
    assert same_value(card.value, value)
