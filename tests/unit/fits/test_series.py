from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.fits.header import read_values
from armillary.fits.series import SeriesReader
from tests.support.headers import a_header

FIRST = [
    "SIMPLE  =                    T",
    *(f"KEY{number:<5}=                 {number:>3} / a comment" for number in range(20)),
    "FILTER  = 'rp      '",
    "DUP     =                    1",
    "DUP     =                    2",
    "HIERARCH ESO ONE = 1",
    "ODD 5",
    "COMMENT = said first",
    "lower   =                    7",
    "        blank",
    "UNDEF   =",
]


def changed(**at: str) -> list[str]:
    """Return the cards of the first header with those that begin with a word replaced."""
    cards = list(FIRST)
    for word, card in at.items():
        cards[next(i for i, old in enumerate(cards) if old.startswith(word))] = card
    return cards


def read_second(cards: list[str]) -> tuple[dict[str, object], frozenset[str] | None]:
    reader = SeriesReader()
    reader.read([a_header(*FIRST)])
    found = reader.read([a_header(*cards)])
    return found.headers[0], found.changed if found.series else None


def test_the_first_header_founds_a_series() -> None:
    found = SeriesReader().read([a_header(*FIRST)])
    assert (found.series, found.headers) == (None, (read_values(a_header(*FIRST)),))


def test_a_header_of_the_series_names_what_changed() -> None:
    cards = changed(
        KEY7="KEY7    =                  8.5", FILTER="FILTER  = 'it''s'", lower="lower   = T / free"
    )
    values, names = read_second(cards)
    assert names == {"KEY7", "FILTER", "LOWER"}
    assert (values["KEY7"], values["FILTER"], values["LOWER"]) == (8.5, "it's", True)
    assert list(values.items()) == list(read_values(a_header(*cards)).items())


def test_a_changed_comment_changes_no_keyword() -> None:
    assert read_second(changed(COMMENT="COMMENT   said second"))[1] == frozenset()


@pytest.mark.parametrize(
    ("word", "card"),
    [
        ("KEY7", "KEY8    =                    1"),
        ("KEY7", "KEY7   1"),
        ("HIERARCH", "HIERARCH ESO ONE = 2"),
        ("ODD", "ODD 6"),
        ("COMMENT", "HISTORY said"),
        ("KEY3", "COMMENT x"),
    ],
)
def test_other_keywords_are_another_series(word: str, card: str) -> None:
    cards = changed(**{word: card})
    values, names = read_second(cards)
    assert names is None
    assert values == read_values(a_header(*cards))


def test_the_second_of_two_cards_of_one_keyword_counts_for_nothing() -> None:
    cards = list(FIRST)
    cards[cards.index("DUP     =                    2")] = "DUP     =                    3"
    values, names = read_second(cards)
    assert (values["DUP"], names) == (1, None)


def test_headers_with_long_strings_are_read_as_a_whole() -> None:
    cards = [*FIRST, "LONG    = 'a&'", "CONTINUE  'b'"]
    reader = SeriesReader()
    for _ in range(2):
        found = reader.read([a_header(*cards)])
        assert (found.series, found.headers[0]["LONG"]) == (None, "ab")


def test_series_of_one_length_do_not_drive_each_other_out() -> None:
    reader = SeriesReader()
    series = [[f"{name}{n:<4}=  {n}" for n in range(30)] for name in ("ABCD", "EFGH", "IJKL")]
    for cards in series:
        reader.read([a_header(*cards)])
    for cards in series * 2:
        assert reader.read([a_header(*cards)]).series is not None


def test_all_headers_of_a_file_belong_together() -> None:
    reader = SeriesReader()
    second = ["XTENSION= 'IMAGE   '", *(f"EXT{n:<5}= {n}" for n in range(10))]
    first = reader.read([a_header(*FIRST), a_header(*second)])
    other = [*second[:-1], "EXT9    = 'other'"]
    found = reader.read([a_header(*FIRST), a_header(*other)])
    assert first.series is None
    assert found.changed == {"EXT9"}
    assert found.headers == (read_values(a_header(*FIRST)), read_values(a_header(*other)))


def test_forgotten_series_begin_anew() -> None:
    reader = SeriesReader(lengths=2, of_length=1)
    for length in range(1, 6):
        reader.read([a_header(*FIRST, *["COMMENT"] * length)])
    assert reader.read([a_header(*FIRST, "COMMENT")]).series is None


@given(st.integers(0, 2**32), st.sampled_from(["'&", "\x00\xff", "T=/ 1.'", "CONTINUE"]))
def test_any_change_reads_as_without_a_series(seed: int, letters: str) -> None:
    chance = random.Random(seed)
    first = bytearray(a_header(*FIRST))
    reader = SeriesReader()
    reader.read([bytes(first)])
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(FIRST) * 80)
        first[at] = ord(chance.choice(letters))
    found = reader.read([bytes(first)])
    assert list(found.headers[0].items()) == list(read_values(bytes(first)).items())
    if found.series:
        before = found.series.values[0]
        differ = {k for k, v in found.headers[0].items() if repr(before[k]) != repr(v)}
        assert differ <= found.changed
