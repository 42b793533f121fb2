"""Tile-compressed images (FITS 4.0, section 10): the one place where astropy decodes them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from armillary.fits.container_errors import DamagedImage
from armillary.fits.header import read_values
from armillary.fits.models import BLOCK, Hdu, ReadAt, Value
from armillary.fits.windows import Window, window_of

Pixels = npt.NDArray[Any]

_MIN_PRIMARY = [
    "SIMPLE  =                    T",
    "BITPIX  =                    8",
    "NAXIS   =                    0",
    "EXTEND  =                    T",
    "END",
]
_PIXEL_BYTES = {8: (1, 2, 4), 16: (2, 4), 32: (4,), -32: (4,), -64: (4,)}
_MOST_PIXELS = (1 << 31) // 4
"""No tile has so many pixels: the Rice decoder counts their bytes in 32 bits, and writes where it may not."""
_DECODER_BYTES, _SLACK = 8, 32 << 20
"""What a decoder takes besides the pixels that come out: for each pixel of a tile, and for all the rest."""


class TiledImage:
    """One plane of a tile-compressed image.

    Rows are decoded as they are asked for, in rising order, each tile once: a tile may hold the whole image.
    Held are the compressed bytes of one tile, and the rows of the last tiles that are still to be asked for.
    """

    def __init__(
        self,
        hdu: Hdu,
        header: bytes,
        axes: Sequence[int],
        read: ReadAt,
        shown: tuple[int, int] = (0, 1),
        indices: Sequence[int] = (),
    ) -> None:
        """Open the image; ``shown`` are the places of the axes of the plane, ``indices`` those along all others.

        Without these it is the first plane.

        Raises
        ------
        DamagedImage
            If the header says impossible things about the compression.
        """
        # Only here: few files need it, and it is a tenth of the start of every command.
        from astropy.io import fits

        self._index, (x, y) = hdu.index, shown
        self._width, self._height = axes[x], axes[y]
        self._x, self._y, self._indices = x, y, [*indices] or [0] * len(axes)
        values = read_values(header)
        self._tile = _tile_of(values, axes, hdu.index)
        window = None
        if prod(axes) > self._width * self._height:
            window = window_of(values, axes, self._tile, shown, self._indices)
            if window is None:
                raise DamagedImage(
                    f"HDU {hdu.index} has fewer tiles than its image; restore a copy of the file."
                )
            self._indices = [*window.indices]
        with self._decoding("Its header"):
            if window is not None:
                header = _with_cards(header, window)
            self._section = fits.open(_Stored(hdu, header, read, window), memmap=False)[1].section
            self._pixel_bytes = int(self._section.dtype.itemsize)
        self._held_at, self._held = 0, np.empty((0, self._width))

    def rows(self, first: int, last: int) -> Pixels:
        """Return the rows from one number to before another, scaled, blanks as NaN.

        Raises
        ------
        DamagedImage
            If tiles are damaged.
        MemoryError
            If there is no room for them.
        """
        tall = self._tile[self._y]
        known, start = self._held[:0], first // tall * tall
        if self._held_at <= first < self._held_at + len(self._held):
            known, start = self._held[first - self._held_at :], self._held_at + len(self._held)
        if start >= last:
            return known[: last - first]
        fresh = self._decoded(start, min(-(-last // tall) * tall, self._height))
        self._held_at = last // tall * tall
        # A copy, or else all rows before these would be held with them.
        self._held = fresh[self._held_at - start :].copy() if self._held_at > start else fresh
        wanted = fresh[max(first - start, 0) : last - start]
        return np.concatenate([known, wanted]) if len(known) else wanted

    def part(self, first: int, last: int, left: int, right: int) -> Pixels:
        """Return some pixels of the rows from one number to before another, and decode no tiles but theirs.

        Raises
        ------
        DamagedImage, MemoryError
            As `rows` does.
        """
        tall, wide = self._tile[self._y], self._tile[self._x]
        rows = -(-last // tall) * tall - first // tall * tall
        _make_sure_of_room(
            rows * (-(-right // wide) * wide - left // wide * wide) * self._pixel_bytes + _SLACK
        )
        with self._decoding(f"Rows {first} to {last}"):
            return np.asarray(self._section[self._wanted(slice(first, last), slice(left, right))])

    @property
    def tile_pixels(self) -> int:
        """How many pixels are decoded at once at least."""
        return prod(self._tile)

    def _wanted(self, rows: slice, columns: slice) -> tuple[int | slice, ...]:
        """Return the index of pixels in an array, which has the slowest axis first."""
        wanted: list[int | slice] = [*self._indices]
        wanted[self._x], wanted[self._y] = columns, rows
        return tuple(reversed(wanted))

    def _decoded(self, first: int, last: int) -> Pixels:
        """Decode whole tiles."""
        pixels = (last - first) * self._width
        _make_sure_of_room(pixels * self._pixel_bytes + prod(self._tile) * _DECODER_BYTES + _SLACK)
        with self._decoding(f"Rows {first} to {last}"):
            return np.asarray(self._section[self._wanted(slice(first, last), slice(None))])

    @contextmanager
    def _decoding(self, what: str) -> Iterator[None]:
        with warnings.catch_warnings():
            # What astropy finds unusual about the header is no concern of a picture.
            warnings.simplefilter("ignore")
            try:
                yield
            except MemoryError:
                raise
            except Exception as error:
                # Each decoder of tiles fails in its own way, with classes that astropy does not export.
                raise DamagedImage(
                    f"HDU {self._index} cannot be decoded. {what}: {error}. Restore a copy of the file."
                ) from error


class _Stored(io.RawIOBase):
    """A file of an empty primary HDU and one other, whose data are read when they are asked for."""

    def __init__(self, hdu: Hdu, header: bytes, read: ReadAt, window: Window | None = None) -> None:
        """Show a window of the table instead of all of it, if there is one."""
        self._skipped, self._end = (window.skipped, window.size) if window else (0, hdu.data_size)
        primary = "".join(card.ljust(80) for card in _MIN_PRIMARY).ljust(BLOCK).encode("ascii")
        self._head, self._data_at, self._read = primary + header, hdu.data_offset, read
        self._size, self._at = len(self._head) + hdu.data_size, 0

    def readable(self) -> bool:
        """Say so."""
        return True

    def seekable(self) -> bool:
        """Say so."""
        return True

    def tell(self) -> int:
        """Return where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to another place."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Return up to so many bytes; the fill after the last data may be missing in the file."""
        left = max(self._size - self._at, 0)
        size = left if size is None or size < 0 else min(size, left)
        found = self._head[self._at : self._at + size]
        if len(found) < size:
            at = self._at + len(found) - len(self._head)
            found += self._data(at, size - len(found))
        self._at += size
        return found

    def _data(self, at: int, size: int) -> bytes:
        """Return bytes of the data: rows of the window up to its end, and what is there in the file behind it."""
        rows = max(0, min(size, self._end - at))
        found = self._read(self._data_at + self._skipped + at, rows).ljust(rows, b"\0") if rows else b""
        rest = size - rows
        return found + self._read(self._data_at + at + rows, rest).ljust(rest, b"\0") if rest else found


