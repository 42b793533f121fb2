"""Which HDUs of a file are images of two or more axes, by headers alone, and what is told of values: no arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from armillary.fits.models import Hdu, Layout, Value

SAFE = ("RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "NOCOMPRESS")
"""Compressions that are decoded. The decoders of HCOMPRESS_1 and PLIO_1 that astropy calls write out of bounds
when tiles are damaged, which ends the process."""


SIDE = 256
"""Pixels of a side of the tiles that viewers are given; those at the far edges hold what is left."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many values of a sample are in each of equal bins between two values."""

    low: float
    high: float
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the values of an image are like.

    The least, the greatest and the number of undefined values are those of all pixels; percentiles (by
    `statistics.PERCENTS`), zscale, and the histogram between the first and the last percentile are of
    ``sample`` values.
    """

    low: float
    high: float
    undefined: int
    sample: int
    percentiles: tuple[float, ...]
    zscale: tuple[float, float]
    histogram: Histogram


@dataclass(frozen=True, slots=True)
class Raster:
    """An image of a file: ``axes`` are the lengths of all its axes, ``shown`` the places of the two of its planes.

    ``compression`` names that of its tiles, if it is tile-compressed.
    """

    hdu: Hdu
    axes: tuple[int, ...]
    shown: tuple[int, int]
    compression: str = ""

    @property
    def width(self) -> int:
        """The pixels of a row."""
        return self.axes[self.shown[0]]

    @property
    def height(self) -> int:
        """The number of rows."""
        return self.axes[self.shown[1]]

    @property
    def planes(self) -> int:
        """How many planes there are; 1 but for cubes."""
        return prod(self.axes) // (self.width * self.height)

    @property
    def is_decodable(self) -> bool:
        """Whether its pixels can be read safely."""
        return not self.compression or self.compression in SAFE


def rasters(layout: Layout, values: Iterable[Mapping[str, Value]]) -> Iterator[Raster]:
    """Yield the images of two or more axes of a file; ``values`` are those of its headers.

    Axes of one pixel do not count: an image one pixel wide or high is a spectrum.
    """
    for hdu, found in zip(layout.hdus, values, strict=True):
        if (raster := raster_of(hdu, found)) is not None:
            yield raster


def raster_of(hdu: Hdu, values: Mapping[str, Value]) -> Raster | None:
    """Return the image that an HDU is, if it is one."""
    tiled = hdu.kind == "BINTABLE" and values.get("ZIMAGE") is True
    if not hdu.data_size or not (tiled or hdu.kind in ("PRIMARY", "IMAGE")):
        return None
    axes = axes_of(values, "ZNAXIS" if tiled else "NAXIS")
    places = extended(axes)
    if len(places) < 2 or min(axes) <= 0:
        return None
    compression = str(values.get("ZCMPTYPE") or "?") if tiled else ""
    return Raster(hdu, tuple(axes), (places[0], places[1]), compression)


def coarsest(width: int, height: int) -> int:
    """Return the level at which an image is a single tile; each has half the pixels a side of the one before."""
    return ((max(width, height) - 1) // SIDE).bit_length()


def tiles_at(level: int, width: int, height: int) -> tuple[int, int]:
    """Return how many columns and rows of tiles an image has at a level."""
    side = SIDE << level
    return -(-width // side), -(-height // side)


def axes_of(values: Mapping[str, Value], keyword: str) -> list[int]:
    """Return the lengths of the axes that NAXIS or ZNAXIS tells of; 0 where a header does not say."""
    count = integer(values.get(keyword)) or 0
    return [integer(values.get(f"{keyword}{n}")) or 0 for n in range(1, count + 1)]


def extended(axes: Sequence[int]) -> list[int]:
    """Return the places of the axes that have more than one pixel."""
    return [place for place, length in enumerate(axes) if length > 1]


def integer(value: Value) -> int | None:
    """Return a value if it is a whole number."""
    return value if type(value) is int else None
