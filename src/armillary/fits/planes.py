"""The first image of a FITS file, as strips of rows, so that memory stays flat whatever its size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from armillary.fits.errors import TruncatedFile
from armillary.fits.header import read_values
from armillary.fits.models import Hdu, Layout, ReadAt, Value
from armillary.fits.tiles import Pixels, TiledImage, is_decodable

_DTYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


@dataclass(frozen=True, slots=True)
class Plane:
    """A two-dimensional image: ``rows(first, last)`` are stored values, undefined where equal to ``blank``.

    A value is ``zero + scale * stored`` (FITS 4.0, section 4.4.2.5). Row 0 is at the bottom of the sky.
    """

    width: int
    height: int
    row_bytes: int
    rows: Callable[[int, int], Pixels]
    scale: float = 1.0
    zero: float = 0.0
    blank: int | None = None


@dataclass(frozen=True, slots=True)
class PlainImage:
    """Where the pixels of an image lie in a file, if they are not compressed, and what they mean."""

    index: int
    offset: int
    bitpix: int
    width: int
    height: int
    scale: float
    zero: float
    blank: int | None

    @property
    def size(self) -> int:
        """The bytes of the first plane."""
        return self.width * self.height * abs(self.bitpix) // 8

    def plane(self, read: ReadAt) -> Plane:
        """Return the image as strips of rows."""
        dtype = np.dtype(_DTYPES[self.bitpix])

        def rows(first: int, last: int) -> Pixels:
            size = (last - first) * self.width * dtype.itemsize
            data = read(self.offset + first * self.width * dtype.itemsize, size)
            if len(data) < size:
                raise TruncatedFile(
                    f"The image in HDU {self.index} ends inside row {first}; copy the file again"
                )
            return np.frombuffer(data, dtype).reshape(-1, self.width)

        return Plane(
            width=self.width,
            height=self.height,
            row_bytes=self.width * dtype.itemsize,
            rows=rows,
            scale=self.scale,
            zero=self.zero,
            blank=self.blank if dtype.kind in "iu" else None,
        )


@dataclass(frozen=True, slots=True)
class PackedImage:
    """An image in compressed tiles."""

    hdu: Hdu
    header: bytes
    axes: tuple[int, ...]

    def plane(self, read: ReadAt) -> Plane:
        """Return the image as strips of rows."""
        width, height = self.axes[:2]
        rows = TiledImage(self.hdu, self.header, list(self.axes), read).rows
        return Plane(width=width, height=height, row_bytes=width * 4, rows=rows)


def first_image(layout: Layout, values: Iterable[Mapping[str, Value]]) -> PlainImage | PackedImage | None:
    """Return the first image of two or more axes; nothing if there is none. ``values`` are those of the headers.

    Images one pixel wide or high are spectra and do not count; nor do tiles that cannot be decoded safely.
    """
    for hdu, header, found in zip(layout.hdus, layout.headers, values, strict=True):
        tiled = hdu.kind == "BINTABLE" and is_decodable(found)
        image = tiled or hdu.kind in ("PRIMARY", "IMAGE")
        axes = _axes(found, "ZNAXIS" if tiled else "NAXIS") if image and hdu.data_size else []
        if len(axes) >= 2 and min(axes[:2]) > 1:
            return PackedImage(hdu, header, tuple(axes)) if tiled else _plain(hdu, found, axes)
    return None


def first_plane(layout: Layout, read: ReadAt) -> Plane | None:
    """Return the first image of two or more axes, the first plane of it; nothing if there is none."""
    found = first_image(layout, map(read_values, layout.headers))
    return found.plane(read) if found else None


def _axes(values: Mapping[str, Value], keyword: str) -> list[int]:
    count = _integer(values.get(keyword)) or 0
    return [_integer(values.get(f"{keyword}{n}")) or 0 for n in range(1, count + 1)]


def _integer(value: Value) -> int | None:
    return value if type(value) is int else None


def _number(value: Value, default: float) -> float:
    return float(value) if isinstance(value, int | float) else default


def _plain(hdu: Hdu, values: Mapping[str, Value], axes: list[int]) -> PlainImage:
    return PlainImage(
        index=hdu.index,
        offset=hdu.data_offset,
        bitpix=int(_number(values["BITPIX"], 0)),
        width=axes[0],
        height=axes[1],
        scale=_number(values.get("BSCALE"), 1.0),
        zero=_number(values.get("BZERO"), 0.0),
        blank=_integer(values.get("BLANK")),
    )
