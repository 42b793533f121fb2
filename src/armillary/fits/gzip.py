"""gzip data: decode them piece by piece, and write them anew after an edit (RFC 1952)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from armillary.fits.container_errors import DamagedContainer
from armillary.fits.crc import crc64
from armillary.fits.edited import edited
from armillary.fits.models import EditPlan, ReadAt

MAGIC = b"\x1f\x8b"

_READ = 1 << 18
_PIECE = 1 << 20
_FIXED = struct.Struct("<2sBBIBB")
_EXTRA_FLAG, _NAME_FLAG = 4, 8
_LEVEL = 6
_ANY_SYSTEM = 255
_RAW_DEFLATE, _GZIP = -15, 31


@dataclass(frozen=True, slots=True)
class GzipHeader:
    """What a gzip member says of the file in it: time stamp (Unix seconds, 0 if unknown) and name."""

    mtime: int
    name: bytes

    def to_bytes(self) -> bytes:
        """Return a header with this time stamp and name, and nothing that depends on the machine."""
        flags = _NAME_FLAG if self.name else 0
        head = _FIXED.pack(MAGIC, 8, flags, self.mtime, 0, _ANY_SYSTEM)
        return head + (self.name + b"\0" if self.name else b"")


def read_gzip_header(head: bytes) -> GzipHeader:
    """Return time stamp and name from the first bytes of a gzip file.

    Raises
    ------
    DamagedContainer
        If they are no gzip header or end inside it.
    """
    try:
        magic, method, flags, mtime, _, _ = _FIXED.unpack_from(head)
        at = _FIXED.size
        if flags & _EXTRA_FLAG:
            at += 2 + int.from_bytes(head[at : at + 2], "little")
        name = head[at : head.index(b"\0", at)] if flags & _NAME_FLAG else b""
    except (struct.error, ValueError) as error:
        raise DamagedContainer("The gzip header is cut short; fetch the file again.") from error
    if magic != MAGIC or method != 8:
        raise DamagedContainer("The file does not begin with a gzip header; fetch it again.")
    return GzipHeader(mtime=mtime, name=name)


def expand_gzip(read: ReadAt) -> Iterator[bytes]:
    """Yield the content of one or more members in pieces of at most 1 MiB, reading the input only as needed.

    Zeros after the last member are accepted, as gzip does; tapes and block devices leave them.

    Raises
    ------
    DamagedContainer
        If the data are cut short or damaged, or foreign bytes follow them.
    """
    source = _Source(read)
    while True:
        decoder = zlib.decompressobj(_GZIP)
        waiting = source.take()
        while not decoder.eof:
            piece = _step(decoder, waiting, source.at)
            waiting = decoder.unconsumed_tail
            if piece:
                yield piece
            elif not waiting and not decoder.eof:
                waiting = source.take()
        source.give_back(decoder.unused_data)
        if source.only_zeros_left():
            return


class _Source:
    """Compressed bytes, read forward; what a member did not need can be given back."""

    def __init__(self, read: ReadAt) -> None:
        self.at = 0
        self._read = read
        self._spare = b""

    def take(self) -> bytes:
        data = self._spare or self._more()
        self._spare = b""
        if not data:
            raise DamagedContainer(f"The gzip data end at byte {self.at}, too early; fetch the file again.")
        return data

    def give_back(self, data: bytes) -> None:
        self._spare = data

    def only_zeros_left(self) -> bool:
        self._spare = self._spare or self._more()
        while self._spare and not self._spare.strip(b"\0"):
            self._spare = self._more()
            if self._spare[:1] not in (b"", b"\0"):
                raise DamagedContainer(
                    f"Foreign bytes follow the gzip data before byte {self.at}; remove them."
                )
        return not self._spare

    def _more(self) -> bytes:
        data = self._read(self.at, _READ)
        self.at += len(data)
        return data


def _step(decoder: zlib._Decompress, data: bytes, at: int) -> bytes:
    try:
        return decoder.decompress(data, _PIECE)
    except zlib.error as error:
        raise DamagedContainer(
            f"The gzip data are damaged or followed by foreign bytes before byte {at}; fetch the file again."
        ) from error


def recompress_gzip(chunks: Iterable[bytes], plan: EditPlan, head: bytes) -> Iterator[bytes]:
    """Yield a gzip file of one member with the content after the plan.

    The same input gives the same bytes on every machine with the same zlib. What is written is decoded again
    on the way, and the trailer comes only if that gave the right bytes.

    Parameters
    ----------
    chunks
        The uncompressed bytes before the edit.
    head
        The first bytes of the old gzip file; its time stamp and name are kept.

    Raises
    ------
    PlanMismatch
        If the plan is not for these bytes.
    DamagedContainer
        If the old header is damaged, or the new data decode to other bytes.
    """
    yield read_gzip_header(head).to_bytes()
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW_DEFLATE)
    checker = zlib.decompressobj(_RAW_DEFLATE)
    wanted = got = crc = size = 0
    for chunk in edited(chunks, plan):
        wanted, crc, size = crc64(chunk, wanted), zlib.crc32(chunk, crc), size + len(chunk)
        packed = compressor.compress(chunk)
        if packed:
            got = crc64(checker.decompress(packed), got)
            yield packed
    packed = compressor.flush()
    got = crc64(checker.decompress(packed), got)
    if got != wanted or not checker.eof:
        raise DamagedContainer("The edited file decodes to other bytes; check the memory of this machine.")
    yield packed + struct.pack("<II", crc, size & 0xFFFFFFFF)
