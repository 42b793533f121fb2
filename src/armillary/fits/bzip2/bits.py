"""Bits at any offset: read them, look for a pattern, move long runs of them.

Bit 0 is the most significant bit of byte 0, the order in which bzip2 writes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Buffer = bytes | bytearray | memoryview
Octets = npt.NDArray[np.uint8]

_SEARCH_PIECE = 1 << 20
_MOVE_PIECE = 1 << 18


def read_bits(data: Buffer, start: int, count: int) -> int:
    """Return ``count`` bits from bit ``start`` as a number."""
    first, last = start >> 3, (start + count + 7) >> 3
    word = int.from_bytes(data[first:last], "big")
    return (word >> (last * 8 - start - count)) & ((1 << count) - 1)


def bits_to_bytes(word: int, count: int) -> bytes:
    """Return ``count`` bits as bytes, the last of them filled up with zeros."""
    pad = -count % 8
    return (word << pad).to_bytes((count + pad) // 8, "big")


def find_pattern(data: Buffer, pattern: int) -> list[int]:
    """Return the rising bit offsets at which a 48-bit pattern occurs.

    A pattern at bit ``k`` of a byte fixes the five whole bytes inside it, so eight plain byte searches find
    every place. They run over pieces that stay in the processor's cache.
    """
    needles = [(k, _whole_bytes(pattern, k)) for k in range(8)]
    found: list[int] = []
    for begin in range(0, len(data), _SEARCH_PIECE):
        piece = bytes(data[begin : begin + _SEARCH_PIECE + 5])
        for k, needle in needles:
            places = ((begin + at - (k > 0)) * 8 + k for at in _occurrences(piece, needle, _SEARCH_PIECE))
            found += [bit for bit in places if bit >= 0 and _stands(data, bit, pattern)]
    return sorted(found)


def _stands(data: Buffer, bit: int, pattern: int) -> bool:
    return bit + 48 <= len(data) * 8 and read_bits(data, bit, 48) == pattern


def _whole_bytes(pattern: int, k: int) -> bytes:
    window = (pattern << (8 - k)).to_bytes(7, "big")
    return window[:6] if k == 0 else window[1:6]


def _occurrences(piece: bytes, needle: bytes, stop: int) -> Iterator[int]:
    at = piece.find(needle)
    while 0 <= at < stop:
        yield at
        at = piece.find(needle, at + 1)


def place_bits(out: Octets, at: int, source: Buffer, start: int, stop: int) -> None:
    """Copy the bits ``start`` to ``stop`` of ``source`` to bit ``at`` of ``out``, which holds zeros there."""
    head = min(-at % 8, stop - start)
    if head:
        out[at >> 3] |= read_bits(source, start, head) << (-(at + head) % 8)
    whole = (stop - start - head) // 8
    _place_bytes(out[(at + head) >> 3 :][:whole], source, start + head)
    tail = (stop - start - head) % 8
    if tail:
        out[(at + head + 8 * whole) >> 3] |= read_bits(source, stop - tail, tail) << (8 - tail)


def _place_bytes(out: Octets, source: Buffer, start: int) -> None:
    first, shift = start >> 3, start & 7
    octets = np.frombuffer(source, np.uint8)[first : first + len(out) + (shift > 0)]
    if shift == 0:
        out[:] = octets
        return
    for begin in range(0, len(out), _MOVE_PIECE):
        piece = octets[begin : begin + _MOVE_PIECE + 1]
        target = out[begin : begin + len(piece) - 1]
        np.left_shift(piece[:-1], shift, out=target)
        target |= piece[1:] >> (8 - shift)
