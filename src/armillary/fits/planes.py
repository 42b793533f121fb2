"""The first image of a FITS file, as strips of rows, so that memory stays flat whatever its size."""

from __future__ import annotations

from collections.abc import Callable
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


def first_plane(layout: Layout, read: ReadAt) -> Plane | None:
    """Return the first image of two or more axes, the first plane of it; nothing if there is none.

    Images one pixel wide or high are spectra and do not count; nor do tiles that cannot be decoded safely.
    """
    for hdu, header in zip(layout.hdus, layout.headers, strict=True):
        values = read_values(header)
        tiled = hdu.kind == "BINTABLE" and is_decodable(values)
        axes = _axes(values, "ZNAXIS" if tiled else "NAXIS")
        image = tiled or hdu.kind in ("PRIMARY", "IMAGE")
        if image and hdu.data_size and len(axes) >= 2 and min(axes[:2]) > 1:
            return _tiled(hdu, header, axes, read) if tiled else _plain(hdu, values, axes, read)
    return None


def _axes(values: dict[str, Value], keyword: str) -> list[int]:
    count = _integer(values.get(keyword)) or 0
    return [_integer(values.get(f"{keyword}{n}")) or 0 for n in range(1, count + 1)]


def _integer(value: Value) -> int | None:
    return value if type(value) is int else None


def _number(value: Value, default: float) -> float:
    return float(value) if isinstance(value, int | float) else default


def _plain(hdu: Hdu, values: dict[str, Value], axes: list[int], read: ReadAt) -> Plane:
    dtype = np.dtype(_DTYPES[int(_number(values["BITPIX"], 0))])
    width, height = axes[:2]

    def rows(first: int, last: int) -> Pixels:
        size = (last - first) * width * dtype.itemsize
        data = read(hdu.data_offset + first * width * dtype.itemsize, size)
        if len(data) < size:
            raise TruncatedFile(f"The image in HDU {hdu.index} ends inside row {first}; copy the file again")
        return np.frombuffer(data, dtype).reshape(-1, width)

    return Plane(
        width=width,
        height=height,
        row_bytes=width * dtype.itemsize,
        rows=rows,
        scale=_number(values.get("BSCALE"), 1.0),
        zero=_number(values.get("BZERO"), 0.0),
        blank=_integer(values.get("BLANK")) if dtype.kind in "iu" else None,
    )


def _tiled(hdu: Hdu, header: bytes, axes: list[int], read: ReadAt) -> Plane:
    width, height = axes[:2]
    rows = TiledImage(hdu, header, axes, read).rows
    return Plane(width=width, height=height, row_bytes=width * 4, rows=rows)
