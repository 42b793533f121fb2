"""What texts mean on the cards that they are for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.fits.header import Header
from armillary.fits.models import CardChange, Value
from armillary.fits.texts import between_quotes, fit_cards, fit_text, keep_text
from tests.support.headers import PRINTABLE, a_primary


@pytest.mark.parametrize(
    ("text", "held", "meant"),
    [
        ("33", 12.5, 33.0),
        ("33", 12, 33),
        (" 33 ", 12, 33),
        ("+33", 12, 33),
        ("007", 12, 7),
        ("33.5", 12, 33.5),
        ("1.5D3", 12.5, 1500.0),
        ("-.5e-3", 12.5, -0.0005),
        ("T", False, True),
        ("F", True, False),
        ("(1, 2.5)", 1j, 1 + 2.5j),
        ("4", 1j, 4),
        # What does not say what the card holds is text.
        ("33", "12", "33"),
        ("33", None, "33"),
        ("T", "F", "T"),
        ("T", 1, "T"),
        ("1", True, "1"),
        ("true", True, "true"),
        ("(1, 2.5)", 1.5, "(1, 2.5)"),
        ("33 s", 12.5, "33 s"),
        ("33 / s", 12.5, "33 / s"),
        ("33/", 12.5, "33/"),
        ("1e999", 12.5, "1e999"),
        ("nan", 12.5, "nan"),
        ("1_000", 12, "1_000"),
        ("9223372036854775808", 12, "9223372036854775808"),
        ("", 12, ""),
        # Quotes.
        ("'33'", 12.5, "33"),
        ("'33'", "text", "33"),
        ("'33'", None, "33"),
        ("'T'", True, "T"),
        ("''33''", 12.5, "'33'"),
        ("'M 31'", 12.5, "'M 31'"),
        ("'", 12.5, "'"),
        ("''", 12.5, "''"),
    ],
)
def test_a_text_becomes_what_the_card_holds(text: str, held: Value, meant: Value) -> None:
    found = fit_text(text, held)
    assert (found, type(found)) == (meant, type(meant))


held = st.sampled_from(("text", 5, 5.5, True, 1j, None))
texts = st.one_of(
    st.text(PRINTABLE, max_size=20),
    st.text("'0123456789.eETF ", max_size=6),
    st.floats(allow_nan=False).map(str),
    st.integers().map(str),
)


@given(texts, held)
def test_a_text_that_is_to_stay_one_does_so_on_any_card(text: str, held: Value) -> None:
    assert fit_text(keep_text(text), held) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_survives_its_way_as_text(number: float) -> None:
    assert fit_text(repr(number), 1.5) == number


def test_cards_are_looked_up_in_the_header() -> None:
    header = a_primary("EXPTIME =                 12.5", "OBJECT  = 'x'", "SHUT    =                    T")
    changes = [
        CardChange("EXPTIME", "33"),
        CardChange("OBJECT", "33"),
        CardChange("SHUT", "F"),
        CardChange("NEW", "33"),
        CardChange("COMMENT", "33"),
        CardChange("N", 5),
    ]
    values = [one.value for one in fit_cards(header, changes)]
    assert values == [33.0, "33", False, "33", "33", 5]
    assert Header(header).get("EXPTIME") == 12.5


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("'33'", "33"),
        ('"a b"', "a b"),
        ("''", ""),
        ("''33''", "'33'"),
        ("'\"'", '"'),
        ("'", None),
        ("", None),
        ("33", None),
        ("'33", None),
        ("'33\"", None),
        (" '33'", None),
    ],
)
def test_quotes_of_a_command_line_come_in_pairs(text: str, inside: str | None) -> None:
    assert between_quotes(text) == inside


@pytest.mark.parametrize("text", ["33", " 33 ", "T", "1.5D3", "(1, 2)", "'33'", "''T''"])
def test_only_a_text_that_says_something_needs_quotes(text: str) -> None:
    assert keep_text(text) == f"'{text}'"
    assert keep_text(f"{text} m") == f"{text} m"


def test_cards_of_which_none_says_something_are_handed_on() -> None:
    changes = (CardChange("EXPTIME", "long"), CardChange("N", 5), CardChange("X", None))
    assert fit_cards(b"no header at all", changes) is changes
