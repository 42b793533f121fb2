"""Encode content as bzip2 data."""

from __future__ import annotations

import bz2
from collections.abc import Iterable, Iterator

from armillary.fits.bzip2.turns import TURNS


def compress_bzip2(chunks: Iterable[bytes], *, level: int = 9) -> Iterator[bytes]:
    """Yield one stream with the content of the chunks, as the library that comes with Python writes it."""
    compressor = bz2.BZ2Compressor(level)
    for chunk in chunks:
        with TURNS.now():
            piece = compressor.compress(chunk)
        if piece:
            yield piece
    with TURNS.now():
        last = compressor.flush()
    yield last
