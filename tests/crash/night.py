"""What is besieged: small files in every container, in a private root and in an adopted tree."""

from __future__ import annotations

import bz2
import gzip
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from armillary.demo.writing import tile_compressed_bytes
from armillary.fits.scan import scan


def frame_bytes(seed: int, *, kilobytes: int = 40, extensions: int = 2) -> bytes:
    """Return a FITS file with checksums, its pixels and a card made of the seed."""
    chance = np.random.default_rng(seed)
    primary = fits.PrimaryHDU()
    primary.header["SOAK0"] = (-1, "set by orders")
    primary.header["SEED"] = seed
    hdus: list[object] = [primary]
    for number in range(1, extensions + 1):
        pixels = chance.integers(0, 500, (kilobytes, 512), dtype="i2")
        hdus.append(fits.ImageHDU(pixels, name="SCI", ver=number))
    written = io.BytesIO()
    fits.HDUList(hdus).writeto(written, checksum=True)
    return written.getvalue()


def _tiled(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 500, (64, 64), dtype="i2")
    cards = [("SOAK0", -1, "set by orders"), ("SEED", seed, "")]
    return tile_compressed_bytes(cards, pixels, checksum_date="2026-01-01T00:00:00")


@dataclass(frozen=True)
class Night:
    """The directories that are taken in, and the content of every file, uncompressed, by logical name."""

    private: Path
    adopted: Path
    contents: dict[str, bytes]


def make_night(directory: Path) -> Night:
    """Write the files."""
    private, adopted = directory / "private-root", directory / "adopted"
    contents: dict[str, bytes] = {}
    for place in (private, adopted):
        place.mkdir(parents=True)
    for number in range(4):
        contents[f"a{number}.fits"] = frame_bytes(number, kilobytes=20 if number else 1500)
        (private / f"a{number}.fits").write_bytes(contents[f"a{number}.fits"])
    for number in range(2):
        contents[f"b{number}.fits"] = frame_bytes(10 + number)
        (adopted / f"b{number}.fits").write_bytes(contents[f"b{number}.fits"])
    for number in range(3):
        contents[f"c{number}.fits"] = frame_bytes(20 + number, kilobytes=150)
        place = adopted if number else private
        (place / f"c{number}.fits.bz2").write_bytes(bz2.compress(contents[f"c{number}.fits"], 1))
    contents["d0.fits"] = frame_bytes(30)
    (private / "d0.fits.gz").write_bytes(gzip.compress(contents["d0.fits"], 4, mtime=1))
    contents["e0.fits.fz"] = _tiled(40)
    (private / "e0.fits.fz").write_bytes(contents["e0.fits.fz"])
    return Night(private, adopted, contents)


def unpacked(path: Path) -> bytes:
    """Return the uncompressed bytes of a file, read by the standard library."""
    data = path.read_bytes()
    if path.suffix == ".bz2":
        return bz2.decompress(data)
    return gzip.decompress(data) if path.suffix == ".gz" else data


def data_of(content: bytes) -> list[bytes]:
    """Return the data of every HDU."""
    layout = scan(lambda at, size: content[at : at + size], len(content))
    return [content[h.data_offset : h.data_offset + h.data_size] for h in layout.hdus]
