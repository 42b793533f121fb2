"""Fields of record-valued cards are found by keyword and field, and nothing else is taken for one."""

from __future__ import annotations

from armillary.fits.cards import format_card
from armillary.fits.records import MOST, record_values
from armillary.fits.values import write_value
from tests.support.headers import a_card


def test_each_field_has_its_value_and_the_first_card_wins() -> None:
    cards = [
        format_card("DW3", "EXTVER: 1"),
        format_card("DW3", "AXIS.1: 2.5", "a comment: 7"),
        format_card("DW3", "axis.2:   -1E-3"),
        format_card("DW3", "AXIS.1: 9"),
        format_card("DW3", "ASSOCIATE: of the pixels"),
    ]
    assert record_values(b"".join(cards)) == {
        "DW3.EXTVER": 1,
        "DW3.AXIS.1": 2.5,
        "DW3.AXIS.2": -0.001,
        "DW3.ASSOCIATE": "of the pixels",
    }


def test_a_text_with_a_colon_is_a_text() -> None:
    notes = [
        format_card("OBSERVER", "PI: Hale"),
        a_card("COMMENT  = 'AXIS.1: 1'"),
        format_card("DATE-BEG", "2026-01-01T10:00:00"),
        format_card("TITLE", "see = 'AXIS.1: 1'"),
        format_card("DW3", "AXIS.1:1"),
    ]
    assert record_values(b"".join(notes)) == {}
    assert record_values(notes[0], any_text=True) == {"OBSERVER.PI": "Hale"}


def test_numbers_that_json_has_no_words_for_are_texts() -> None:
    assert record_values(format_card("DW3", "AXIS.1: nan")) == {"DW3.AXIS.1": "nan"}
    assert record_values(format_card("GAIN", "LOW: inf")) == {}


def test_a_field_of_many_cards_is_read_whole() -> None:
    text = "NAME: " + "x" * 90
    card = a_card(f"DW3     = '{text[:60]}&'") + a_card(f"CONTINUE  {write_value(text[60:])}")
    assert record_values(card) == {"DW3.NAME": "x" * 90}


def test_no_header_has_fields_without_end() -> None:
    assert len(record_values(b"".join(format_card("DW3", f"AXIS.{n}: 1") for n in range(MOST + 50)))) == MOST
