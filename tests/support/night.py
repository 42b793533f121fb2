"""Small files as an observatory writes them, in every container."""

from __future__ import annotations

import bz2
import gzip
import io
from pathlib import Path

import numpy as np
from astropy.io import fits

from armillary.fits.models import Value
from tests.support.frames import a_header


def gemini_file(*, kb: int = 2, extensions: int = 1, checksum: bool = False, **cards: Value) -> bytes:
    """Return a file of GMOS with noise of some kilobytes in each extension; ``_`` in a name is a hyphen."""
    rng = np.random.default_rng(kb)
    primary = fits.PrimaryHDU()
    for keyword, value in a_header(**cards).items():
        primary.header[keyword] = value
    hdus: list[object] = [primary]
    for number in range(1, extensions + 1):
        pixels = rng.normal(1000, 30, (kb, 512)).astype("i2")
        hdus.append(fits.ImageHDU(pixels, name="SCI", ver=number))
    written = io.BytesIO()
    fits.HDUList(hdus).writeto(written, checksum=checksum)
    return written.getvalue()


def write_as(path: Path, content: bytes) -> Path:
    """Write FITS bytes in the container that the name says."""
    match path.suffix:
        case ".bz2":
            content = bz2.compress(content)
        case ".gz":
            content = gzip.compress(content, mtime=0)
    path.write_bytes(content)
    return path