def _with_cards(header: bytes, window: Window) -> bytes:
    """Return a header that speaks of a window of its table."""
    from astropy.io import fits

    changed = fits.Header.fromstring(header)
    changed.update(window.cards)
    text: str = changed.tostring()
    return text.encode("ascii")


def _make_sure_of_room(size: int) -> None:
    """Raise MemoryError where a decoder in C might only see that its buffer is not there by writing into it."""
    np.empty(size, np.uint8)


def _tile_of(values: Mapping[str, Value], axes: Sequence[int], index: int) -> list[int]:
    """Return the size of a tile; refuse what the standard does not allow, as the Rice decoder believes it."""
    named = {values.get(f"ZNAME{n}"): values.get(f"ZVAL{n}") for n in range(1, 10)}
    tiles = [values.get(f"ZTILE{n}", axis if n == 1 else 1) for n, axis in enumerate(axes, start=1)]
    sizes = [tile for tile, axis in zip(tiles, axes, strict=True) if type(tile) is int and 0 < tile <= axis]
    bitpix = values.get("ZBITPIX")
    pixel_bytes = _PIXEL_BYTES.get(bitpix, ()) if type(bitpix) is int else ()
    rice = named.get("BLOCKSIZE", 32) in (16, 32) and named.get("BYTEPIX", 4) in pixel_bytes
    if len(sizes) < len(axes) or (not rice and str(values.get("ZCMPTYPE")).startswith("RICE")):
        raise DamagedImage(f"HDU {index} has impossible parameters of tile compression; restore a copy.")
    if prod(sizes) >= _MOST_PIXELS:
        raise DamagedImage(f"HDU {index} has tiles of {prod(sizes)} pixels, more than can be decoded.")
    return sizes
