"""The limits between which an image shows its sky: the zscale algorithm of IRAF."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

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
    values = image[np.isfinite(image)]
    if not values.size:
        return 0.0, 0.0
    count = min(_SAMPLES, values.size)
    sample = np.sort(values[np.linspace(0, values.size - 1, count).astype(np.intp)].astype(np.float64))
    low, high = float(sample[0]), float(sample[-1])
    slope = _slope(sample)
    if slope is None:
        return low, high
    median, center = float(np.median(sample)), (count - 1) // 2
    slope /= _CONTRAST
    return max(low, median - (center - 1) * slope), min(high, median + (count - center) * slope)


def _slope(sample: Floats) -> float | None:
    """Return the slope of the line through the sorted sample; nothing if too few values agree with it."""
    count = len(sample)
    least = max(5, int(count * _LEAST_GOOD))
    grown = np.ones(max(1, int(count * _GROW)), dtype=np.int8)
    x = np.arange(count, dtype=np.float64)
    good, slope = np.ones(count, dtype=np.bool_), 0.0
    before = count + 1
    for _ in range(_MAX_ITERATIONS):
        kept = int(good.sum())
        if kept >= before or kept < least:
            break
        before = kept
        slope, residuals = _fit(x, sample, good)
        bad = ~good | (np.abs(residuals) > _REJECT_SIGMA * residuals[good].std())
        good = np.convolve(bad, grown, mode="same") == 0
    return slope if int(good.sum()) >= least else None


def _fit(x: Floats, y: Floats, good: Flags) -> tuple[float, Floats]:
    dx, dy = x - x[good].mean(), y - y[good].mean()
    slope = float((dx[good] * dy[good]).sum() / (dx[good] ** 2).sum())
    return slope, dy - slope * dx
