"""The limits between which an image shows its sky: the zscale algorithm of IRAF."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

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
    grown = np.ones(max(1, int(count * _GROW)), dtype=np.int8)
    x = np.arange(count, dtype=np.float64) - (count - 1) / 2
    good, slope = np.ones(count, dtype=np.bool_), 0.0
    before = count + 1
    for _ in range(_MAX_ITERATIONS):
        kept = int(np.count_nonzero(good))
        if kept >= before or kept < least:
            break
        before = kept
        slope, residuals, sigma = _fit(x, sample, good.astype(np.float64), kept)
        bad = np.abs(residuals) > _REJECT_SIGMA * sigma
        bad |= ~good
        good = np.convolve(bad, grown, mode="same") == 0
    return slope if int(np.count_nonzero(good)) >= least else None


def _fit(x: Floats, y: Floats, weights: Floats, count: int) -> tuple[float, Floats, float]:
    """Return the slope of the line through the values of weight 1, the residuals of all, and the scatter of those.

    Products with weights instead of a choice of values: an image takes five fits, and choices cost most of them.
    """
    dx, dy = x - float(weights @ x) / count, y - float(weights @ y) / count
    chosen = weights * dx
    slope = float(chosen @ dy) / float(chosen @ dx)
    residuals = dy - slope * dx
    return slope, residuals, math.sqrt(float(weights @ (residuals * residuals)) / count)
