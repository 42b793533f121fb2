"""Valid bzip2 data that contain what looks like a marker, or whose CRCs mislead.

A block lists which Huffman table codes which group of symbols, in unary, and decoders ignore entries beyond
the last group. So any bits without long runs of ones can be hidden there, markers included.
"""

from __future__ import annotations

import bz2

from armillary.fits.bzip2.bits import bits_to_bytes, read_bits

BLOCK_MARKER = 0x314159265359
END_MARKER = 0x177245385090

_HEAD = 32
_BEFORE_MAP = 48 + 32 + 1 + 24


def with_hidden_bits(content: bytes, hidden: int, count: int) -> bytes:
    """Return one bzip2 stream of one block with ``count`` extra bits inside; a zero ends them."""
    data = bz2.compress(content)
    total = len(data) * 8
    selectors_at, selectors = _selectors(data)
    end = selectors_at + 15
    for _ in range(selectors):
        while read_bits(data, end, 1):
            end += 1
        end += 1
    hidden, count = hidden << 1, count + 1
    zeros = count - hidden.bit_count()
    trailer = _trailer_at(data)
    word = read_bits(data, 0, selectors_at)
    word = word << 15 | (selectors + zeros)
    word = word << (end - selectors_at - 15) | read_bits(data, selectors_at + 15, end - selectors_at - 15)
    word = word << count | hidden
    word = word << (trailer + 80 - end) | read_bits(data, end, trailer + 80 - end)
    assert trailer + 80 <= total
    return bits_to_bytes(word, trailer + 80 + count)


def with_a_misleading_crc(content: bytes) -> bytes:
    """Return a stream with a false block marker whose CRC makes the false list of blocks fold correctly.

    Two blocks fold to ``rotate(a) ^ b``; with ``b = rotate(a) ^ a`` that is the CRC of the one true block.
    """
    while True:
        crc = read_bits(bz2.compress(content), _HEAD + 48, 32)
        false = (crc << 1 | crc >> 31) & 0xFFFFFFFF ^ crc
        if "111" not in f"{BLOCK_MARKER:048b}{false:032b}":
            return with_hidden_bits(content, BLOCK_MARKER << 32 | false, 80)
        content += b"."


def _selectors(data: bytes) -> tuple[int, int]:
    """Return the bit at which the number of table choices stands, and that number."""
    at = _HEAD + _BEFORE_MAP
    ranges = read_bits(data, at, 16)
    at += 16 + 16 * ranges.bit_count()
    assert read_bits(data, at, 3) >= 3, "too few Huffman tables to hide a run of two ones"
    return at + 3, read_bits(data, at + 3, 15)


def _trailer_at(data: bytes) -> int:
    total = len(data) * 8
    return next(bit for bit in range(total - 80, total - 88, -1) if read_bits(data, bit, 48) == END_MARKER)
