"""Where the streams and blocks of bzip2 data lie, to the bit, without decoding them.

The format: ``BZh`` and a digit, then blocks that begin with a 48-bit marker and the 32-bit CRC of their
content, then an end marker with a combined CRC, then zeros to the next byte. Only the beginning of a stream
is aligned. Compressed bits can look like a marker by chance, so a list of markers is believed only when
the block CRCs fold to the combined CRC of the stream.
"""

from __future__ import annotations

import bz2
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from armillary.fits.bzip2.bits import Buffer, bits_to_bytes, find_pattern, read_bits
from armillary.fits.bzip2.turns import TURNS
from armillary.fits.container_errors import DamagedContainer

BLOCK_MARKER = 0x314159265359
END_MARKER = 0x177245385090
TRAILER_BITS = 48 + 32

_DIGITS = tuple(b"%d" % n for n in range(1, 10))

# 900 000 symbols of at most 20 bits, with the tables before them, stay below this.
_LONGEST_BLOCK_BITS = 8 * 3_000_000
# A false mark is a once-in-a-million-files event; only crafted data have many in one block.
_MOST_FALSE_MARKS = 64
_ZEROS = 1 << 12
"""Bytes that are looked at together where zeros may follow a stream."""
_PIECE = 4 << 20
"""Bytes that are decoded at once; all but blank blocks hold less."""


