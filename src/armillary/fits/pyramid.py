"""An image at every size down to a single tile, made strip by strip: in memory are a few rows of tiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from armillary.fits.planes import Plane
from armillary.fits.rasters import SIDE, Statistics, coarsest
from armillary.fits.statistics import Survey
from armillary.fits.tiles import Pixels
from armillary.fits.tilings import Tile, halved, quantised, tile_of, values_of

Keep = Callable[[int, int, int, Tile | None], None]
"""Takes level, column, row and tile; None for one without any value."""
Floats = npt.NDArray[np.floating]


def build(plane: Plane, keep: Keep, *, whole: bool) -> Statistics | None:
    """Hand over the tiles of all levels of an image but its full size, and return its statistics.

    A pixel of a level is the mean of four of the one before; undefined ones do not count. With ``whole``, the full
    size is handed over, too.

    Raises
    ------
    TruncatedFile, DamagedImage
        If its pixels are not there.
    """
    survey = Survey(plane.width, plane.height)
    top = coarsest(plane.width, plane.height)
    above = _Level(1, top, keep) if top else None
    for row, first in enumerate(range(0, plane.height, SIDE)):
        pixels = plane.rows(first, min(first + SIDE, plane.height))
        values = values_of(pixels, plane)
        survey.see(values, first)
        if whole:
            _keep_whole(pixels, plane, row, keep)
        if above is not None:
            above.add(halved(values))
    if above is not None:
        above.end()
    return survey.found()


def _keep_whole(pixels: Pixels, plane: Plane, row: int, keep: Keep) -> None:
    for column, left in enumerate(range(0, plane.width, SIDE)):
        keep(0, column, row, tile_of(pixels[:, left : left + SIDE], plane))


@dataclass(slots=True)
class _Level:
    """A level, and those above it; rows wait until they are a row of tiles."""

    number: int
    top: int
    keep: Keep
    done: int = 0
    waiting: list[Floats] = field(default_factory=list)
    above: _Level | None = None

    def __post_init__(self) -> None:
        if self.number < self.top:
            self.above = _Level(self.number + 1, self.top, self.keep)

    def add(self, values: Floats) -> None:
        """Take the next rows: half a row of tiles, or what is left of the image."""
        self.waiting.append(values)
        if sum(map(len, self.waiting)) == SIDE:
            self._hand_over()

    def end(self) -> None:
        """Hand over what is left."""
        if self.waiting:
            self._hand_over()
        if self.above is not None:
            self.above.end()

    def _hand_over(self) -> None:
        values = np.concatenate(self.waiting) if len(self.waiting) > 1 else self.waiting[0]
        self.waiting.clear()
        for column, left in enumerate(range(0, values.shape[1], SIDE)):
            self.keep(self.number, column, self.done, quantised(values[:, left : left + SIDE]))
        self.done += 1
        if self.above is not None:
            self.above.add(halved(values))
