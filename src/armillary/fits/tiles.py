"""Tile-compressed images (FITS 4.0, section 10): the one place where astropy decodes them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from armillary.fits.container_errors import DamagedImage
from armillary.fits.header import read_values
from armillary.fits.models import BLOCK, Hdu, ReadAt, Value

Pixels = npt.NDArray[Any]

# The decoders of HCOMPRESS_1 and PLIO_1 that astropy calls write out of bounds when tiles are damaged, which
# ends the process.
_SAFE = ("RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "NOCOMPRESS")
_MIN_PRIMARY = [
    "SIMPLE  =                    T",
    "BITPIX  =                    8",
    "NAXIS   =                    0",
    "EXTEND  =                    T",
    "END",
]
_PIXEL_BYTES = {8: (1, 2, 4), 16: (2, 4), 32: (4,), -32: (4,), -64: (4,)}


def is_decodable(values: Mapping[str, Value]) -> bool:
    """Tell whether a table holds a tile-compressed image that can be decoded safely."""
    return values.get("ZIMAGE") is True and values.get("ZCMPTYPE") in _SAFE


def open_tiles(hdu: Hdu, header: bytes, axes: Sequence[int], read: ReadAt) -> Callable[[int, int], Pixels]:
    """Return a function that decodes the rows from one number to before another, scaled, blanks as NaN.

    The compressed tiles are held in memory; the pixels only as asked for.

    Raises
    ------
    DamagedImage
        If the parameters of the compression are impossible; from the function, if tiles are damaged.
    """
    # Only here: few files need it, and it is a tenth of the start of every command.
    from astropy.io import fits

    _check_parameters(read_values(header), axes, hdu.index)
    primary = "".join(card.ljust(80) for card in _MIN_PRIMARY).ljust(BLOCK).encode("ascii")
    data = read(hdu.data_offset, hdu.data_size).ljust(hdu.data_size, b"\0")
    opened = fits.open(io.BytesIO(primary + header + data))
    leading = (0,) * (len(axes) - 2)

    def rows(first: int, last: int) -> Pixels:
        with warnings.catch_warnings():
            # What astropy finds unusual about the header is no concern of a picture.
            warnings.simplefilter("ignore")
            try:
                return np.asarray(opened[1].section[(*leading, slice(first, last), slice(None))])
            except Exception as error:
                # Each decoder of tiles fails in its own way, with classes that astropy does not export.
                raise DamagedImage(
                    f"Rows {first} to {last} in HDU {hdu.index} cannot be decoded ({error}); restore a copy."
                ) from error

    return rows


def _check_parameters(values: Mapping[str, Value], axes: Sequence[int], index: int) -> None:
    """Refuse what the standard does not allow, because the Rice decoder believes it without a look."""
    named = {values.get(f"ZNAME{n}"): values.get(f"ZVAL{n}") for n in range(1, 10)}
    tiles = [values.get(f"ZTILE{n}", axis if n == 1 else 1) for n, axis in enumerate(axes, start=1)]
    sizes = all(type(tile) is int and 0 < tile <= axis for tile, axis in zip(tiles, axes, strict=True))
    bitpix = values.get("ZBITPIX")
    pixel_bytes = _PIXEL_BYTES.get(bitpix, ()) if type(bitpix) is int else ()
    rice = named.get("BLOCKSIZE", 32) in (16, 32) and named.get("BYTEPIX", 4) in pixel_bytes
    if not sizes or (not rice and str(values.get("ZCMPTYPE")).startswith("RICE")):
        raise DamagedImage(f"HDU {index} has impossible parameters of tile compression; restore a copy.")
