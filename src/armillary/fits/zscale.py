"""The limits between which an image shows its sky: the zscale algorithm of IRAF."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Good = slice | Bools
"""Which of the values count: a run of them, or any."""

_SAMPLES = 1000
_CONTRAST = 0.25
_REJECT_SIGMA = 2.5
_MAX_ITERATIONS = 5
_LEAST_GOOD = 0.5
_GROW = 0.01


def zscale(image: npt.NDArray[np.floating]) -> tuple[float, float]:
    """Return the values to show as black and as white.

    A straight line is fitted to the sorted values of a sample, outliers being rejected; its slope at the
    median, divided by the contrast, spans the range (IRAF, help page of images.tv.display, "ZSCALE
    ALGORITHM"). Values that are not finite do not count; an image without any gives (0, 0).
    """
    flat = image.reshape(-1)
    finite = np.isfinite(flat)
    values = flat if finite.all() else flat[finite]
    if not values.size:
        return 0.0, 0.0
    count = min(_SAMPLES, values.size)
    sample = values[_places(values.size, count)].astype(np.float64)
    sample.sort()
    low, high = float(sample[0]), float(sample[-1])
    median, center = float(sample[count // 2] / 2 + sample[(count - 1) // 2] / 2), (count - 1) // 2
    slope = _slope(sample - median)
    if slope is None:
        return low, high
    slope /= _CONTRAST
    return max(low, median - (center - 1) * slope), min(high, median + (count - center) * slope)


@lru_cache(maxsize=64)
def _places(size: int, count: int) -> npt.NDArray[np.intp]:
    """Return where in so many values the sample is: most images of a night have one size."""
    return np.linspace(0, size - 1, count).astype(np.intp)


def _slope(sample: Floats) -> float | None:
    """Return the slope of the line through the sorted sample; nothing if too few values agree with it."""
    count = len(sample)
    least = max(5, int(count * _LEAST_GOOD))
    x = _ranks(count)
    good: Good = slice(0, count)
    kept, slope = count, 0.0
    before = count + 1
    for _ in range(_MAX_ITERATIONS):
        if kept >= before or kept < least:
            break
        before = kept
        slope, near = _fit(x, sample, good, kept)
        good, kept = _agreeing(near)
    return slope if kept >= least else None


@lru_cache(maxsize=64)
def _ranks(count: int) -> Floats:
    """Return the places of so many sorted values, counted from the middle."""
    return np.arange(count, dtype=np.float64) - (count - 1) / 2


def _fit(x: Floats, y: Floats, good: Good, count: int) -> tuple[float, Bools]:
    """Return the slope of the line through the good values, and which of them are near it."""
    chosen_x, chosen_y = x[good], y[good]
    if isinstance(good, slice):
        # The sums over a run of ranks are known.
        middle, spread = float(chosen_x[0] + chosen_x[-1]) / 2, count * (count * count - 1) / 12
    else:
        middle = float(chosen_x.sum()) / count
        spread = float(chosen_x @ chosen_x) - middle * middle * count
    mean = float(chosen_y.sum()) / count
    slope = (float(chosen_x @ chosen_y) - middle * mean * count) / spread
    residuals = chosen_x * -slope
    residuals += chosen_y
    residuals -= mean - slope * middle
    limit = _REJECT_SIGMA * math.sqrt(float(residuals @ residuals) / count)
    near = np.zeros(len(y), np.bool_)
    near[good] = np.abs(residuals, out=residuals) <= limit
    return slope, near


def _agreeing(near: Bools) -> tuple[Good, int]:
    """Return which values are good, and how many: those near the line, but for the neighbours of others.

    The values are sorted, and so the good ones nearly always are a run of neighbours, which is chosen without a
    copy.
    """
    count, width = len(near), max(1, int(len(near) * _GROW))
    first, stop = _ends(near)
    if near[first:stop].all():
        first, stop = first and first + width // 2, stop if stop == count else stop - (width - 1) // 2
        return slice(first, stop), max(0, stop - first)
    spread = np.convolve(~near, np.ones(width, dtype=np.int8), mode="same") == 0
    first, stop = _ends(spread)
    # What lay between bad ones that are close to each other is bad as well, and then they are a run again.
    if spread[first:stop].all():
        return slice(first, stop), stop - first
    return spread, int(np.count_nonzero(spread))


def _ends(good: Bools) -> tuple[int, int]:
    """Return where the first and the last good value are, and all if there are none."""
    return int(good.argmax()), len(good) - int(good[::-1].argmax())
