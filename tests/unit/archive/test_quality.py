"""Quality words, site conditions and release dates: the tables, there and back."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.archive.models import (
    QA_CARDS,
    SITE_CARDS,
    QaState,
    parse_release,
    percentile,
    qa_cards,
    qa_state,
    site_cards,
)


@pytest.mark.parametrize(
    ("word", "published"),
    [
        ("undefined", "Undefined"),
        ("PASS", "Pass"),
        ("Usable", "Usable"),
        ("fail", "Fail"),
        ("cHeCk", "CHECK"),
    ],
)
def test_quality_words_read_back_as_published(word, published):
    cards = dict(qa_cards(word))
    assert qa_state(cards["RAWGEMQA"], cards["RAWPIREQ"]) == published


@pytest.mark.parametrize(
    ("rawgemqa", "rawpireq", "state"),
    [
        ("unknown", "YES", QaState.UNDEFINED),
        ("BAD", "UNKNOWN", QaState.UNDEFINED),
        ("usable ", "yes", QaState.PASS),
        ("BAD", "YES", QaState.FAIL),
        ("BAD", "CHECK", QaState.FAIL),
        ("CHECK", "NO", QaState.CHECK),
        ("USABLE", "CHECK", QaState.CHECK),
        (None, None, QaState.UNDEFINED),
        (True, 7, QaState.UNDEFINED),
        ("USABLE", None, QaState.UNDEFINED),
    ],
)
def test_first_rule_that_fits_gives_the_state(rawgemqa, rawpireq, state):
    assert qa_state(rawgemqa, rawpireq) is state


def test_masks_are_always_good():
    assert qa_state("BAD", "NO", "mask") is QaState.PASS


def test_every_site_condition_reads_back_as_its_number():
    for word, (keyword, value) in SITE_CARDS.items():
        number = 100 if word.endswith("any") else int(word[2:])
        assert percentile(value) == number
        assert keyword == "RAW" + word[:2].upper()
    assert len(SITE_CARDS) == 16


@pytest.mark.parametrize("word", ["iq20,cc50", "iq50", "", "any", "cc20", "wv85"])
def test_other_site_words_have_no_card(word):
    assert site_cards(word) is None


@given(st.text().filter(lambda text: text.lower() not in QA_CARDS))
def test_other_quality_words_have_no_cards(word):
    assert qa_cards(word) is None


@pytest.mark.parametrize(
    "value", ["UNKNOWN", "", None, True, "percentile", "-20", 120, 20.5, "0-percentile", "999"]
)
def test_what_is_no_percentile_reads_as_none(value):
    assert percentile(value) is None


def test_percentiles_may_be_written_in_any_way():
    assert [percentile(v) for v in ("70-percentile", " 85-Percentile", "ANY", 20, 50.0, "80")] == [
        70,
        85,
        100,
        20,
        50,
        80,
    ]


@given(st.dates(min_value=date(1000, 1, 1)))
def test_release_accepts_padded_and_unpadded_days(day):
    assert parse_release(day.isoformat()) == parse_release(f"{day.year}-{day.month}-{day.day}") == day


@pytest.mark.parametrize(
    "text",
    [
        "2023-02-29",
        "2023-13-01",
        "2023-01-01T00:00:00",
        " 2023-01-01",
        "2023-01-01\n",
        "",
        "01-01-2023",
        "2023/01/01",
        "20230101",
        "２０２３-01-01",
    ],
)
def test_release_refuses_anything_else(text):
    with pytest.raises(ValueError, match=r"date|day|month"):
        parse_release(text)
