"""Square pieces of images for viewers: pixels as they are stored, or means of cells as numbers of 16 bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from armillary.fits.models import ReadAt
from armillary.fits.planes import PackedImage, PlainImage, Plane
from armillary.fits.rasters import SIDE
from armillary.fits.tiles import Pixels

UNDEFINED = 65_535
"""What stands for no value in a tile of means."""
STEPS = UNDEFINED - 1
_NOISE_STEPS = 16
"""Values closer than this part of the noise are the same in a tile of means: what is finer is noise."""
_WIRE = {
    "u1": "uint8",
    "i2": "int16",
    "u2": "uint16",
    "i4": "int32",
    "f4": "float32",
    "f8": "float64",
}
_ONE_READ = 1 << 12
"""Bytes of a row up to which whole rows are read, and the tile is cut from these: calls cost more than bytes."""


Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Tile:
    """A piece of an image: rows of little-endian numbers, the first at the bottom.

    A value is ``zero + scale * number``; a number that is ``blank``, or no number, is no value.
    """

    kind: str
    width: int
    height: int
    content: bytes
    scale: float = 1.0
    zero: float = 0.0
    blank: int | None = None


def cut(image: PlainImage | PackedImage, read: ReadAt, columns: range, row: int) -> list[Tile]:
    """Return tiles side by side of the first plane of an image at its full size, and read no more than they take.

    Raises
    ------
    TruncatedFile, DamagedImage
        If its pixels are not there.
    """
    plane = image.plane(read)
    left, first = columns.start * SIDE, row * SIDE
    right, last = min(columns.stop * SIDE, plane.width), min(first + SIDE, plane.height)
    if plane.tiled is not None:
        pixels = plane.tiled.part(first, last, left, right)
    elif plane.row_bytes <= _ONE_READ or not isinstance(image, PlainImage):
        pixels = plane.rows(first, last)[:, left:right]
    else:
        pixels = np.stack([image.part(read, at, left, right) for at in range(first, last)])
    return [tile_of(pixels[:, at : at + SIDE], plane) for at in range(0, right - left, SIDE)]


def tile_of(pixels: Pixels, plane: Plane) -> Tile:
    """Return stored pixels of an image as a tile, without loss but for whole numbers of 64 bits."""
    blank, scale, zero = plane.blank, plane.scale, plane.zero
    kind = f"{pixels.dtype.kind}{pixels.dtype.itemsize}"
    if kind not in _WIRE:
        values = pixels.astype(np.float64)
        if blank is not None:
            values[pixels == blank] = np.nan
        pixels, kind, blank = values, "f8", None
    content = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).tobytes()
    height, width = pixels.shape
    return Tile(_WIRE[kind], width, height, content, scale, zero, blank)


def values_of(pixels: Pixels, plane: Plane) -> Floats:
    """Return the values of stored pixels; what is undefined or infinite is NaN."""
    wide = pixels.dtype.itemsize > 2 and pixels.dtype != np.float32 and pixels.dtype != np.dtype(">f4")
    values: Floats = pixels.astype(np.float64 if wide else np.float32)
    undefined = pixels == plane.blank if plane.blank is not None else None
    if plane.scale != 1.0:
        values *= plane.scale
    if plane.zero != 0.0:
        values += plane.zero
    if undefined is None and pixels.dtype.kind == "f":
        undefined = ~np.isfinite(values)
    if undefined is not None and undefined.any():
        values[undefined] = np.nan
    return values


def halved(values: Floats) -> Floats:
    """Return the means of cells of 2 x 2 values, of those that are left at far edges; NaN does not count."""
    height, width = values.shape
    if height % 2 or width % 2:
        values = np.pad(values, ((0, height % 2), (0, width % 2)), constant_values=np.nan)
    pairs = values[:, 0::2], values[:, 1::2]
    with np.errstate(invalid="ignore", over="ignore"):
        rows = pairs[0] + pairs[1]
        means: Floats = (rows[0::2] + rows[1::2]) * values.dtype.type(0.25)
        holes = np.flatnonzero(~np.isfinite(means))
    if holes.size:
        # Only the cells with holes are looked at again: there are few of them in most images.
        _fill(means, values, holes)
    return means


def _fill(means: Floats, values: Floats, holes: npt.NDArray[np.intp]) -> None:
    y, x = np.unravel_index(holes, means.shape)
    cells = np.stack([values[2 * y + down, 2 * x + along] for down in (0, 1) for along in (0, 1)])
    known = np.isfinite(cells)
    counts = known.sum(axis=0)
    with np.errstate(invalid="ignore", over="ignore"):
        # By their share: the sum of four values at the upper end of floating point would be infinite.
        shares = np.where(known, cells, 0) / np.maximum(counts, 1)
        found = np.where(counts > 0, shares.sum(axis=0), np.nan)
    means[y, x] = found


def quantised(values: Floats) -> Tile | None:
    """Return means as whole numbers of 16 bits in steps of a small part of the noise; None without a value."""
    height, width = values.shape
    finite = np.isfinite(values)
    if not finite.any():
        return None
    whole = bool(finite.all())
    known = values if whole else values[finite]
    low, high = float(known.min()), float(known.max())
    step = max(high / STEPS - low / STEPS, _noise(values) / _NOISE_STEPS)
    if not step or not np.isfinite(step):
        step = 1.0
    with np.errstate(invalid="ignore", over="ignore"):
        numbers = (values.astype(np.float64) - low) / step + 0.5
        if not whole:
            numbers[~finite] = UNDEFINED
        content = np.minimum(numbers, UNDEFINED).astype("<u2").tobytes()
    return Tile("uint16", width, height, content, step, low, UNDEFINED)


def _noise(values: Floats) -> float:
    """Return the scatter of pixels, judged by the differences of neighbours."""
    part = values[::4].astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        steps = np.abs(part[:, 1:] - part[:, :-1])
    steps = steps[np.isfinite(steps)]
    return float(np.median(steps)) * 1.0483 if steps.size else 0.0
