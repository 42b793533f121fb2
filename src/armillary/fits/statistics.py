"""What the values of an image are like, as its viewers need to know to choose black and white."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, sqrt

import numpy as np
import numpy.typing as npt

from armillary.fits.rasters import Histogram, Statistics
from armillary.fits.zscale import zscale

PERCENTS = (0.5, 1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0, 99.5)
BINS = 64
_MOST = 1 << 20
"""Values of a sample."""

Floats = npt.NDArray[np.floating]


@dataclass(slots=True)
class Survey:
    """Values of an image as they come by, strip by strip from the bottom."""

    width: int
    height: int
    low: float = np.inf
    high: float = -np.inf
    undefined: int = 0
    sample: list[Floats] = field(default_factory=list)

    def see(self, values: Floats, first: int) -> None:
        """Look at the rows from a number on; NaN is no value."""
        step = max(1, ceil(sqrt(self.width * self.height / _MOST)))
        # Another column at every strip, or else a sample may miss or repeat what the detector does to columns.
        self.sample.append(values[-first % step :: step, first * 7 // step % step :: step].ravel())
        least, most = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isnan(values.sum(dtype=np.float64)):
                self.undefined += int(np.isnan(values).sum())
        if np.isfinite(least):
            self.low, self.high = min(self.low, float(least)), max(self.high, float(most))

    def _limits(self, sample: Floats) -> tuple[float, float]:
        with np.errstate(over="ignore", invalid="ignore"):
            black, white = zscale(sample)
        # Near the ends of floating point there is no slope to reckon with.
        return (black, white) if np.isfinite(white - black) else (self.low, self.high)

    def found(self) -> Statistics | None:
        """Return the statistics; None if there is no value."""
        if not np.isfinite(self.low):
            return None
        sample = np.concatenate(self.sample).astype(np.float64)
        sample = sample[np.isfinite(sample)]
        if not sample.size:
            sample = np.array([self.low, self.high])
        percentiles = tuple(map(float, np.percentile(sample, PERCENTS)))
        return Statistics(
            low=self.low,
            high=self.high,
            undefined=self.undefined,
            sample=sample.size,
            percentiles=percentiles,
            zscale=self._limits(sample),
            histogram=_histogram(sample, percentiles[0], percentiles[-1]),
        )


def _histogram(sample: Floats, low: float, high: float) -> Histogram:
    if not np.isfinite(high - low):
        return Histogram(low, high, ())
    counts, _ = np.histogram(sample, BINS, (low, high))
    return Histogram(low, high, tuple(map(int, counts)))
