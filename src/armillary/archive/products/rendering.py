"""TIFF pictures and plain copies of images, made in a child process, which loads no more than this needs."""

from __future__ import annotations

import bz2
import io
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.archive.products.drawing import read_at
from armillary.fits.containers import Container, open_logical

LINEAR, ARCSINH = "linear", "arcsinh"
WHITE = 65_535


@dataclass(frozen=True, slots=True)
class Source:
    """An opened file: its container, whether its image is tile-compressed, and how large it may be unpacked."""

    container: Container
    packed: bool
    size: int
    max_unpacked: int


def tiffs(fd: int, source: Source) -> dict[str, bytes]:
    """Return TIFF pictures of the first image by their stretch, compressed with bzip2; nothing without one."""
    with _opened(fd, source) as hdus:
        image = _image_of(hdus, packed=source.packed)
        if image is None:
            return {}
        plane = _plane(image.data)
        return {LINEAR: _tiff(plane), ARCSINH: _tiff(arcsinh(plane))}


def unpacked(fd: int, source: Source) -> bytes:
    """Return a plain FITS file of one HDU with the tile-compressed image; nothing without one."""
    from astropy.io import fits

    with _opened(fd, source, scaled=False) as hdus:
        image = _image_of(hdus, packed=True)
        if image is None:
            return b""
        made = io.BytesIO()
        header = image.header
        for keyword in ("XTENSION", "PCOUNT", "GCOUNT", "EXTNAME"):
            header.remove(keyword, ignore_missing=True)
        plain = fits.PrimaryHDU(image.data, header, do_not_scale_image_data=True)
        plain.writeto(made, output_verify="silentfix+ignore", checksum=True)
    return made.getvalue()


def _opened(fd: int, source: Source, *, scaled: bool = True) -> Any:
    from astropy.io import fits

    read = open_logical(partial(read_at, fd), source.container, limit=source.max_unpacked)
    content = io.BytesIO(read(0, source.size))
    return fits.open(content, do_not_scale_image_data=not scaled, ignore_missing_simple=True)


def _image_of(hdus: Any, *, packed: bool) -> Any:
    """Return the first HDU with an image, from the one behind the first on in a packed file."""
    images = (hdu for hdu in hdus[1 if packed else 0 :] if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2)
    return next((hdu for hdu in images if hdu.data is not None and hdu.data.size), None)


def _plane(data: NDArray[Any]) -> NDArray[Any]:
    while data.ndim > 2:
        data = data[0]
    return np.ascontiguousarray(data, dtype=data.dtype.newbyteorder("="))


def arcsinh(plane: NDArray[Any]) -> NDArray[np.uint16]:
    """Return an image stretched by the inverse hyperbolic sine to 0 ... 65535.

    The least finite value becomes 0 and the greatest 65535; NaN and minus infinity are 0, infinity is 65535. An
    image without two different values is black.
    """
    small = plane.dtype.itemsize <= 2 or plane.dtype == np.float32
    values = np.arcsinh(plane.astype(np.float32 if small else np.float64))
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(plane.shape, np.uint16)
    values -= values[finite].min()
    top = values[finite].max()
    if top == 0:
        return np.zeros(plane.shape, np.uint16)
    stretched = values * (WHITE / top)
    stretched[np.isposinf(stretched)] = WHITE
    stretched[~np.isfinite(stretched)] = 0
    whole: NDArray[np.uint16] = np.clip(stretched, 0, WHITE).astype(np.uint16)
    return whole


def _tiff(plane: NDArray[Any]) -> bytes:
    from tifffile import imwrite

    made = io.BytesIO()
    imwrite(made, plane, photometric="minisblack", metadata=None)
    return bz2.compress(made.getvalue())
