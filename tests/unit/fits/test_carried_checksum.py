"""What an edit does to CHECKSUM in all states of it and of DATASUM, as astropy adds bytes up."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from armillary.fits.checksum import carry_checksum, encode_checksum, find_card, ones_add, ones_sum
from armillary.fits.draft import LARGE
from armillary.fits.edit import edit_header
from armillary.fits.header import Header
from armillary.fits.models import BLOCK, CARD, CardChange, Value
from armillary.fits.restore import restore_cards
from tests.support.headers import a_card, keywords, values

ONES = 0xFFFFFFFF
CHECKSUMS = (
    "right",
    "right in odd columns",
    "wrong",
    "blank",
    "empty",
    "undefined",
    "no value",
    "zeros",
    "number",
)
DATASUMS = ("right", "right as a number", "wrong", "missing", "blank", "undefined", "text", "negative")
SILENT = {
    "blank": "CHECKSUM= '                ' / not computed",
    "empty": "CHECKSUM= ''                 / not computed",
    "undefined": "CHECKSUM=                    / not computed",
    "no value": "CHECKSUM  not computed",
}
WRONG = {
    "wrong": "CHECKSUM= 'AbCdEfGh12345678' / theirs",
    "zeros": "CHECKSUM= '0000000000000000' / theirs",
    "number": "CHECKSUM=                    5 / theirs",
}


@dataclass(frozen=True)
class Unit:
    """An HDU: its header and data."""

    header: bytes
    data: bytes

    @property
    def is_right(self) -> bool:
        """Whether astropy's sum of all bytes is minus zero (FITS 4.0, section 4.4.2.7)."""
        whole = np.frombuffer(self.header + self.data, np.ubyte)
        return int(fits.PrimaryHDU()._compute_checksum(whole)) == ONES  # noqa: SLF001  # of astropy

    @property
    def card(self) -> bytes:
        at = find_card(self.header, "CHECKSUM")
        return self.header[at : at + CARD]


def datasum_card(state: str, data: bytes) -> list[str]:
    right = ones_sum(data)
    value = {
        "right": f"'{right}'",
        "right as a number": f"{right}",
        "wrong": f"'{right ^ 1}'",
        "blank": "'          '",
        "undefined": "",
        "text": "'none'",
        "negative": "-5",
    }
    return [f"DATASUM = {value[state]:<20} / of data"] if state in value else []


def a_unit(checksum: str, datasum: str, pixels: bytes) -> Unit:
    """Return an HDU whose CHECKSUM and DATASUM are in these states."""
    data = pixels.ljust(-(-len(pixels) // BLOCK) * BLOCK, b"\0")
    words = {**SILENT, **WRONG, "right": WRONG["zeros"]}
    words["right in odd columns"] = "CHECKSUM=    '" + "0" * 16 + "' / theirs"
    cards = [
        "SIMPLE  =                    T",
        "BITPIX  =                    8",
        "NAXIS   =                    1",
        f"NAXIS1  = {len(pixels):>20}",
        "AX      =                    1 / card to be edited",
        words[checksum],
        *datasum_card(datasum, data),
    ]
    header = b"".join(map(a_card, [*cards, "END"])).ljust(BLOCK)
    if checksum.startswith("right"):
        at = header.index(b"'0000000000000000'") + 1
        value = ONES - ones_add(ones_sum(header), ones_sum(data))
        # Every fourth character goes into one byte of the words; the first here stands for that of column 12.
        turn = at % 4 + 1
        text = encode_checksum(value)
        header = header[:at] + text[turn:] + text[:turn] + header[at + 16 :]
    return Unit(header, data)


pixels = st.one_of(st.binary(min_size=1, max_size=300), st.just(b"\0" * 40), st.just(b"\xff" * BLOCK))
units = st.builds(a_unit, st.sampled_from(CHECKSUMS), st.sampled_from(DATASUMS), pixels)


@pytest.mark.parametrize("checksum", CHECKSUMS)
@pytest.mark.parametrize("datasum", DATASUMS)
def test_units_of_the_test_are_what_they_are_called(checksum: str, datasum: str) -> None:
    assert a_unit(checksum, datasum, b"pixels").is_right == checksum.startswith("right")


changes = st.dictionaries(st.one_of(st.just("AX"), keywords), values, min_size=1, max_size=4)


@pytest.mark.parametrize("checksum", CHECKSUMS)
@settings(max_examples=50)
@given(st.sampled_from(DATASUMS), pixels, changes, st.sampled_from([0, LARGE]), st.booleans())
def test_no_edit_claims_more_than_is_known_nor_less_than_was(
    checksum: str,
    datasum: str,
    pixels: bytes,
    changes: dict[str, Value],
    bytes_after: int,
    with_data: bool,
) -> None:
    before = a_unit(checksum, datasum, pixels)
    asked: list[int] = []

    def data_sum() -> int:
        asked.append(ones_sum(before.data))
        return asked[-1]

    result = edit_header(
        before.header,
        [CardChange(*one) for one in changes.items()],
        bytes_after=bytes_after,
        data_sum=data_sum if with_data else None,
    )
    after = Unit(result.header, before.data)
    if not result.effects:
        assert after == before
        return
    if checksum in SILENT:
        assert after.card == before.card
        assert not asked
    elif checksum.startswith("right"):
        assert after.is_right
        assert bool(asked) == (with_data and datasum == "wrong")
    else:
        repaired = with_data and datasum.startswith("right")
        assert after.is_right == repaired
        assert len(str(Header(after.header).get("CHECKSUM"))) == 16
    if checksum in WRONG:
        assert b"/ theirs" in after.card
    assert Header(after.header).get("DATASUM") == Header(before.header).get("DATASUM")


@given(units, values)
def test_nor_does_a_revert(before: Unit, value: Value) -> None:
    result = edit_header(before.header, [CardChange("AX", value)], bytes_after=0)
    pairs = [(effect.old_raw, effect.new_raw) for effect in result.effects]
    edited = Unit(result.header, before.data)
    after = Unit(restore_cards(result.header, pairs, bytes_after=0), before.data)
    assert after.is_right == edited.is_right == before.is_right


def test_astropy_finds_both_sums_of_a_repaired_header_right() -> None:
    """Somebody changed the header and not the CHECKSUM: the first edit here makes it right."""
    written = io.BytesIO()
    fits.PrimaryHDU(np.arange(99, dtype="i2")).writeto(written, checksum=True)
    whole = written.getvalue().replace(b"EXTEND  =                    T", b"EXTEND  =                    F")
    header, data = whole[:BLOCK], whole[BLOCK:]
    assert not Unit(header, data).is_right
    result = edit_header(header, [CardChange("A", 1)], bytes_after=len(data), data_sum=lambda: ones_sum(data))
    with fits.open(io.BytesIO(result.header + data), checksum=True) as hdus:
        assert (hdus[0].verify_checksum(), hdus[0].verify_datasum()) == (1, 1)


def test_a_header_without_checksum_is_left_alone() -> None:
    header = a_unit("wrong", "right", b"x").header.replace(b"CHECKSUM", b"CHECKSUX")
    assert carry_checksum(header, header) is header
