"""Edit bzip2 data by re-encoding only the blocks that change; all others move over bit by bit.

Blocks are independent of each other and of the stream around them. Only the combined CRC of the stream
depends on all, and it follows from the CRCs that the blocks carry.

A block mostly holds a little of a header and a lot of pixels. What changes gets a block of its own when it is
encoded, so the next edit of the same header encodes kilobytes, and its undo recipe holds no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from armillary.fits.bzip2.bits import Buffer, Octets, place_bits, read_bits
from armillary.fits.bzip2.decode import decode_blocks, expand_bzip2
from armillary.fits.bzip2.encode import compress_bzip2
from armillary.fits.bzip2.layout import (
    BLOCK_MARKER,
    END_MARKER,
    TRAILER_BITS,
    Block,
    Stream,
    decode_block,
    find_blocks,
    fold_crcs,
)
from armillary.fits.bzip2.undo import Moved, undo_recipe
from armillary.fits.container_errors import DamagedContainer
from armillary.fits.crc import crc64
from armillary.fits.edited import edited, spliced_part
from armillary.fits.errors import PlanMismatch
from armillary.fits.models import EditPlan, Splice

_HEAD_BITS = 32


@dataclass(frozen=True, slots=True)
class Grain:
    """How finely content is cut into blocks, in bytes.

    ``cell`` is the smallest block that a change gets: the headers of most files. ``apart`` is what beside a
    change is worth a block of its own.
    """

    cell: int = 1 << 16
    apart: int = 1 << 17


_USUAL = Grain()


@dataclass(frozen=True, slots=True)
class Spliced:
    """The new stored bytes, one stream, and the recipe that gives the old ones back.

    ``blocks_encoded`` counts the blocks that were written anew; ``recompressed`` says that all of them were.
    """

    data: memoryview
    undo: bytes
    blocks_encoded: int
    recompressed: bool = False


class _CheckError(Exception):
    """A check of the splice failed, so that everything must be compressed anew."""


@dataclass(slots=True)
class _Run:
    """Neighbouring blocks that change together, with their content; ``first`` is where it begins."""

    first: int
    last: int
    offset: int
    contents: list[bytes] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Segment:
    """Blocks to be written as they are: those of the old data, or newly encoded ones with their content."""

    source: Buffer
    blocks: tuple[Block, ...]
    content: bytes | None = None


def splice(data: Buffer, plan: EditPlan, *, grain: Grain = _USUAL) -> Spliced:
    """Return the data after the plan, which speaks of the uncompressed bytes.

    The new data are a single stream with the largest block size found, because some readers stop after the
    first. The new blocks are decoded again from it and compared, the moved ones are found in their place.

    Raises
    ------
    DamagedContainer
        If the data are damaged where it can be seen without decoding what does not change.
    PlanMismatch
        If the bytes to be replaced are not those that the plan expects.
    """
    streams = find_blocks(data)
    level = max(stream.level for stream in streams)
    try:
        return _splice_blocks(data, streams, plan, level=level, grain=grain)
    except (_CheckError, DamagedContainer):
        return _recompress(data, plan, level=level)


def _splice_blocks(
    data: Buffer, streams: Sequence[Stream], plan: EditPlan, *, level: int, grain: Grain
) -> Spliced:
    blocks = [block for stream in streams for block in stream.blocks]
    runs = _changed_runs(data, blocks, plan.splices)
    segments = list(_segments(data, blocks, runs, plan.splices, level=level, grain=grain))
    out, places = _assemble(segments, level)
    _check(out, segments, places)
    undo = undo_recipe(data, out.data, _moved(segments, places))
    encoded = sum(len(s.blocks) for s in segments if s.content is not None)
    return Spliced(data=out.data, undo=undo, blocks_encoded=encoded)


def _changed_runs(data: Buffer, blocks: Sequence[Block], splices: Sequence[Splice]) -> list[_Run]:
    """Decode up to the last splice and keep the contents of the blocks that splices touch."""
    runs: list[_Run] = []
    waiting = list(splices[::-1])
    offset, content = 0, b""
    for index, content in _decoded(data, blocks):
        end = offset + len(content)
        if waiting and waiting[-1].offset < end:
            if not (runs and runs[-1].last == index):
                runs.append(_Run(first=index, last=index, offset=offset))
            runs[-1].last = index + 1
            runs[-1].contents.append(content)
        while waiting and waiting[-1].offset + max(len(waiting[-1].old), 1) <= end:
            waiting.pop()
        offset = end
        if not waiting:
            return runs
    if any(s.offset > offset or s.old for s in waiting):
        raise PlanMismatch(f"The file has only {offset} bytes; the edit was planned for a longer one.")
    if waiting and not (runs and runs[-1].last == len(blocks)):
        contents = [content] if blocks else []
        runs.append(_Run(max(len(blocks) - 1, 0), len(blocks), offset - len(content), contents))
    return runs


def _decoded(data: Buffer, blocks: Sequence[Block]) -> Iterator[tuple[int, bytes]]:
    """Decode the first block alone, for it mostly suffices, and only then several ahead."""
    if blocks:
        yield 0, decode_block(data, blocks[0])
        yield from enumerate(decode_blocks(data, blocks[1:]), start=1)


def _segments(
    data: Buffer,
    blocks: Sequence[Block],
    runs: Sequence[_Run],
    splices: Sequence[Splice],
    *,
    level: int,
    grain: Grain,
) -> Iterator[_Segment]:
    at = 0
    for index, run in enumerate(runs):
        yield _Segment(data, tuple(blocks[at : run.first]))
        last = index == len(runs) - 1
        limit = None if last else runs[index + 1].offset
        own = [s for s in splices if s.offset >= run.offset and (limit is None or s.offset < limit)]
        content = spliced_part(b"".join(run.contents), run.offset, own)
        cuts = _cuts(own, run.offset, len(content), grain)
        for start, stop in pairwise([0, *cuts, len(content)]):
            yield _encode(content[start:stop], level)
        at = run.last
    yield _Segment(data, tuple(blocks[at:]))


def _cuts(splices: Sequence[Splice], offset: int, size: int, grain: Grain) -> Iterator[int]:
    """Yield where to cut the new content of a run, so that what changed is apart from what did not."""
    last, grown = 0, 0
    for one in splices:
        begin = one.offset - offset + grown
        grown += len(one.new) - len(one.old)
        start, stop = begin // grain.cell * grain.cell, -(-(begin + len(one.new)) // grain.cell) * grain.cell
        if start - last >= grain.apart:
            last = start
            yield start
        if stop > last and size - stop >= grain.apart:
            last = stop
            yield stop


def _encode(content: bytes, level: int) -> _Segment:
    data = b"".join(compress_bzip2([content], level=level))
    return _Segment(data, find_blocks(data)[0].blocks, content)


def _assemble(segments: Sequence[_Segment], level: int) -> tuple[Octets, list[int]]:
    """Write one stream; also return the bit at which each block begins."""
    blocks = [block for segment in segments for block in segment.blocks]
    places = [_HEAD_BITS]
    for block in blocks:
        places.append(places[-1] + block.stop - block.start)
    out = np.zeros((places[-1] + TRAILER_BITS + 7) // 8, np.uint8)
    out[:4] = np.frombuffer(b"BZh%d" % level, np.uint8)
    at = _HEAD_BITS
    for segment in segments:
        for start, stop in _joined(segment.blocks):
            place_bits(out, at, segment.source, start, stop)
            at += stop - start
    trailer = (END_MARKER << 32 | fold_crcs(block.crc for block in blocks)).to_bytes(10, "big")
    place_bits(out, at, trailer, 0, TRAILER_BITS)
    return out, places


def _joined(blocks: Sequence[Block]) -> Iterator[tuple[int, int]]:
    """Yield the longest runs of bits that hold only these blocks."""
    first = 0
    for index in range(1, len(blocks) + 1):
        if index == len(blocks) or blocks[index].start != blocks[index - 1].stop:
            yield blocks[first].start, blocks[index - 1].stop
            first = index


def _check(out: Octets, segments: Sequence[_Segment], places: Sequence[int]) -> None:
    """Decode the new blocks from the output, and find both ends of every moved one where it belongs."""
    at = 0
    for segment in segments:
        contents = []
        for block in segment.blocks:
            here = Block(places[at], places[at + 1], block.crc)
            at += 1
            if segment.content is not None:
                contents.append(decode_block(out.data, here))
            elif not _same_ends(out.data, here, segment.source, block):
                raise _CheckError
        if segment.content is not None and b"".join(contents) != segment.content:
            raise _CheckError
    if read_bits(out.data, places[-1], 48) != END_MARKER:
        raise _CheckError


def _same_ends(out: Buffer, here: Block, source: Buffer, block: Block) -> bool:
    head = read_bits(out, here.start, TRAILER_BITS)
    tail = read_bits(out, here.stop - 64, 64)
    return head == BLOCK_MARKER << 32 | block.crc and tail == read_bits(source, block.stop - 64, 64)


def _moved(segments: Sequence[_Segment], places: Sequence[int]) -> list[Moved]:
    moved, index = [], 0
    for segment in segments:
        at = places[index]
        if segment.content is None:
            for start, stop in _joined(segment.blocks):
                moved.append(Moved(start, stop, at))
                at += stop - start
        index += len(segment.blocks)
    return moved


def _recompress(data: Buffer, plan: EditPlan, *, level: int) -> Spliced:
    """Decode, edit and encode everything, and compare with what the result decodes to."""
    wanted = (0, 0)

    def counted() -> Iterator[bytes]:
        nonlocal wanted
        for chunk in edited(_no_more_than(plan.size_before, _expanded(data)), plan):
            wanted = (wanted[0] + len(chunk), crc64(chunk, wanted[1]))
            yield chunk

    new = b"".join(compress_bzip2(counted(), level=level))
    got = (0, 0)
    for chunk in _expanded(new):
        got = (got[0] + len(chunk), crc64(chunk, got[1]))
    if got != wanted:
        raise DamagedContainer("The edited file decodes to other bytes; check the memory of this machine.")
    count = sum(len(stream.blocks) for stream in find_blocks(new))
    return Spliced(memoryview(new), undo_recipe(data, new, []), blocks_encoded=count, recompressed=True)


def _no_more_than(size: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield chunks, but do not unpack for hours what the plan is not for."""
    for chunk in chunks:
        size -= len(chunk)
        if size < 0:
            raise PlanMismatch("The file has more bytes than the edit was planned for.")
        yield chunk


def _expanded(data: Buffer) -> Iterator[bytes]:
    return expand_bzip2(lambda offset, size: bytes(data[offset : offset + size]))
