from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.errors import ArmillaryError
from armillary.fits.header import read_values
from armillary.fits.models import ReadAt
from armillary.fits.scan import scan
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


IMAGE = [
    "SIMPLE  =                    T",
    "BITPIX  =                    8",
    "NAXIS   =                    1",
    "NAXIS1  =                 2880",
    *(f"KEY{number:<5}=                 {number:>3} / a comment" for number in range(20)),
    "COMMENT = said first",
]
EXTENSION = ["XTENSION= 'IMAGE   '", *IMAGE[1:4], "EXTNAME = 'A'", *(f"EXT{n:<5}= {n}" for n in range(10))]


def a_file(primary: list[str], extension: list[str]) -> bytes:
    return a_header(*primary) + bytes(2880) + a_header(*extension) + bytes(2880)


def reader_of(data: bytes) -> ReadAt:
    return lambda offset, size: data[offset : offset + size]


def knows(data: bytes) -> SeriesReader:
    """Return a reader that has read one file."""
    reader, layout = SeriesReader(), scan(reader_of(data), len(data))
    assert reader.recognise(reader_of(data), len(data)) is None
    reader.read(layout.headers, layout)
    return reader


def test_a_file_of_a_series_needs_no_scan() -> None:
    other = a_file([*IMAGE[:4], "KEY0    = 'new'", *IMAGE[5:]], [*EXTENSION[:-1], "EXT9    = 'other'"])
    found = knows(a_file(IMAGE, EXTENSION)).recognise(reader_of(other), len(other))
    assert found is not None
    layout, values = found
    assert layout == scan(reader_of(other), len(other))
    assert values.headers == tuple(map(read_values, layout.headers))
    assert values.changed == {"KEY0", "EXT9"}


@pytest.mark.parametrize(
    ("at", "card"),
    [
        (0, "SIMPLE  =                    F"),
        (1, "BITPIX  =                   16"),
        (3, "NAXIS1  =                 5760"),
        (23, "END"),
    ],
)
def test_a_file_of_another_structure_is_scanned(at: int, card: str) -> None:
    first = a_file(IMAGE, EXTENSION)
    other = a_file([*IMAGE[:at], card, *IMAGE[at + 1 :]], EXTENSION)
    assert knows(first).recognise(reader_of(other), len(first)) is None
    named = a_file(IMAGE, [card if old.startswith("EXTNAME") else old for old in EXTENSION])
    assert knows(first).recognise(reader_of(named), len(first)) is None


def test_a_file_of_another_size_is_scanned() -> None:
    first = a_file(IMAGE, EXTENSION)
    longer, cut = first + bytes(2880), first[:-2880]
    reader = knows(first)
    assert reader.recognise(reader_of(longer), len(longer)) is None
    assert reader.recognise(reader_of(cut), len(cut)) is None
    assert reader.recognise(reader_of(cut[:100]), len(first)) is None
    assert reader.recognise(reader_of(first), len(first), max_header=2880) is None
    assert reader.recognise(reader_of(first), len(first), max_header=5760) is not None


@given(st.integers(0, 2**32), st.sampled_from(["E", "7", "T=/ 1.'", "\x00\xff"]))
def test_what_is_recognised_is_what_a_scan_finds(seed: int, letters: str) -> None:
    chance, data = random.Random(seed), bytearray(a_file(IMAGE, EXTENSION))
    reader = knows(bytes(data))
    for _ in range(chance.randrange(1, 6)):
        start = chance.choice([0, 2 * 2880])
        data[start + chance.randrange(len(EXTENSION) * 80)] = ord(chance.choice(letters))
    found = reader.recognise(reader_of(bytes(data)), len(data))
    try:
        layout = scan(reader_of(bytes(data)), len(data))
    except ArmillaryError:
        assert found is None
        return
    if found is not None:
        assert found[0] == layout
        assert found[1].headers == tuple(map(read_values, layout.headers))
