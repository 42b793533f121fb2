from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.errors import ArmillaryError
from armillary.fits.errors import (
    BrokenStructure,
    EmptyFile,
    HeaderTooLong,
    HeaderWithoutEnd,
    NotFits,
    TruncatedFile,
)
from armillary.fits.header import Header
from armillary.fits.scan import data_size, scan
from tests.support.headers import a_file, a_header, a_layout, a_primary

IMAGE = (
    "XTENSION= 'IMAGE   '",
    "BITPIX  =                   16",
    "NAXIS   =                    2",
    "NAXIS1  =                  100",
    "NAXIS2  =                   20",
    "PCOUNT  =                    0",
    "GCOUNT  =                    1",
)


def test_every_unit_of_a_file_is_found() -> None:
    data = a_file(extensions=3)
    layout = a_layout(data)
    assert [hdu.name for hdu in layout.hdus] == ["", "CCD0", "CCD1", "CCD2"]
    assert [hdu.kind for hdu in layout.hdus] == ["PRIMARY", "IMAGE", "IMAGE", "IMAGE"]
    assert layout.hdus[-1].end == layout.size == len(data)
    assert layout.trailing == 0
    for hdu, header in zip(layout.hdus, layout.headers, strict=True):
        assert data[hdu.header_offset : hdu.data_offset] == header


def test_name_and_version_come_from_the_cards() -> None:
    extension = a_header(*IMAGE, "EXTNAME = 'SCI     '", "EXTVER  =                    3")
    layout = a_layout(a_primary() + extension + bytes(5760))
    assert (layout.hdus[1].name, layout.hdus[1].version, layout.hdus[1].data_size) == ("SCI", 3, 5760)


def test_data_are_never_read() -> None:
    data = a_primary() + a_header(*IMAGE).replace(b"   20", b"99999", 1) + bytes(20_001_600)
    asked = 0

    def read(at: int, length: int) -> bytes:
        nonlocal asked
        asked += length
        return data[at : at + length]

    assert len(scan(read, len(data)).hdus) == 2
    assert asked < 100_000


def test_bytes_after_the_last_unit_are_counted() -> None:
    layout = a_layout(a_primary() + b"junk" * 10)
    assert (len(layout.hdus), layout.trailing) == (1, 40)


def test_missing_fill_after_the_last_data_is_accepted() -> None:
    data = a_primary() + a_header(*IMAGE) + bytes(4000)
    layout = a_layout(data)
    assert (layout.size, layout.trailing) == (len(data), 4000 - 5760)


def test_missing_data_are_refused() -> None:
    with pytest.raises(TruncatedFile, match="HDU 1 declares 4000 bytes"):
        a_layout(a_primary() + a_header(*IMAGE) + bytes(3999))


@pytest.mark.parametrize(
    ("data", "error", "match"),
    [
        (b"", EmptyFile, "empty"),
        (b"hello", NotFits, "hello"),
        (b"BZh91AY&SY", NotFits, "bzip2"),
        (b"\x1f\x8b\x08", NotFits, "gzip"),
        (b"SIMPLE  =", HeaderWithoutEnd, "HDU 0"),
        (a_primary()[:1000], TruncatedFile, "inside"),
        (a_primary() + a_header(*IMAGE)[:80], HeaderWithoutEnd, "HDU 1"),
        (a_header("SIMPLE  = T", "NAXIS   = 0"), BrokenStructure, "HDU 0: BITPIX has no value"),
        (a_header("SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 1", "NAXIS1  = -5"), BrokenStructure, "NAXIS1"),
        (a_header("SIMPLE  = T", "BITPIX  = 12", "NAXIS   = 0"), BrokenStructure, "12"),
        (a_header("SIMPLE  = T", "BITPIX  = '8'", "NAXIS   = 0"), BrokenStructure, "BITPIX"),
        (a_header("SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 1000"), BrokenStructure, "999"),
        (a_header("SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 2", "NAXIS1  = 3"), BrokenStructure, "NAXIS2"),
    ],
)
def test_broken_file_is_refused_with_a_reason(data: bytes, error: type[ArmillaryError], match: str) -> None:
    with pytest.raises(error, match=match) as raised:
        a_layout(data)
    assert raised.value.status == 422
    assert not raised.value.transient


