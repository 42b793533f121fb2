"""The blocks of bzip2 data are found to the bit, and nothing else is taken for one."""

from __future__ import annotations

import bz2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armillary.fits.bzip2 import decode_chunks, expand_bzip2, find_blocks, read_head
from armillary.fits.bzip2.bits import bits_to_bytes, find_pattern, place_bits, read_bits
from armillary.fits.bzip2.layout import BLOCK_MARKER, END_MARKER
from armillary.fits.container_errors import DamagedContainer
from armillary.fits.models import ReadAt
from tests.support import bombs
from tests.support.bzip2_forgery import with_hidden_bits

NOISE = np.random.default_rng(7).bytes(230_000)
TEXT = b"".join(b"%d bottles of mercury on the wall; " % n for n in range(300))
contents = st.lists(st.binary(max_size=600), min_size=1, max_size=6)
levels = st.integers(1, 9)


def reader(data: bytes) -> ReadAt:
    return lambda offset, size: data[offset : offset + size]


@pytest.mark.parametrize("level", range(1, 10))
def test_every_level_is_recognised(level: int) -> None:
    (stream,) = find_blocks(bz2.compress(TEXT, level))
    assert (stream.level, len(stream.blocks), stream.start) == (level, 1, 0)


def test_a_long_stream_is_cut_into_its_blocks() -> None:
    data = bz2.compress(NOISE, 1)
    (stream,) = find_blocks(data)
    assert len(stream.blocks) == 3
    assert stream.stop == len(data)
    assert all(a.stop == b.start for a, b in zip(stream.blocks, stream.blocks[1:], strict=False))
    assert b"".join(decode_chunks(data)) == NOISE


@given(contents, levels)
def test_concatenated_streams_are_all_found(parts: list[bytes], level: int) -> None:
    data = b"".join(bz2.compress(part, level) for part in parts)
    streams = find_blocks(data)
    assert [len(s.blocks) for s in streams] == [int(bool(part)) for part in parts]
    assert streams[-1].stop == len(data)
    assert b"".join(decode_chunks(data)) == b"".join(parts)


def test_any_kind_of_buffer_will_do() -> None:
    data = bz2.compress(TEXT)
    assert find_blocks(memoryview(data)) == find_blocks(bytearray(data)) == find_blocks(data)


@pytest.mark.parametrize("marker", [BLOCK_MARKER, END_MARKER])
@pytest.mark.parametrize("shift", range(8))
def test_a_chance_marker_is_not_a_block(marker: int, shift: int) -> None:
    forged = with_hidden_bits(TEXT, marker, 48 + shift)
    assert bz2.decompress(forged) == TEXT, "the forgery itself must be valid"
    hidden = [bit for bit in find_pattern(forged, marker) if 32 < bit < len(forged) * 8 - 90]
    data = forged + bz2.compress(NOISE[:5000]) + forged
    assert [len(stream.blocks) for stream in find_blocks(data)] == [1, 1, 1]
    assert b"".join(decode_chunks(data)) == TEXT + NOISE[:5000] + TEXT
    assert len(hidden) == 1, "the forgery must look like a marker"


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"BZh",
        b"BZh9",
        bz2.compress(TEXT)[:-1],
        bz2.compress(TEXT)[:-11],
        bz2.compress(TEXT)[:300],
        bz2.compress(TEXT) + bytes(5000) + b"more",
        bytes(5000),
        bz2.compress(TEXT) + b"more",
        bz2.compress(TEXT) + b"BZh9",
        bz2.compress(TEXT) + bz2.compress(TEXT)[:-2],
        b"\0" + bz2.compress(TEXT),
        b"BZh0" + bz2.compress(TEXT)[4:],
        bz2.compress(b"")[:-1],
        bz2.compress(TEXT)[:4] + bz2.compress(b"")[4:10] + b"\1\2\3\4",
    ],
    ids=range(15),
)
def test_cut_or_foreign_bytes_are_damage(damaged: bytes) -> None:
    with pytest.raises(DamagedContainer):
        find_blocks(damaged)
    with pytest.raises(DamagedContainer):
        list(expand_bzip2(reader(damaged)))


@given(st.integers(0, len(bz2.compress(TEXT)) * 8 - 1))
def test_no_flipped_bit_goes_unnoticed(bit: int) -> None:
    data = bytearray(bz2.compress(TEXT, 9))
    data[bit >> 3] ^= 0x80 >> (bit & 7)
    try:
        content = b"".join(decode_chunks(bytes(data)))
    except DamagedContainer:
        return
    # What may change: the block size digit and the fill at the end.
    assert content == TEXT


@given(contents, st.integers(0, 2000))
def test_the_head_of_a_file_is_read_alone(parts: list[bytes], size: int) -> None:
    data = b"".join(map(bz2.compress, parts))
    assert read_head(reader(data), size) == b"".join(parts)[:size]


def test_reading_a_head_leaves_the_rest_alone() -> None:
    data = bz2.compress(NOISE * 3, 1)
    asked: list[int] = []

    def read(offset: int, size: int) -> bytes:
        asked.append(offset + size)
        return data[offset : offset + size]

    assert read_head(read, 2880) == NOISE[:2880]
    assert max(asked) < len(data) / 2


@given(st.binary(min_size=8, max_size=80), st.integers(0, 63), st.integers(0, 15), st.data())
def test_bits_arrive_where_they_are_placed(source: bytes, start: int, at: int, data: st.DataObject) -> None:
    stop = data.draw(st.integers(start, len(source) * 8))
    out = np.zeros(100, np.uint8)
    place_bits(out, at, source, start, stop)
    wanted = read_bits(source, start, stop - start)
    assert int.from_bytes(out.tobytes(), "big") == wanted << (800 - at - (stop - start))


@settings(max_examples=30)
@given(st.integers(0, 200), st.sampled_from([BLOCK_MARKER, END_MARKER]))
def test_a_marker_is_found_at_any_bit(before: int, marker: int) -> None:
    data = bits_to_bytes(marker << 20, before + 68)
    assert find_pattern(data, marker) == [before]


def test_a_marker_across_a_search_piece_is_found() -> None:
    for before in range((1 << 23) - 60, (1 << 23) + 20, 9):
        data = bytes(before >> 3) + bits_to_bytes(BLOCK_MARKER, 48 + before % 8)
        assert find_pattern(data, BLOCK_MARKER) == [before]


def test_a_block_of_forty_bytes_that_holds_46_million_zeros_is_decoded_in_pieces() -> None:
    data = bombs.blank(b"head", 2 * bombs.BLANK_BLOCK)
    assert len(data) < 200
    sizes = [len(piece) for piece in decode_chunks(data)]
    assert sum(sizes) == 4 + 2 * bombs.BLANK_BLOCK
    assert max(sizes) <= 4 << 20


@given(contents, st.integers(1, 20_000))
def test_zeros_behind_the_last_stream_are_none_of_it(parts: list[bytes], count: int) -> None:
    data = b"".join(map(bz2.compress, parts))
    padded = data + bytes(count)
    assert find_blocks(padded) == find_blocks(data)
    assert b"".join(expand_bzip2(reader(padded))) == b"".join(parts)
    assert b"".join(decode_chunks(padded)) == b"".join(parts)


def test_a_trailer_that_ends_in_zeros_is_found_whole() -> None:
    """Of the zeros at the end of the data, some may belong to the CRC."""
    texts = (b"%d" % n for n in range(10_000))
    data = next(one for one in map(bz2.compress, texts) if one[-1] == 0)
    for padded in (data, data + bytes(1), data + bytes(30)):
        assert find_blocks(padded)[-1].stop == len(data)
