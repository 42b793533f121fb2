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
    sample = values.take(_places(values.size, count)).astype(np.float64, copy=False)
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
    least, width = max(5, int(count * _LEAST_GOOD)), max(1, int(count * _GROW))
    x, ones = _ranks(count)
    good: Good = slice(0, count)
    kept, slope = count, 0.0
    before = count + 1
    for _ in range(_MAX_ITERATIONS):
        if kept >= before or kept < least:
            break
        before = kept
        if isinstance(good, slice):
            slope, near = _fit_run(x[good], sample[good], ones[good])
            good, kept = agreeing_in_run(near.tobytes(), good.start, count, width)
        else:
            slope, near = _fit(x, sample, good, kept)
            good, kept = agreeing(near, width)
    return slope if kept >= least else None


@lru_cache(maxsize=64)
def _ranks(count: int) -> tuple[Floats, Floats]:
    """Return the places of so many sorted values, counted from the middle, and as many ones.

    A product with ones is a sum, in a quarter of the time.
    """
    return np.arange(count, dtype=np.float64) - (count - 1) / 2, np.ones(count)


def _fit_run(x: Floats, y: Floats, ones: Floats) -> tuple[float, Bools]:
    """Return the slope of the line through a run of good values, and which of them are near it."""
    count = len(x)
    # The sums over a run of ranks are known.
    middle, spread = float(x[0] + x[-1]) / 2, count * (count * count - 1) / 12
    mean = float(ones @ y) / count
    slope = (float(x @ y) - middle * mean * count) / spread
    return slope, _near(x * -slope, y, mean - slope * middle)


def _fit(x: Floats, y: Floats, good: Bools, count: int) -> tuple[float, Bools]:
    """Return the slope of the line through the good values, and which of all are good and near it."""
    chosen_x, chosen_y = x[good], y[good]
    middle, mean = float(chosen_x.sum()) / count, float(chosen_y.sum()) / count
    spread = float(chosen_x @ chosen_x) - middle * middle * count
    slope = (float(chosen_x @ chosen_y) - middle * mean * count) / spread
    near = np.zeros(len(y), np.bool_)
    near[good] = _near(chosen_x * -slope, chosen_y, mean - slope * middle)
    return slope, near


def _near(residuals: Floats, y: Floats, level: float) -> Bools:
    """Return which values are near the line; ``residuals`` is what the slope takes away, and is used up."""
    residuals += y
    residuals -= level
    limit = _REJECT_SIGMA * math.sqrt(float(residuals @ residuals) / len(y))
    return np.abs(residuals, out=residuals) <= limit


def agreeing_in_run(near: bytes, start: int, count: int, width: int) -> tuple[Good, int]:
    """Return which values are good, and how many: those near the line, but for the neighbours of others.

    ``near`` has a byte for each value of the run that begins at ``start``, and what lies beyond it is bad. The
    values are sorted, and so the good ones nearly always are a run of neighbours again, chosen without a copy.
    """
    first, stop = near.find(1), near.rfind(1) + 1
    if not stop:
        return slice(start, start), 0
    # One that is bad takes so many with it before and behind it.
    ahead, behind = (width - 1) // 2, width // 2
    low = first + behind if start + first else first
    high = stop - ahead if start + stop < count else stop
    # Bad ones that are so close to the ends that nothing good is left between them only move these.
    left, right = near.find(0, first, stop), near.rfind(0, first, stop)
    while left >= 0 and left - ahead <= low:
        low, left = max(low, left + behind + 1), near.find(0, left + 1, stop)
    while right >= left >= 0 and right + behind + 1 >= high:
        high, right = min(high, right - ahead), near.rfind(0, first, right)
    if left < 0 or right < left:
        return slice(start + low, start + high), max(0, high - low)
    whole = np.zeros(count, np.bool_)
    whole[start : start + len(near)] = np.frombuffer(near, np.bool_)
    return agreeing(whole, width)


def agreeing(near: Bools, width: int) -> tuple[Good, int]:
    """Return the same of any values."""
    spread = np.convolve(~near, np.ones(width, dtype=np.int8), mode="same") == 0
    first, stop = int(spread.argmax()), len(spread) - int(spread[::-1].argmax())
    # What lay between bad ones that are close to each other is bad as well, and then they are a run again.
    if spread[first:stop].all():
        return slice(first, stop), stop - first
    return spread, int(np.count_nonzero(spread))
