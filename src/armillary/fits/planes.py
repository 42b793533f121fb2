"""The first image of a FITS file, as strips of rows, so that memory stays flat whatever its size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from armillary.fits.errors import TruncatedFile
from armillary.fits.header import read_values
from armillary.fits.models import Hdu, Layout, ReadAt, Value
from armillary.fits.rasters import extended, integer, raster_of
from armillary.fits.tiles import Pixels, TiledImage

_DTYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
TIMES = frozenset(
    ("TIME", "TAI", "TT", "TDT", "ET", "IAT", "UT1", "UTC", "GMT", "UT", "GPS", "TCG", "TCB", "TDB", "LOCAL")
)
"""What CTYPE calls an axis of time (FITS 4.0, section 9.2.1)."""
FIRST: Mapping[int, int] = MappingProxyType({})
"""The first plane along every axis."""
_SCANS = 5
"""The axis along which cubes without CTYPE have their scans: behind two of space, wavelength and polarisation."""


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
    tiled: TiledImage | None = None
    """Where the pixels come from, if they are compressed in tiles."""


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis along which an image has several planes; ``number`` as in NAXISn."""

    number: int
    length: int
    name: str = ""

    @property
    def is_time(self) -> bool:
        """Whether its planes follow each other in time."""
        if self.name:
            return self.name.partition("-")[0].partition("(")[0].strip().upper() in TIMES
        return self.number == _SCANS


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
    leading: tuple[Axis, ...] = ()

    @property
    def size(self) -> int:
        """The bytes of one plane."""
        return self.width * self.height * abs(self.bitpix) // 8

    def part(self, read: ReadAt, row: int, left: int, right: int) -> Pixels:
        """Return some pixels of a row of the first plane."""
        dtype = np.dtype(_DTYPES[self.bitpix])
        size = (right - left) * dtype.itemsize
        data = read(self.offset + (row * self.width + left) * dtype.itemsize, size)
        if len(data) < size:
            raise TruncatedFile(f"The image in HDU {self.index} ends inside row {row}; copy the file again")
        return np.frombuffer(data, dtype)

    def plane(self, read: ReadAt, at: Mapping[int, int] = FIRST) -> Plane:
        """Return a plane as strips of rows: the first one along each axis that ``at`` has no index of."""
        dtype = np.dtype(_DTYPES[self.bitpix])
        offset, step = self.offset, self.size
        for axis in self.leading:
            offset += _index(axis, at) * step
            step *= axis.length

        def rows(first: int, last: int) -> Pixels:
            size = (last - first) * self.width * dtype.itemsize
            data = read(offset + first * self.width * dtype.itemsize, size)
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
    leading: tuple[Axis, ...] = ()

    def plane(self, read: ReadAt, at: Mapping[int, int] = FIRST) -> Plane:
        """Return a plane as strips of rows: the first one along each axis that ``at`` has no index of."""
        x, y = extended(self.axes)[:2]
        indices = [0] * len(self.axes)
        for axis in self.leading:
            indices[axis.number - 1] = _index(axis, at)
        tiled = TiledImage(self.hdu, self.header, self.axes, read, (x, y), indices)
        width, height = self.axes[x], self.axes[y]
        return Plane(width=width, height=height, row_bytes=width * 4, rows=tiled.rows, tiled=tiled)


def first_image(layout: Layout, values: Iterable[Mapping[str, Value]]) -> PlainImage | PackedImage | None:
    """Return the first image of two or more axes; nothing if there is none. ``values`` are those of the headers.

    Axes of one pixel do not count: an image one pixel wide or high is a spectrum. Nor do tiles that cannot be
    decoded safely.
    """
    for hdu, header, found in zip(layout.hdus, layout.headers, values, strict=True):
        if (image := image_of(hdu, header, found)) is not None:
            return image
    return None


def image_of(hdu: Hdu, header: bytes, values: Mapping[str, Value]) -> PlainImage | PackedImage | None:
    """Return the image that an HDU is, if it is one whose pixels can be read safely."""
    found = raster_of(hdu, values)
    if found is None or not found.is_decodable:
        return None
    return _packed(hdu, header, values, found.axes) if found.compression else _plain(hdu, values, found.axes)


def time_axis(image: PlainImage | PackedImage) -> Axis | None:
    """Return the axis of an image along which its planes follow each other in time; nothing without one."""
    found = [axis for axis in image.leading if axis.is_time]
    return found[-1] if found else None


def first_plane(layout: Layout, read: ReadAt, at: Mapping[int, int] = FIRST) -> Plane | None:
    """Return a plane of the first image of two or more axes; nothing if there is none.

    It is the first one along each axis, but for those of which ``at`` has an index, by their numbers.
    """
    found = first_image(layout, map(read_values, layout.headers))
    return found.plane(read, at) if found else None


def _index(axis: Axis, at: Mapping[int, int]) -> int:
    index = at.get(axis.number, 0)
    if not 0 <= index < axis.length:
        raise IndexError(f"Axis {axis.number} has {axis.length} planes, and none is number {index}.")
    return index


def _leading(values: Mapping[str, Value], axes: Sequence[int]) -> tuple[Axis, ...]:
    numbers = [place + 1 for place in extended(axes)[2:]]
    return tuple(Axis(n, axes[n - 1], str(values.get(f"CTYPE{n}") or "")) for n in numbers)


def _number(value: Value, default: float) -> float:
    return float(value) if isinstance(value, int | float) else default


def _packed(hdu: Hdu, header: bytes, values: Mapping[str, Value], axes: Sequence[int]) -> PackedImage:
    return PackedImage(hdu, header, tuple(axes), _leading(values, axes))


def _plain(hdu: Hdu, values: Mapping[str, Value], axes: Sequence[int]) -> PlainImage:
    x, y = extended(axes)[:2]
    return PlainImage(
        index=hdu.index,
        offset=hdu.data_offset,
        bitpix=int(_number(values["BITPIX"], 0)),
        width=axes[x],
        height=axes[y],
        scale=_number(values.get("BSCALE"), 1.0),
        zero=_number(values.get("BZERO"), 0.0),
        blank=integer(values.get("BLANK")),
        leading=_leading(values, axes),
    )