def test_headers_over_the_limit_are_refused() -> None:
    data = a_primary(*["COMMENT x"] * 2000)
    with pytest.raises(HeaderTooLong):
        scan(lambda at, length: data[at : at + length], len(data), max_header=28800)
    assert scan(lambda at, length: data[at : at + length], len(data), max_header=len(data)).hdus


def test_header_longer_than_the_first_read_is_whole() -> None:
    for cards in (355, 356, 357, 358, 719, 720, 721, 5000):
        data = a_primary(*[f"KEY{i:05d}= {i}" for i in range(cards)])
        assert a_layout(data).headers == (data,)


def test_end_inside_text_is_not_the_end() -> None:
    data = a_primary("HISTORY END     ", "HISTORY" + " " * 73 + "END     ")
    assert len(a_layout(data).headers[0]) == 2880


@pytest.mark.parametrize("cards", [1_000, 100_000])
def test_long_headers_are_read_once_and_in_few_reads(cards: int) -> None:
    data = a_primary(*[b"HIERARCH END ENDEND     END     = 'END     '".ljust(80)] * cards)
    sizes: list[int] = []

    def read(offset: int, size: int) -> bytes:
        sizes.append(len(data[offset : offset + size]))
        return data[offset : offset + size]

    assert scan(read, len(data)).headers[0] == data
    assert (sum(sizes), len(sizes) < 15) == (len(data), True)


@pytest.mark.parametrize(
    ("values", "size"),
    [
        ({"BITPIX": 8, "NAXIS": 0}, 0),
        ({"BITPIX": 16, "NAXIS": 1, "NAXIS1": 1}, 2880),
        ({"BITPIX": -64, "NAXIS": 2, "NAXIS1": 360, "NAXIS2": 1}, 2880),
        ({"BITPIX": 8, "NAXIS": 2, "NAXIS1": 0, "NAXIS2": 9}, 0),
        ({"BITPIX": 8, "NAXIS": 2, "NAXIS1": 10, "NAXIS2": 288, "PCOUNT": 1, "GCOUNT": 1}, 5760),
        (
            {"BITPIX": 32, "NAXIS": 2, "NAXIS1": 0, "NAXIS2": 10, "GROUPS": True, "PCOUNT": 5, "GCOUNT": 96},
            5760,
        ),
    ],
)
def test_size_of_data_follows_the_standard(values: dict[str, int | bool], size: int) -> None:
    assert data_size(values) == size


@given(st.data())
def test_corrupted_file_raises_nothing_but_our_errors(data: st.DataObject) -> None:
    whole = bytearray(a_primary(*[f"KEY{i}    = {i}" for i in range(5)]) + a_header(*IMAGE) + bytes(5760))
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, 5759))
        whole[at] = data.draw(st.integers(0, 255))
    del whole[data.draw(st.integers(1, len(whole))) :]
    with suppress(ArmillaryError):
        layout = a_layout(bytes(whole))
        cards = b"".join(card.raw for card in Header(layout.headers[0]).cards)
        assert whole.startswith(cards)


@pytest.mark.parametrize("fill", [bytes(77), bytes(5) + b" " * 72, b"  " + bytes(75), bytes(77 + 80 * 9)])
def test_end_that_is_filled_with_nul_ends_a_header(fill: bytes) -> None:
    """astropy and cfitsio read such files."""
    for whole in (a_primary("OBJECT  = 'M 31    '"), a_header(*IMAGE)):
        at = whole.index(b"END".ljust(80))
        header = whole[:at] + b"END" + fill + whole[at + 3 + len(fill) :]
        before = a_primary() if whole.startswith(b"XTENSION") else b""
        layout = a_layout(before + header + bytes(5760 if before else 0))
        assert layout.headers[-1] == header
        assert Header(header).cards == Header(whole).cards


def test_a_card_that_begins_like_end_does_not_end_a_header() -> None:
    assert len(a_layout(a_primary("ENDTIME = 5", "END\0X   = 5")).headers[0]) == 2880
    assert len(Header(a_primary("ENDTIME = 5", "END\0X   = 5")).cards) == len(Header(a_primary()).cards) + 2
