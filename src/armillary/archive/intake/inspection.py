"""Read a file once and learn all that the catalog keeps of its bytes: headers, layout, checksums."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from armillary.archive.catalog.models import HduRecord
from armillary.fits.crc import crc64, crc64_combine
from armillary.fits.errors import HeaderWithoutEnd, TruncatedFile
from armillary.fits.models import Layout
from armillary.fits.scan import declared_size, scan

UNKNOWN_SIZE = 1 << 62
"""Size of a compressed stream before it has been read."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What one pass over the uncompressed bytes yields.

    ``crc`` is the CRC-64/NVME of all ``size`` bytes; the records hold one of each HDU's data alone, so that the
    checksum of any version of the file follows from its headers.
    """

    size: int
    crc: int
    headers: tuple[bytes, ...]
    hdus: tuple[HduRecord, ...]
    trailing: int
    trailing_crc: int


class _ForwardReader:
    """A ``ReadAt`` over a stream of chunks: it only moves forward, and sums every byte that it passes."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks: Iterator[bytes] = iter(chunks)
        self._buffer = b""
        self._crc = 0
        self.position = 0
        self._offsets: list[int] = []
        self._windows: list[tuple[int, bytes]] = []

    def __call__(self, offset: int, size: int) -> bytes:
        self._advance(offset)
        pieces, held = [self._buffer], len(self._buffer)
        while held < size and (chunk := next(self._chunks, b"")):
            pieces.append(chunk)
            held += len(chunk)
        self._buffer = b"".join(pieces)
        window = self._buffer[:size]
        if not window and self._offsets and self._offsets[-1] == offset:
            raise HeaderWithoutEnd("The file ends inside a header; copy or upload it again")
        self._offsets.append(offset)
        self._windows.append((self._crc, window))
        return window

    def sum_at(self, offset: int) -> int:
        """Return the checksum of all bytes before ``offset``, which lies in something that was read."""
        at = bisect_right(self._offsets, offset) - 1
        crc, window = self._windows[at]
        return crc64(window[: offset - self._offsets[at]], crc)

    def finish(self) -> tuple[int, int]:
        """Pass all that is left; return size and checksum of the whole."""
        self._pass(len(self._buffer))
        for chunk in self._chunks:
            self._crc = crc64(chunk, self._crc)
            self.position += len(chunk)
        return self.position, self._crc

    def _advance(self, offset: int) -> None:
        while offset > self.position + len(self._buffer):
            self._pass(len(self._buffer))
            self._buffer = next(self._chunks, b"")
            if not self._buffer:
                return
        self._pass(offset - self.position)

    def _pass(self, count: int) -> None:
        self._crc = crc64(self._buffer[:count] if count < len(self._buffer) else self._buffer, self._crc)
        self._buffer = self._buffer[count:]
        self.position += count


def inspect_stream(chunks: Iterable[bytes], size: int, *, max_header: int) -> Inspection:
    """Return layout and checksums of the uncompressed FITS bytes in ``chunks``, reading them once.

    Parameters
    ----------
    size
        Number of uncompressed bytes, or `UNKNOWN_SIZE`.

    Raises
    ------
    ArmillaryError
        If the bytes are not FITS, end too early, or have headers of more than ``max_header`` bytes.
    """
    reader = _ForwardReader(chunks)
    layout = scan(reader, size, max_header=max_header)
    end = layout.hdus[-1].end
    total, crc = reader.finish()
    trailing = total - end
    last = layout.hdus[-1]
    if total < last.data_offset + declared_size(layout.headers[-1]):
        raise TruncatedFile(
            f"HDU {last.index} should end at byte {end}, but there are only {total} bytes; copy or upload it again"
        )
    end_crc = reader.sum_at(end) if trailing > 0 else crc
    records = _records(layout, reader, end_crc, min(trailing, 0))
    trailing_crc = crc64_combine(end_crc, crc, trailing) if trailing > 0 else 0
    return Inspection(total, crc, layout.headers, records, trailing, trailing_crc)


def _records(layout: Layout, reader: _ForwardReader, end_crc: int, missing: int) -> tuple[HduRecord, ...]:
    """Return one record per HDU; sums of parts come out of sums up to their ends, since CRCs are linear."""
    records, before = [], 0
    for hdu, header in zip(layout.hdus, layout.headers, strict=True):
        last = hdu.index == len(layout.hdus) - 1
        length = hdu.data_size + (missing if last else 0)
        up_to_data = crc64(header, before)
        up_to_end = end_crc if last else reader.sum_at(hdu.end)
        data_crc = crc64_combine(up_to_data, up_to_end, length) if length else 0
        records.append(HduRecord(hdu.kind, hdu.name, hdu.version, len(header), hdu.data_size, data_crc))
        before = up_to_end
    return tuple(records)
