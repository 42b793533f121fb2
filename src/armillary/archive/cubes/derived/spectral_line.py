"""The profile of the spectral line that a cube scans: how bright the field is at each wavelength."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from armillary.archive.cubes.derived.coordinates import NANOMETRES, TABLE, coordinates_of, unit_of
from armillary.archive.cubes.reading import CubeFile, numbers
from armillary.fits.errors import TableUnreadable

MEDIANS = "VAR-EXT-DATAMEDN"
USED = (MEDIANS, TABLE)
VERSION = 3
SCALE = 1e8
WIDTH, HEIGHT, MARGIN = 160, 80, 6


def spectral_line_of(cube: CubeFile) -> dict[str, Any] | None:
    """Return the profile; None if an extension is missing, or with a warning if it cannot be read."""
    if cube.index(MEDIANS) is None or cube.index(TABLE) is None:
        return None
    try:
        wavelengths, amplitudes = _wavelengths(cube), _amplitudes(cube)
    except (TableUnreadable, ValueError) as error:
        cube.warnings.append(f"No spectral line: {error}")
        return None
    if len(wavelengths) != len(amplitudes):
        cube.warnings.append(
            f"{TABLE} has {len(wavelengths)} wavelengths, {MEDIANS} {len(amplitudes)}: the shorter list counts"
        )
    count = min(len(wavelengths), len(amplitudes))
    if odd := sum(one is None for one in (*wavelengths[:count], *amplitudes[:count])):
        cube.warnings.append(f"The spectral line has {odd} undefined values")
    return {
        "version": VERSION,
        "data": {"wavelengths": wavelengths[:count], "amplitude_values": amplitudes[:count]},
    }


def _wavelengths(cube: CubeFile) -> list[float | None]:
    """Return the wavelengths (nm) of the first scan in the corner."""
    found = coordinates_of(cube)
    if found is None or not found.has("WAVE"):
        raise ValueError(f"{TABLE} has no coordinate WAVE")
    factor = unit_of(cube, "WAVE", NANOMETRES)
    values = found.along("WAVE")
    return numbers(values if factor == 1.0 else values * factor)


def _amplitudes(cube: CubeFile) -> list[float | None]:
    """Return the medians of Stokes I, the mean of all scans where they are defined."""
    cell = cube.first_cell(MEDIANS)
    if cell is None or cell.dtype.kind not in "iuf":
        raise ValueError(f"{MEDIANS} holds no numbers that can be read")
    medians = cube.spread(MEDIANS, cell.astype(np.float64))[:, 0, :, 0, 0]
    medians = np.where(np.isfinite(medians), medians, np.nan)
    with warnings.catch_warnings():
        # A wavelength that is undefined in all scans is undefined.
        warnings.simplefilter("ignore", RuntimeWarning)
        return numbers(np.nanmean(medians, axis=0) * SCALE)


def picture_of(profile: dict[str, Any]) -> str | None:
    """Return a profile as a small SVG; None if fewer than two points are known."""
    data = profile["data"]
    points = [
        (x, y)
        for x, y in zip(data["wavelengths"], data["amplitude_values"], strict=True)
        if x is not None and y is not None
    ]
    if len(points) < 2:
        return None
    xs = _within([x for x, _ in points], MARGIN, WIDTH - MARGIN)
    ys = _within([y for _, y in points], HEIGHT - MARGIN, MARGIN)
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in sorted(zip(xs, ys, strict=True)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}"'
        f' viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<polyline fill="none" stroke="currentColor" stroke-width="1.5" points="{line}"/></svg>\n'
    )


def _within(values: Sequence[float], first: float, last: float) -> list[float]:
    """Return values stretched so that the smallest is at ``first`` and the largest at ``last``."""
    low, span = min(values), max(values) - min(values)
    return [first + (last - first) * ((one - low) / span if span else 0.5) for one in values]
