"""Files of a few kB that unfold to gigabytes, or claim to."""

from __future__ import annotations

import bz2
import gzip
import struct
from collections.abc import Sequence
from functools import cache

from armillary.fits.models import BLOCK
from tests.support.headers import a_card, a_header, a_primary

BLANK_BLOCK = 45_899_235
"""Zeros that one block of bzip2 data holds at most."""
MIB = 1 << 20


def an_image(bitpix: int, *axes: int) -> bytes:
    """Return the header of a primary image; its data are whatever follows."""
    cards = [f"BITPIX  = {bitpix:>20}", f"NAXIS   = {len(axes):>20}"]
    cards += [f"NAXIS{n:<3}= {axis:>20}" for n, axis in enumerate(axes, start=1)]
    return a_header("SIMPLE  =                    T", *cards)


def tiles(
    cells: Sequence[bytes],
    *,
    image: tuple[int, int],
    tile: tuple[int, int],
    kind: str,
    claims: Sequence[tuple[int, int]] | None = None,
    gap: int = 0,
) -> bytes:
    """Return a file with a tile-compressed image.

    ``cells`` are the compressed tiles, ``claims`` what the table says of them (length, offset) if that is not
    the truth, ``gap`` the zeros between table and heap.
    """
    places, at = [], 0
    for cell in cells:
        places.append((len(cell), at))
        at += len(cell)
    table = b"".join(struct.pack(">2i", *place) for place in claims or places)
    data = table + bytes(gap) + b"".join(cells)
    words = {
        "BITPIX": 8,
        "NAXIS": 2,
        "NAXIS1": 8,
        "NAXIS2": len(table) // 8,
        "PCOUNT": len(data) - len(table),
        "GCOUNT": 1,
        "THEAP": len(table) + gap,
        "TFIELDS": 1,
        "TTYPE1": "'COMPRESSED_DATA'",
        "TFORM1": "'1PB     '",
        "ZIMAGE": "T",
        "ZCMPTYPE": f"'{kind:<8}'",
        "ZBITPIX": 32,
        "ZNAXIS": 2,
        "ZNAXIS1": image[0],
        "ZNAXIS2": image[1],
        "ZTILE1": tile[0],
        "ZTILE2": tile[1],
    }
    cards = [f"{keyword:<8}= {value!s:>20}" for keyword, value in words.items()]
    whole = a_header(a_card("XTENSION= 'BINTABLE'"), *cards) + data
    return a_primary("EXTEND  =                    T") + whole.ljust(-(-len(whole) // BLOCK) * BLOCK, b"\0")


def blank(head: bytes, zeros: int) -> bytes:
    """Return bzip2 data of a header and so many zeros: some fifty bytes for each 46 million."""
    many, rest = divmod(zeros, BLANK_BLOCK)
    return bz2.compress(head) + _blank_block() * many + (bz2.compress(bytes(rest)) if rest else b"")


@cache
def _blank_block() -> bytes:
    return bz2.compress(bytes(BLANK_BLOCK))


@cache
def blank_gzip(mib: int) -> bytes:
    """Return gzip data of so many MiB of zeros."""
    return gzip.compress(bytes(16 * MIB), mtime=0) * (mib // 16)
