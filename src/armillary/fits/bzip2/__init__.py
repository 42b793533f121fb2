"""bzip2 data as blocks: find, decode, edit and restore them without touching the rest."""

from armillary.fits.bzip2.decode import decode_chunks, expand_bzip2, read_head
from armillary.fits.bzip2.encode import compress_bzip2
from armillary.fits.bzip2.layout import Block, Stream, find_blocks
from armillary.fits.bzip2.splice import Grain, Spliced, splice
from armillary.fits.bzip2.undo import retrace, unsplice

__all__ = [
    "Block",
    "Grain",
    "Spliced",
    "Stream",
    "compress_bzip2",
    "decode_chunks",
    "expand_bzip2",
    "find_blocks",
    "read_head",
    "retrace",
    "splice",
    "unsplice",
]
