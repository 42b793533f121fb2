"""What kind of file a name means: FITS unless its ending says otherwise."""

from __future__ import annotations

import re
from types import MappingProxyType

FITS_TYPE = "application/fits"
FITS_NAME = re.compile(r".+\.(fits|fit|fts)(\.fz)?(\.bz2|\.gz)?", re.IGNORECASE | re.DOTALL)
"""What files are called that are found in directories."""
MEDIA = MappingProxyType(
    {
        "jpg": "image/jpeg",
        "jpeg": "image/jpeg",
        "png": "image/png",
        "tif": "image/tiff",
        "tiff": "image/tiff",
        "mov": "video/quicktime",
        "mp4": "video/mp4",
        "txt": "text/plain; charset=utf-8",
        "token": "text/plain; charset=utf-8",
        "csv": "text/csv; charset=utf-8",
        "json": "application/json",
        "yaml": "application/yaml",
    }
)
"""Media types by ending. Types that a browser would run scripts of are not among them."""

MEDIA_TYPES = (FITS_TYPE, *dict.fromkeys(one.partition(";")[0] for one in MEDIA.values()))
"""Every type without its parameters."""


def media_type(filename: str) -> str:
    """Return the media type of what a file of that name holds, unpacked."""
    return MEDIA.get(filename.rpartition(".")[2].lower(), FITS_TYPE)


def is_fits(filename: str) -> bool:
    """Tell whether a file of that name is to be read as FITS, so that anything else in it is an error."""
    return media_type(filename) == FITS_TYPE
