"""Positions and cones as integers of one space-filling curve, so that an ordinary b-tree serves the sky.

A position is the nested HEALPix index of order 29 (about 0.4 milliarcseconds). A cone is a short list of
half-open ranges of such indices that covers it with a margin; the exact test comes afterwards.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import math
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

LIBRARY = "cdshealpix"
ORDER = 29
PIXELS = 12 << (2 * ORDER)
"""How many pixels of order 29 there are; every index is below it and fits a signed 64-bit integer."""

_CELLS = 32
_MARGIN_RAD = 1e-9

Floats = npt.NDArray[np.float64]


@functools.cache
def _native() -> Any:
    """Return the extension module itself: the public wrapper wants quantities, which cost 50 times the work.

    It is loaded without its package, which brings astropy.coordinates: one second of every command that edits.
    """
    name = f"{LIBRARY}.{LIBRARY}"
    if (module := sys.modules.get(name)) is not None:
        return module
    package = importlib.util.find_spec(LIBRARY)
    places = package.submodule_search_locations if package else None
    spec = importlib.machinery.PathFinder.find_spec(name, places)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named {name!r}; install {LIBRARY} again.", name=name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # An extension is loaded once in a process: whoever imports the package finds this one.
    sys.modules[name] = module
    return module


def healpix_index(ra_deg: float, dec_deg: float) -> int:
    """Return the order-29 nested index of one ICRS position in degrees.

    A call costs about 80 microseconds whatever the number of positions, since the library starts its threads
    each time; use ``healpix_indices`` for a batch.
    """
    return int(healpix_indices(np.array([ra_deg]), np.array([dec_deg]))[0])


def healpix_indices(ra_deg: Floats, dec_deg: Floats) -> npt.NDArray[np.int64]:
    """Return the order-29 nested indices of positions in degrees, one per element.

    Raises
    ------
    ValueError
        If a declination lies beyond a pole or a value is not finite.
    """
    ra, dec = np.asarray(ra_deg, dtype=float), np.asarray(dec_deg, dtype=float)
    if not (np.isfinite(ra).all() and (np.abs(dec) <= 90).all()):
        raise ValueError("right ascension must be finite and declination within -90..90 degrees")
    lon, lat = np.radians(np.mod(ra, 360.0)), np.radians(dec)
    indices = np.empty(lon.shape, dtype=np.uint64)
    scratch = np.empty(lon.shape), np.empty(lon.shape)
    _native().lonlat_to_healpix(
        np.full(lon.shape, ORDER, np.uint8), lon, lat, indices, *scratch, np.uint16(1)
    )
    return indices.astype(np.int64)


def cone_ranges(ra_deg: float, dec_deg: float, radius_deg: float) -> list[tuple[int, int]]:
    """Return sorted, disjoint ranges ``[low, high)`` of order-29 indices that cover a cone.

    Nothing inside the cone is missed; some positions just outside are included. The order of the cells
    follows the radius, so that a cone of any size costs about as many ranges (tens at most).

    Raises
    ------
    ValueError
        If the radius is negative or a coordinate is out of range.
    """
    if not (radius_deg >= 0 and math.isfinite(ra_deg) and -90 <= dec_deg <= 90):
        raise ValueError("a cone needs a finite centre and a radius of zero or more degrees")
    radius = math.radians(radius_deg) + _MARGIN_RAD
    if radius >= math.pi / 2:
        # The cells that the library returns for more than a hemisphere leave gaps.
        return [(0, PIXELS)]
    cells = _cells(math.radians(ra_deg % 360.0), math.radians(dec_deg), radius)
    return _merge(cells)


def _cells(lon: float, lat: float, radius: float) -> Iterable[tuple[int, int]]:
    args: tuple[Any, ...] = (np.uint8(cone_order(radius)), np.uint8(2), lon, lat, radius, False)
    indices, orders, _ = _native().cone_search(*args)
    shifts = 2 * (ORDER - orders.astype(np.int64))
    lows = indices.astype(np.int64) << shifts
    return zip(lows.tolist(), (lows + (np.int64(1) << shifts)).tolist(), strict=True)


def cone_order(radius_rad: float) -> int:
    """Return the order at which a cone of that radius covers about 32 cells."""
    area = 4 * math.pi * math.sin(min(radius_rad, math.pi) / 2) ** 2
    cells_of_sky = _CELLS * 4 * math.pi / area
    return max(0, min(ORDER - 2, math.floor(math.log2(cells_of_sky / 12) / 2)))


def _merge(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(high, merged[-1][1])
        else:
            merged.append((low, high))
    return merged
