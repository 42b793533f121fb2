"""From pixels and cards to files in the containers that archives hold; equal input gives equal bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt
from astropy.io import fits

from armillary.fits.cards import body_of, format_card
from armillary.fits.checksum import ones_sum, update_checksum
from armillary.fits.models import BLOCK, CARD
from armillary.fits.scan import scan

CardTuple = tuple[str, bool | int | float | str | None, str]
Cards = Sequence[CardTuple]


def primary(cards: Cards, data: npt.NDArray[Any] | None = None) -> Any:
    """Return a primary HDU."""
    return fits.PrimaryHDU(data, header=_header(cards))


def image_extension(cards: Cards, data: npt.NDArray[Any]) -> Any:
    """Return an image extension."""
    return fits.ImageHDU(data, header=_header(cards))


def plain_bytes(hdus: Sequence[Any], *, checksum_date: str = "") -> bytes:
    """Return the bytes of a FITS file; with a date, every HDU gets DATASUM and CHECKSUM."""
    buffer = io.BytesIO()
    file = fits.HDUList(list(hdus))
    # Before any sum is taken: this adds EXTEND to the primary header.
    file.update_extend()
    if checksum_date:
        for hdu in file:
            hdu.add_checksum(when=checksum_date)
    file.writeto(buffer)
    return buffer.getvalue()


def tile_compressed_bytes(cards: Cards, data: npt.NDArray[Any], *, checksum_date: str) -> bytes:
    """Return a file as ``fpack`` makes it: an empty primary HDU, then the Rice-compressed one."""
    buffer = io.BytesIO()
    compressed = fits.CompImageHDU(data, header=_header(cards), compression_type="RICE_1")
    fits.HDUList([fits.PrimaryHDU(), compressed]).writeto(buffer)
    whole = buffer.getvalue()
    layout = scan(lambda offset, size: whole[offset : offset + size], len(whole))
    table = whole[layout.hdus[1].data_offset : layout.hdus[1].end]
    header = _sealed(_as_primary(layout.headers[1]), table, checksum_date)
    return _sealed(layout.headers[0], b"", checksum_date) + header + table


def _as_primary(header: bytes) -> bytes:
    """Say that the compressed image was a primary one; astropy writes images as extensions."""
    return header.replace(
        format_card("ZTENSION", "IMAGE", "Image extension"),
        format_card("ZSIMPLE", True, "file does conform to FITS standard"),
    )


def _sealed(header: bytes, data: bytes, date: str) -> bytes:
    """Append CHECKSUM and DATASUM, with a date of our own so that the bytes stay the same."""
    body = body_of(header).rstrip(b" ")
    body += b" " * (-len(body) % CARD)
    body += format_card("CHECKSUM", "0" * 16, f"HDU checksum updated {date}")
    body += format_card("DATASUM", str(ones_sum(data)), f"data unit checksum updated {date}")
    body += b"END".ljust(CARD)
    return update_checksum(body + b" " * (-len(body) % BLOCK))


def write(path: Path, data: bytes) -> Path:
    """Write a file, compressed as its name says, and return its path; nobody ever sees a part of it."""
    match path.suffix:
        case ".bz2":
            data = bz2.compress(data, 9)
        case ".gz":
            data = gzip.compress(data, 4, mtime=0)
    partial = path.with_name(f".{path.name}.part")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return partial.rename(path)


def _header(cards: Cards) -> Any:
    header = fits.Header()
    for keyword, value, comment in cards:
        if keyword in ("HISTORY", "COMMENT"):
            header.add_history(value) if keyword == "HISTORY" else header.add_comment(value)
        else:
            header.append(fits.Card(keyword, value, comment), end=True)
    return header
