"""The words of tiles: which images of a file have them, what is known of an image, and a tile as it is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from armillary.fits.containers import Container
from armillary.fits.header import read_values
from armillary.fits.models import Layout
from armillary.fits.rasters import SIDE, Raster, rasters

UNDEFINED = 65_535
"""What stands for no value in a tile of means."""
LONG = 64 * SIDE
"""Pixels of a side of an image of few rows or columns that is seen in too many tiles at its full size."""
UNPACKED = 8 << 20
"""Bytes of a .bz2 or .gz file, unpacked, up to which it is unpacked anew for every tile."""


@dataclass(frozen=True, slots=True)
class TileImage:
    """An image of a file: its tiles exist at the levels from ``finest`` to ``coarsest``.

    At level 0 the image has its full size, at every further one half the pixels a side, rounded up. Of an image
    with more than one of ``planes``, the first is shown. ``ready`` is false as long as the tiles are being
    prepared, or if there can be none; ``reason`` tells.
    """

    hdu: int
    name: str
    extver: int
    width: int
    height: int
    planes: int
    finest: int
    coarsest: int
    ready: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class TileIndex:
    """The images of a file; ``pending`` as long as tiles of some are being prepared.

    ``data`` is a word for their pixels, which no edit of a header changes.
    """

    name: str
    data: str
    tile_px: int
    ready: bool
    pending: bool
    reason: str | None
    images: Sequence[TileImage]


@dataclass(frozen=True, slots=True)
class SkyGrid:
    """Where the sky is in an image: positions of a grid of pixels, right ascension and declination in degrees.

    ``x`` and ``y`` are pixels as FITS counts them: the centre of the first one is at 1. Between them, interpolate
    the unit vectors of four positions; that is off by up to ``error_px`` pixels. A position is null where there is
    no sky.
    """

    frame: str
    x: Sequence[float]
    y: Sequence[float]
    ra: Sequence[Sequence[float | None]]
    dec: Sequence[Sequence[float | None]]
    error_px: float


@dataclass(frozen=True, slots=True)
class TiledSubject:
    """A stored file of which tiles are made: images of more pixels than ``most``, or all of an unpacked file.

    The full size of an image is among the tiles where the whole file has to be unpacked for it, and it has no more
    bytes than ``whole``.
    """

    layout: Layout
    container: Container
    max_unpacked: int
    most: int
    whole: int

    def wanted(self) -> Iterator[Raster]:
        """Yield the images whose tiles are made ahead; those of others are cut when somebody asks."""
        found = rasters(self.layout, map(read_values, self.layout.headers))
        yield from (raster for raster in found if self.wants(raster))

    def wants(self, raster: Raster) -> bool:
        """Tell whether tiles of an image are made ahead."""
        large = raster.width * raster.height > self.most or max(raster.width, raster.height) > LONG
        return raster.is_decodable and (large or unpacks_slowly(self.layout.size, self.container))


def unpacks_slowly(size: int, container: Container) -> bool:
    """Tell whether a file of so many bytes takes too long to unpack while somebody waits for a tile."""
    return container is not Container.PLAIN and size > UNPACKED