@dataclass(frozen=True, slots=True)
class Block:
    """One independently coded block: its bits, marker included, and the CRC-32 of its content."""

    start: int
    stop: int
    crc: int


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream: bytes ``start`` to ``stop``; ``end`` is the bit at which its end marker begins."""

    start: int
    level: int
    blocks: tuple[Block, ...]
    end: int
    stop: int


def fold_crcs(crcs: Iterable[int]) -> int:
    """Return the combined CRC of a stream with blocks of these CRCs: rotate left by one, exclusive or."""
    folded = 0
    for crc in crcs:
        folded = ((folded << 1 | folded >> 31) & 0xFFFFFFFF) ^ crc
    return folded


def find_blocks(data: Buffer) -> tuple[Stream, ...]:
    """Return every stream of the data with its blocks.

    Zeros after the last stream are accepted, as bzip2 does; tapes and block devices leave them.

    Raises
    ------
    DamagedContainer
        If the data are cut short, have foreign bytes around the streams, or combined CRCs that do not fit.
        The content of the blocks is not decoded, so damage inside one shows only when it is.
    """
    begins = find_pattern(data, BLOCK_MARKER)
    likely = _Marks(begins, _likely_ends(data, begins))
    return _walk(data, likely, _believe) or _all_streams(data, begins)


class BlockDecoder:
    """The content of one block, piece by piece: a block of forty bytes can hold 46 million zeros."""

    def __init__(self, data: Buffer, block: Block, *, patient: bool = False) -> None:
        count = block.stop - block.start
        word = read_bits(data, block.start, count) << TRAILER_BITS | END_MARKER << 32 | block.crc
        self._waiting = b"BZh9" + bits_to_bytes(word, count + TRAILER_BITS)
        self._decoder = bz2.BZ2Decompressor()
        self._block, self._patient, self._size = block, patient, 0

    def next_piece(self) -> bytes:
        """Return the next piece of at most 4 MiB, nothing at the end, where the CRC has been checked.

        Raises
        ------
        DamagedContainer
            If the bits are not a block, or its content does not have that CRC.
        """
        piece = b""
        if not self._decoder.eof:
            with suppress(OSError, ValueError), TURNS.later() if self._patient else TURNS.now():
                piece = self._decoder.decompress(self._waiting, _PIECE)
        self._waiting = b""
        self._size += len(piece)
        if not piece and not (self._size and self._decoder.eof):
            raise DamagedContainer(
                f"The bzip2 block at byte {self._block.start >> 3} is damaged;"
                " fetch the file again or restore a copy."
            )
        return piece

    def pieces(self) -> Iterator[bytes]:
        """Yield all pieces that are left."""
        while piece := self.next_piece():
            yield piece


def decode_block(data: Buffer, block: Block) -> bytes:
    """Return the content of one block, checked against its CRC.

    Raises
    ------
    DamagedContainer
        If the bits are not a block, or its content does not have that CRC.
    """
    return b"".join(BlockDecoder(data, block).pieces())


class _Marks:
    """Places that look like markers, false ones included, in rising order."""

    def __init__(self, begins: Sequence[int], ends: Iterable[int]) -> None:
        self.ends = frozenset(ends)
        self.bits = sorted([*begins, *self.ends])

    def since(self, bit: int) -> list[int]:
        return self.bits[bisect_left(self.bits, bit) :]


def _likely_ends(data: Buffer, begins: Sequence[int]) -> list[int]:
    """Return the end markers just before a stream header or the end of the data.

    That is where all of them stand in sound data, and it spares a search through everything.
    """
    heads = [bit // 8 - 4 for bit in begins if bit % 8 == 0]
    stops = [at for at in heads if at > 0 and _level(data, at)]
    # Of zeros at the end, some may belong to the trailer.
    sound = _without_zeros(data)
    stops += range(sound, min(sound + TRAILER_BITS // 8, len(data)) + 1)
    near = {bit for stop in stops for bit in range(stop * 8 - 87, stop * 8 - 79) if bit >= 32}
    return [bit for bit in sorted(near) if read_bits(data, bit, 48) == END_MARKER]


def _without_zeros(data: Buffer) -> int:
    """Return the number of bytes up to the last one that is not zero."""
    stop = len(data)
    while stop and not any(piece := bytes(data[max(stop - _ZEROS, 0) : stop])):
        stop -= len(piece)
    return stop - len(piece) + len(piece.rstrip(b"\0")) if stop else 0


def _level(data: Buffer, at: int) -> int:
    """Return the block size digit of the stream that begins at this byte; 0 if none does."""
    head = bytes(data[at : at + 4])
    return int(head[3:]) if head[:3] == b"BZh" and head[3:] in _DIGITS else 0


_Found = tuple[tuple[Block, ...], int]
_Follow = Callable[[Buffer, Sequence[int], frozenset[int]], _Found | None]


def _walk(data: Buffer, marks: _Marks, follow: _Follow) -> tuple[Stream, ...] | None:
    """Go from stream to stream; ``follow`` finds the blocks of one, or nothing."""
    streams: list[Stream] = []
    at, sound = 0, _without_zeros(data)
    while at < sound:
        level, ahead = _level(data, at), marks.since(at * 8 + 32)
        found = follow(data, ahead, marks.ends) if level and ahead[:1] == [at * 8 + 32] else None
        if found is None:
            return None
        blocks, end = found
        stop = (end + TRAILER_BITS + 7) >> 3
        streams.append(Stream(start=at, level=level, blocks=blocks, end=end, stop=stop))
        at = stop
    return tuple(streams)


def _all_streams(data: Buffer, begins: Sequence[int]) -> tuple[Stream, ...]:
    """Go the slow way: every end marker counts, and doubts are settled by decoding."""
    marks = _Marks(begins, find_pattern(data, END_MARKER))
    at = 0

    def follow(data: Buffer, ahead: Sequence[int], ends: frozenset[int]) -> _Found:
        nonlocal at
        found = _believe(data, ahead, ends) or _decode_to_end(data, ahead, ends)
        at = (found[1] + TRAILER_BITS + 7) >> 3
        return found

    streams = _walk(data, marks, follow)
    if not streams:
        what = "do not begin a bzip2 stream" if at == 0 else "follow the end of the bzip2 stream"
        raise DamagedContainer(f"The bytes from {at} on {what}; remove them or fetch the file again.")
    return streams


def _believe(data: Buffer, ahead: Sequence[int], ends: frozenset[int]) -> _Found | None:
    """Take every mark up to the first end marker at its word, if the CRCs confirm it."""
    last = next((i for i, bit in enumerate(ahead) if bit in ends), None)
    if last is None or ahead[last] + TRAILER_BITS > len(data) * 8:
        return None
    blocks = tuple(_block(data, ahead[i], ahead[i + 1]) for i in range(last))
    end = ahead[last]
    return (blocks, end) if _confirmed(data, blocks, end) else None


def _decode_to_end(data: Buffer, ahead: Sequence[int], ends: frozenset[int]) -> _Found:
    """Tell true marks from false ones by decoding: a block is right when its content has its CRC."""
    blocks: list[Block] = []
    at = 0
    while ahead[at] not in ends:
        at = _next_true_mark(data, ahead, at)
        start = blocks[-1].stop if blocks else ahead[0]
        blocks.append(_block(data, start, ahead[at]))
    end = ahead[at]
    if end + TRAILER_BITS > len(data) * 8:
        raise DamagedContainer(
            f"The bzip2 data end after block {len(blocks)}, too early; fetch the file again."
        )
    if not _confirmed(data, blocks, end):
        raise DamagedContainer(f"The bzip2 stream before byte {end >> 3} has a wrong CRC; restore a copy.")
    return tuple(blocks), end


def _next_true_mark(data: Buffer, ahead: Sequence[int], at: int) -> int:
    for after in range(at + 1, min(at + 1 + _MOST_FALSE_MARKS, len(ahead))):
        if ahead[after] - ahead[at] > _LONGEST_BLOCK_BITS:
            break
        if ahead[after] - ahead[at] > TRAILER_BITS and _decodes(data, _block(data, ahead[at], ahead[after])):
            return after
    raise DamagedContainer(
        f"The bzip2 block at byte {ahead[at] >> 3} is damaged or cut short; fetch the file again."
    )


def _decodes(data: Buffer, block: Block) -> bool:
    try:
        decode_block(data, block)
    except DamagedContainer:
        return False
    return True


def _block(data: Buffer, start: int, stop: int) -> Block:
    return Block(start=start, stop=stop, crc=read_bits(data, start + 48, 32))


def _confirmed(data: Buffer, blocks: Sequence[Block], end: int) -> bool:
    return fold_crcs(block.crc for block in blocks) == read_bits(data, end + 48, 32)
