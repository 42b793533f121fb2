"""The uncompressed bytes of any version: its own headers around the data that all versions share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from armillary.fits.models import Layout, ReadAt

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class _Piece:
    """Bytes from memory (``header``), or the stored ones from ``offset`` on."""

    size: int
    header: bytes | None
    offset: int


@dataclass(frozen=True, slots=True)
class Content:
    """A file put together from headers and stored data, readable from any byte."""

    pieces: tuple[_Piece, ...]
    read: ReadAt
    size: int

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from ``start`` up to ``stop`` in pieces of at most 1 MiB."""
        stop = self.size if stop is None else min(stop, self.size)
        at = 0
        for piece in self.pieces:
            low, high = max(start - at, 0), min(stop - at, piece.size)
            at += piece.size
            if low >= high:
                continue
            if piece.header is not None:
                yield from (piece.header[i : min(i + CHUNK, high)] for i in range(low, high, CHUNK))
            else:
                yield from self._stored(piece.offset + low, piece.offset + high)

    def _stored(self, start: int, stop: int) -> Iterator[bytes]:
        while start < stop and (chunk := self.read(start, min(CHUNK, stop - start))):
            yield chunk
            start += len(chunk)


def content_of(stored: Layout, headers: Sequence[bytes], read: ReadAt) -> Content:
    """Return the content with these headers.

    Parameters
    ----------
    stored
        Where headers and data lie in the uncompressed bytes that ``read`` returns.
    headers
        One per HDU; the sizes may differ from the stored ones.
    """
    pieces: list[_Piece] = []
    for hdu, header in zip(stored.hdus, headers, strict=True):
        # The fill after the last data may be missing: then ``trailing`` is minus the missing bytes.
        length = min(hdu.data_size, stored.size - hdu.data_offset)
        pieces += [_Piece(len(header), header, 0), _Piece(length, None, hdu.data_offset)]
    if stored.trailing > 0:
        pieces.append(_Piece(stored.trailing, None, stored.size - stored.trailing))
    return Content(tuple(pieces), read, sum(piece.size for piece in pieces))
