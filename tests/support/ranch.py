"""What sites of Photon Ranch send: names, headers as text, pictures, FITS files."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from astropy.io import fits
from PIL import Image

BASE = "saf-sq003ms-20261130-00000012"
HEADER: dict[str, Any] = {
    "EXPTIME": 30.0,
    "FILTER": "w",
    "DATE-OBS": "2026-11-30T02:03:04.567",
    "CRVAL1": 150.25,
    "CRVAL2": -12.5,
    "ALTITUDE": 61.5,
    "AZIMUTH": 182.0,
    "AIRMASS": 1.138,
    "USERID": "auth0|1",
    "USERNAME": "O'Hara",
    "ORIGNAME": f"{BASE}-EX00.fits",
    "SITEID": "saf",
    "INSTRUME": "sq003ms",
    "DAY-OBS": "20261130",
    "SMARTSTK": "no",
}


def header_text(**more: Any) -> bytes:
    """Return a header as clients send it: cards of 80 characters without line breaks, up to END."""
    header = fits.Header()
    for keyword, value in (HEADER | more).items():
        header[keyword] = value
    return header.tostring(padding=False, sep="").encode()


def picture(width: int = 640, height: int = 480) -> bytes:
    """Return a JPEG."""
    made = io.BytesIO()
    grey = np.linspace(0, 255, width * height).reshape(height, width).astype(np.uint8)
    Image.fromarray(grey).save(made, "JPEG")
    return made.getvalue()


def fits_file(*, packed: bool = False, **more: Any) -> bytes:
    """Return a FITS file of 32 x 24 pixels, tile-compressed if wanted."""
    header = fits.Header([(key, value) for key, value in (HEADER | more).items()])
    data = np.arange(24 * 32, dtype=np.int16).reshape(24, 32)
    if packed:
        hdus = fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data, header)])
    else:
        hdus = fits.HDUList([fits.PrimaryHDU(data, header)])
    made = io.BytesIO()
    hdus.writeto(made)
    return made.getvalue()
