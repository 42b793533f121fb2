"""Positions on the sky of a grid of pixels, computed in a child: there headers of strangers meet wcslib."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from armillary.archive.products.tiles.models import SkyGrid

GRIDS = (9, 17, 33, 65)
"""Positions along a side, tried one after the other until those between them are right."""
GOOD_PX = 0.05
Floats = npt.NDArray[np.float64]


def sky_of(header: bytes, axes: tuple[int, ...], shown: tuple[int, int]) -> SkyGrid | None:
    """Return where the sky is in an image; None if its header does not tell, or tells of something else.

    ``shown`` are the places of the two axes of the image among its ``axes``.
    """
    with warnings.catch_warnings():
        # What is unusual about a header is for those who look after headers.
        warnings.simplefilter("ignore")
        try:
            wcs = _celestial(header, shown)
            return None if wcs is None else _grid(wcs, axes, shown)
        except MemoryError:
            raise
        except Exception:
            # wcslib and astropy fail in many ways, and an image without positions is still one to look at.
            return None


def _celestial(header: bytes, shown: tuple[int, int]) -> Any:
    from astropy.io import fits
    from astropy.wcs import WCS

    wcs = WCS(fits.Header.fromstring(header))
    if not wcs.has_celestial or {wcs.wcs.lng, wcs.wcs.lat} != {*shown}:
        return None
    return wcs if wcs.wcs.lngtyp in ("RA", "GLON") else None


def _grid(wcs: Any, axes: tuple[int, ...], shown: tuple[int, int]) -> SkyGrid | None:
    width, height = (axes[place] for place in shown)
    for count in GRIDS:
        x, y = np.linspace(0.5, width + 0.5, count), np.linspace(0.5, height + 0.5, count)
        corners = _vectors(wcs, x, y, shown)
        error = _error(wcs, corners, x, y, shown)
        if error < GOOD_PX:
            break
    if not np.isfinite(corners).any():
        return None
    ra, dec = _degrees(corners)
    return SkyGrid(
        _frame(wcs), x.tolist(), y.tolist(), _told(ra), _told(dec), error if np.isfinite(error) else 0.0
    )


def _frame(wcs: Any) -> str:
    return "ICRS" if wcs.wcs.lngtyp == "GLON" else str(wcs.wcs.radesys or "ICRS").strip()


def _vectors(wcs: Any, x: Floats, y: Floats, shown: tuple[int, int]) -> Floats:
    """Return the unit vectors of a grid of pixels."""
    pixels = np.ones((len(y), len(x), wcs.naxis))
    pixels[..., shown[0]], pixels[..., shown[1]] = x[None, :], y[:, None]
    world = wcs.all_pix2world(pixels.reshape(-1, wcs.naxis), 1)
    longitude, latitude = np.radians(world[:, wcs.wcs.lng]), np.radians(world[:, wcs.wcs.lat])
    if wcs.wcs.lngtyp == "GLON":
        from astropy.coordinates import SkyCoord

        icrs = SkyCoord(longitude, latitude, unit="rad", frame="galactic").icrs
        longitude, latitude = icrs.ra.rad, icrs.dec.rad
    flat = np.cos(latitude)
    vectors = np.stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)], axis=-1)
    return vectors.reshape(len(y), len(x), 3)


def _error(wcs: Any, corners: Floats, x: Floats, y: Floats, shown: tuple[int, int]) -> float:
    """Return by how many pixels the interpolated middle of a cell is off; infinity if nobody knows."""
    middle = _vectors(wcs, (x[1:] + x[:-1]) / 2, (y[1:] + y[:-1]) / 2, shown)
    guess = corners[1:, 1:] + corners[1:, :-1] + corners[:-1, 1:] + corners[:-1, :-1]
    guess /= np.linalg.norm(guess, axis=-1, keepdims=True)
    along = np.linalg.norm(corners[:-1, 1:] - corners[:-1, :-1], axis=-1) / (x[1] - x[0])
    up = np.linalg.norm(corners[1:, :-1] - corners[:-1, :-1], axis=-1) / (y[1] - y[0])
    errors = np.linalg.norm(guess - middle, axis=-1) / np.minimum(along, up)
    known = errors[np.isfinite(errors)]
    return float(known.max()) if known.size else float("inf")


def _degrees(vectors: Floats) -> tuple[Floats, Floats]:
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arctan2(z, np.hypot(x, y)))


def _told(degrees: Floats) -> list[list[float | None]]:
    # Nine digits are 4 microarcseconds.
    return [[round(one, 9) if np.isfinite(one) else None for one in row] for row in degrees.tolist()]
