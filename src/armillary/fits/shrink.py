"""Make an image small by the mean of N x N cells, strip by strip."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from armillary.fits.planes import Plane
from armillary.fits.tiles import Pixels

Floats = npt.NDArray[np.float64]

# Measured: larger strips fall out of the second-level cache once widened to 32 bits.
_STRIP_BYTES = 1 << 19
_INT32_CELLS = 1 << 15
_WORTH_A_SLICE = 256


def shrink(plane: Plane, cell: int) -> Floats:
    """Return the means of cells of ``cell`` x ``cell`` pixels, in physical values.

    Undefined pixels (NaN, infinite, BLANK) do not count; a cell without any other is NaN. The cells at the
    far edges hold the pixels that are left.
    """
    strip = max(1, _STRIP_BYTES // (plane.row_bytes * cell)) * cell
    # Filled strip by strip: joining them in the end would take the whole once more.
    small = np.empty((-(-plane.height // cell), -(-plane.width // cell)))
    for at in range(0, plane.height, strip):
        means = _cell_means(plane.rows(at, min(at + strip, plane.height)), cell, plane.blank)
        part = small[at // cell : at // cell + len(means)]
        np.multiply(means, plane.scale, out=part)
        if plane.zero:
            part += plane.zero
    return small


def _cell_means(rows: Pixels, cell: int, blank: int | None) -> Floats:
    if cell == 1:
        return _values(rows, blank)
    values = rows.astype(_sum_type(rows.dtype, cell))
    undefined = values == blank if blank is not None else None
    if undefined is None or not undefined.any():
        with np.errstate(invalid="ignore", over="ignore"):
            sums = _cell_sums(values, cell)
        if bool(np.isfinite(sums).all()):
            return sums / _cell_counts(rows.shape, cell)
        undefined = ~np.isfinite(values)
    values[undefined] = 0
    counts = _cell_sums((~undefined).astype(np.int32), cell)
    with np.errstate(invalid="ignore", over="ignore"):
        means: Floats = _cell_sums(values, cell) / np.where(counts, counts, np.nan)
    return means


def _values(rows: Pixels, blank: int | None) -> Floats:
    """Return pixels that are not reduced."""
    values = rows.astype(np.float64)
    if blank is not None:
        values[rows == blank] = np.nan
    elif rows.dtype.kind == "f":
        values[~np.isfinite(values)] = np.nan
    return values


def _sum_type(dtype: np.dtype[np.generic], cell: int) -> type[np.generic]:
    """Return a type that holds the sum of a cell; the narrowest is the fastest."""
    if dtype.kind in "iub" and dtype.itemsize <= 2 and cell * cell <= _INT32_CELLS:
        return np.int32
    return np.int64 if dtype.kind in "iub" and dtype.itemsize <= 4 else np.float64


def _cell_sums(values: Pixels, cell: int) -> Pixels:
    return _sums(_sums(values, cell).T, cell).T


def _sums(values: Pixels, cell: int) -> Pixels:
    """Return the sums of every ``cell`` rows."""
    if values.size < cell * _WORTH_A_SLICE:
        # Of an image two pixels wide and a billion high, slices would be a billion of two.
        return np.add.reduceat(values, np.arange(0, len(values), cell), axis=0, dtype=values.dtype)
    # Adding every N-th row as whole slices is ten times as fast as summing over reshaped axes.
    sums = values[::cell].copy(order="K")
    for offset in range(1, min(cell, len(values))):
        more = values[offset::cell]
        sums[: len(more)] += more
    return sums


def _cell_counts(shape: tuple[int, ...], cell: int) -> npt.NDArray[np.int64]:
    tall, wide = (np.minimum(cell, length - np.arange(0, length, cell)) for length in shape)
    return tall[:, None] * wide[None, :]
