"""Read anywhere in bzip2 data: blocks are independent, and with their lengths no others need be decoded."""

from __future__ import annotations

import mmap
from bisect import bisect_right
from collections.abc import Mapping, Sequence

from armillary.fits.bzip2.layout import Block, decode_block, find_blocks
from armillary.fits.container_errors import DamagedContainer
from armillary.fits.models import ReadAt

_HELD = 2
"""Decoded blocks that are held: a row of pixels may lie in two."""
Mark = tuple[int, int]
"""What a block is known by: the CRC of its content and the number of its bits. Edits of headers leave most."""


def mark_of(block: Block) -> Mark:
    """Return what a block is known by."""
    return block.crc, block.stop - block.start


def blocks_in(fd: int) -> list[Block]:
    """Return the blocks of an opened file in order.

    Raises
    ------
    DamagedContainer
        If it is no sound bzip2 file.
    """
    with mmap.mmap(fd, 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as data:
        return [block for stream in find_blocks(data) for block in stream.blocks]


class Places:
    """The uncompressed bytes of bzip2 data, whose compressed ones are read with ``read``.

    ``lengths`` are the bytes that blocks hold, by their marks. Those that are missing are found out by decoding.
    """

    def __init__(self, read: ReadAt, blocks: Sequence[Block], lengths: Mapping[Mark, int]) -> None:
        self._read, self._blocks = read, blocks
        self.lengths = dict(lengths)
        self._starts = [0]
        self._held: dict[int, bytes] = {}

    def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset``, fewer only at the end."""
        while self._starts[-1] <= offset and len(self._starts) <= len(self._blocks):
            self._advance()
        parts, number = [], bisect_right(self._starts, offset) - 1
        while size > 0 and number < len(self._blocks):
            at = offset - self._starts[number]
            part = self._content(number)[at : at + size]
            parts.append(part)
            offset, size, number = offset + len(part), size - len(part), number + 1
            if number == len(self._starts):
                self._advance()
        return b"".join(parts)

    def all_lengths(self) -> dict[Mark, int]:
        """Return the lengths of all blocks."""
        while len(self._starts) <= len(self._blocks):
            self._advance()
        return {mark: self.lengths[mark] for mark in map(mark_of, self._blocks)}

    def _advance(self) -> None:
        """Find out where the next block begins."""
        number = len(self._starts) - 1
        mark = mark_of(self._blocks[number])
        if mark not in self.lengths:
            self.lengths[mark] = len(self._content(number))
        self._starts.append(self._starts[-1] + self.lengths[mark])

    def _content(self, number: int) -> bytes:
        if number not in self._held:
            block = self._blocks[number]
            found = self._decoded(block)
            if self.lengths.get(mark_of(block), len(found)) != len(found):
                raise DamagedContainer("The bzip2 data changed while they were read; ask again.")
            while len(self._held) >= _HELD:
                del self._held[min(self._held)]
            self._held[number] = found
        return self._held[number]

    def _decoded(self, block: Block) -> bytes:
        first = block.start >> 3
        part = self._read(first, ((block.stop + 7) >> 3) - first)
        return decode_block(part, Block(block.start - 8 * first, block.stop - 8 * first, block.crc))
