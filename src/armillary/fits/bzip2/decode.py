"""Decode bzip2 data: all of it in parallel, or just its beginning."""

from __future__ import annotations

import bz2
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from armillary.fits.bzip2.bits import Buffer
from armillary.fits.bzip2.layout import Block, BlockDecoder, find_blocks
from armillary.fits.bzip2.turns import THREADS, TURNS
from armillary.fits.container_errors import DamagedContainer
from armillary.fits.models import ReadAt

_READ = 1 << 18
_PIECE = 1 << 20


def decode_chunks(data: Buffer, *, patient: bool = False) -> Iterator[bytes]:
    """Yield the content in pieces of at most 4 MiB, decoded by several threads; every CRC is checked.

    The ``patient`` let all others go first, piece by piece.

    Raises
    ------
    DamagedContainer
        If anything is wrong with the data.
    """
    blocks = [block for stream in find_blocks(data) for block in stream.blocks]
    for pieces in _decoded_ahead(data, blocks, patient=patient):
        yield from pieces


def decode_blocks(data: Buffer, blocks: Sequence[Block]) -> Iterator[bytes]:
    """Yield the contents of these blocks in order, decoded by several threads."""
    return (b"".join(pieces) for pieces in _decoded_ahead(data, blocks))


def _decoded_ahead(
    data: Buffer, blocks: Sequence[Block], *, patient: bool = False
) -> Iterator[Iterator[bytes]]:
    """Yield the pieces of each block; the first pieces of at most two per thread are held at once.

    What a block holds beyond that, as only blank ones do, is decoded when its turn has come.
    """

    def begin(block: Block) -> tuple[bytes, BlockDecoder]:
        decoder = BlockDecoder(data, block, patient=patient)
        return decoder.next_piece(), decoder

    def in_turn(begun: Future[tuple[bytes, BlockDecoder]]) -> Iterator[bytes]:
        first, decoder = begun.result()
        yield first
        yield from decoder.pieces()

    with ThreadPoolExecutor(THREADS) as pool:
        ahead: deque[Future[tuple[bytes, BlockDecoder]]] = deque()
        try:
            for block in blocks:
                ahead.append(pool.submit(begin, block))
                if len(ahead) == 2 * THREADS:
                    yield in_turn(ahead.popleft())
            while ahead:
                yield in_turn(ahead.popleft())
        finally:
            for future in ahead:
                future.cancel()


def expand_bzip2(read: ReadAt) -> Iterator[bytes]:
    """Yield the content of one or more streams in pieces of at most 1 MiB, reading the input only as needed.

    Zeros after the last stream are accepted, as bzip2 does; tapes and block devices leave them.

    Raises
    ------
    DamagedContainer
        If anything is wrong with the bytes read so far; also for foreign bytes after a stream.
    """
    decoder, at, waiting = bz2.BZ2Decompressor(), 0, b""
    while True:
        if decoder.needs_input and not waiting:
            waiting = read(at, _READ)
            at += len(waiting)
            if not waiting:
                raise DamagedContainer(f"The bzip2 data end at byte {at}, too early; fetch the file again.")
        piece, waiting = _step(decoder, waiting, at), b""
        if piece:
            yield piece
        if decoder.eof:
            waiting = decoder.unused_data or read(at, _READ)
            at += 0 if decoder.unused_data else len(waiting)
            if not waiting or _only_zeros(read, at, waiting):
                return
            decoder = bz2.BZ2Decompressor()


def _only_zeros(read: ReadAt, at: int, waiting: bytes) -> bool:
    """Tell whether zeros follow a stream, and nothing else, given the bytes before ``at`` that were read."""
    if waiting[0]:
        return False
    while waiting and not any(waiting):
        waiting = read(at, _READ)
        at += len(waiting)
    if waiting:
        raise DamagedContainer(f"Foreign bytes follow the bzip2 data before byte {at}; remove them.")
    return True


def _step(decoder: bz2.BZ2Decompressor, data: bytes, at: int) -> bytes:
    try:
        with TURNS.now():
            return decoder.decompress(data, _PIECE)
    except (OSError, ValueError) as error:
        raise DamagedContainer(
            f"The bzip2 data are damaged before byte {at}; fetch the file again or restore a copy."
        ) from error


def read_head(read: ReadAt, size: int) -> bytes:
    """Return the first ``size`` bytes of the content, fewer only if there are no more.

    Only the compressed bytes that hold them are read and decoded.
    """
    head = bytearray()
    for piece in expand_bzip2(read):
        head += piece
        if len(head) >= size:
            break
    return bytes(head[:size])
