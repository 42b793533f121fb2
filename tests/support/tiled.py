"""Images that are large for tests, and what an independent reader makes of their tiles."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from armillary.archive.products.service import ServedTile

Array = npt.NDArray[Any]
DTYPES = {
    "uint8": "u1",
    "int16": "<i2",
    "uint16": "<u2",
    "int32": "<i4",
    "float32": "<f4",
    "float64": "<f8",
}


def noise(height: int, width: int, dtype: str = "f4", *, seed: int = 1) -> Array:
    """Return a sky with a bright star."""
    values = np.random.default_rng(seed).normal(1000, 20, (height, width))
    values[height // 3 : height // 3 + 5, width // 4 : width // 4 + 5] += 15_000
    return values.astype(dtype)


def a_file(*hdus: Any) -> bytes:
    """Return HDUs as a file, behind an empty one if the first is an extension."""
    out = io.BytesIO()
    first = hdus[0]
    primary = [] if isinstance(first, fits.PrimaryHDU) else [fits.PrimaryHDU()]
    fits.HDUList([*primary, *hdus]).writeto(out)
    return out.getvalue()


def sky_header(
    width: int, height: int, *, field_deg: float = 1.0, ra: float = 150.0, dec: float = 20.0
) -> Any:
    """Return the header of a rotated gnomonic image of so many degrees."""
    header = fits.Header()
    scale, turned = field_deg / width, np.radians(30.0)
    cards = {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CRPIX1": width / 2 + 0.5,
        "CRPIX2": height / 2 + 0.5,
        "CRVAL1": ra,
        "CRVAL2": dec,
        "CD1_1": -scale * np.cos(turned),
        "CD1_2": scale * np.sin(turned),
        "CD2_1": scale * np.sin(turned),
        "CD2_2": scale * np.cos(turned),
    }
    header.update(cards)
    return header


def decoded(
    content: bytes, kind: str, width: int, height: int, *, scale: float, zero: float, blank: Any
) -> Array:
    """Return the values of a tile that was sent, NaN where there is none."""
    numbers = np.frombuffer(content, DTYPES[kind]).reshape(height, width)
    values = numbers * scale + zero
    return np.where(numbers == blank, np.nan, values) if blank is not None else values


def values_of(tile: ServedTile, content: bytes) -> Array:
    """Return the values of a tile, given its bytes when they are not compressed."""
    return decoded(
        content, tile.kind, tile.width, tile.height, scale=tile.scale, zero=tile.zero, blank=tile.blank
    )


def means(values: Array, cell: int) -> Array:
    """Return the means of whole cells, of those that are defined."""
    height, width = (side // cell * cell for side in values.shape)
    cells = values[:height, :width].astype("f8").reshape(height // cell, cell, width // cell, cell)
    counts = np.isfinite(cells).sum(axis=(1, 3))
    return np.where(counts, np.nansum(cells, axis=(1, 3)) / np.maximum(counts, 1), np.nan)
