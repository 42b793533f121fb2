from __future__ import annotations

import io

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from armillary.fits.checksum import (
    encode_checksum,
    encode_checksums,
    ones_add,
    ones_sum,
    stored_datasum,
    update_checksum,
    verify_checksum,
)
from armillary.fits.errors import HeaderWithoutEnd
from armillary.fits.header import Header
from tests.support.headers import a_file, a_layout, a_primary

SUM = 0x12345678
NO_SUM = "CHECKSUM= '0000000000000000' / theirs"


@given(st.binary(max_size=200))
def test_sum_adds_words_with_end_around_carry(data: bytes) -> None:
    total = 0
    padded = data.ljust(-(-len(data) // 4) * 4, b"\0")
    for at in range(0, len(padded), 4):
        total += int.from_bytes(padded[at : at + 4], "big")
        total = (total & 0xFFFFFFFF) + (total >> 32)
    assert ones_sum(data) == total


@given(st.integers(0, 0xFFFFFFFF))
def test_encoded_sum_is_alphanumeric_and_adds_its_value(value: int) -> None:
    text = encode_checksum(value)
    assert text.isalnum()
    assert len(text) == 16
    aligned = b"\0\0\0" + text + b"\0"
    zeros = b"\0\0\0" + b"0" * 16 + b"\0"
    assert ones_add(ones_sum(zeros), value) == ones_sum(aligned)


@given(st.integers(0, 0xFFFFFFFF))
def test_encoded_sum_is_the_one_astropy_writes(value: int) -> None:
    assert encode_checksum(value).decode() == fits.PrimaryHDU()._char_encode(value)  # noqa: SLF001  # of astropy


@given(st.lists(st.integers(0, 0xFFFFFFFF), min_size=1, max_size=20))
def test_many_sums_are_encoded_as_each_is(values: list[int]) -> None:
    rows = encode_checksums(np.array(values, np.uint32))
    assert [row.tobytes() for row in rows] == [encode_checksum(value) for value in values]


def test_example_of_the_standard_is_encoded_as_printed() -> None:
    # FITS 4.0, appendix J: the complement of 868229149 is written hcHjjc9ghcEghc9g.
    assert encode_checksum(0xFFFFFFFF - 868229149) == b"hcHjjc9ghcEghc9g"


def test_updated_header_verifies_against_its_datasum() -> None:
    header = a_primary(NO_SUM, f"DATASUM = '{SUM}'", "A       = 1")
    updated = update_checksum(header)
    assert verify_checksum(updated, SUM)
    assert not verify_checksum(updated, SUM + 1)
    assert Header(updated).cards[3].comment == "theirs"
    assert update_checksum(updated) == updated


def test_astropy_agrees_after_an_update() -> None:
    data = a_file(extensions=0)
    header = a_layout(data).headers[0].replace(b"DATASUM", b"DATASUM", 1)
    at = header.index(b"END     ")
    edited = update_checksum(header[:at] + b"HISTORY edited".ljust(80) + header[at : len(header) - 80])
    with fits.open(io.BytesIO(edited + data[len(header) :]), checksum=True) as hdus:
        assert hdus[0].verify_checksum() == 1
        assert hdus[0].verify_datasum() == 1


@pytest.mark.parametrize(
    "card",
    ["CHECKSUM= ''", "CHECKSUM=     '0' / theirs", "CHECKSUM= 5 / theirs", "CHECKSUM= 'a''b4567890123'"],
)
def test_card_of_unusual_form_is_written_afresh(card: str) -> None:
    updated = update_checksum(a_primary(card, f"DATASUM = '{SUM}'"))
    assert verify_checksum(updated, SUM)
    assert len(str(Header(updated).get("CHECKSUM"))) == 16
    assert Header(updated).cards[3].comment == ("theirs" if "theirs" in card else "")


@pytest.mark.parametrize(
    ("card", "value"),
    [
        ("DATASUM = '123'", 123),
        ("DATASUM = 123", 123),
        ("DATASUM = '0'", 0),
        ("DATASUM = 'abc'", None),
        ("DATASUM = -1", None),
        ("DATASUM = '4294967296'", None),
        ("DATASUM =", None),
        ("OTHER   = 1", None),
    ],
)
def test_stored_sum_is_read_from_its_card(card: str, value: int | None) -> None:
    assert stored_datasum(a_primary(card)) == value


def test_nothing_is_added_or_guessed() -> None:
    for header in (a_primary("A       = 1"), a_primary(NO_SUM)):
        assert update_checksum(header) is header
    with pytest.raises(HeaderWithoutEnd):
        update_checksum(b" " * 2880)
