"""Cubes as files: plane by plane, so that the memory does not grow with the cube."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from armillary.demo.solar.cube import SolarCube
from armillary.demo.solar.extensions import Medians, extensions
from armillary.demo.solar.headers import UNDEFINED, primary_cards
from armillary.demo.solar.surface import UNIT, Surface
from armillary.fits.cards import format_card
from armillary.fits.checksum import ones_add, ones_sum, update_checksum
from armillary.fits.models import BLOCK, CARD

MEDIAN_PIXELS = 1 << 18
"""The median of a larger plane is that of every second, third, ... pixel."""


def write_cube(directory: Path, cube: SolarCube, *, name: str | None = None) -> Path:
    """Write a cube into a directory, which is made if it is not there, and return its path.

    Nobody ever sees a part of the file under its name, which is that of the cube unless another one is given.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / (name or cube.name)
    partial = path.with_name(f".{path.name}.part")
    with partial.open("w+b") as file:
        medians = _write_image(file, cube)
        for _, cards, data in extensions(cube, medians):
            file.write(_sealed(cards, ones_sum(data), cube.made))
            file.write(data + b"\0" * (-len(data) % BLOCK))
        file.flush()
        os.fsync(file.fileno())
    return partial.rename(path)


def _write_image(file: BinaryIO, cube: SolarCube) -> Medians:
    """Write the primary HDU; return the medians of its planes."""
    cards = primary_cards(cube)
    # The sum is known behind the data only, and does not change the size of the header.
    file.write(_sealed(cards, 0, cube.made))
    medians = np.zeros((len(cube.scans), cube.stokes, cube.wavelengths))
    total, odd = 0, b""
    for place, plane in Surface(cube).planes():
        stored = odd + _stored(plane, cube)
        even = len(stored) - len(stored) % 4
        total = ones_add(total, ones_sum(stored[:even]))
        file.write(stored[len(odd) :])
        odd = stored[even:]
        medians[place] = _median(plane)
    file.write(b"\0" * (-cube.data_bytes % BLOCK))
    file.seek(0)
    file.write(_sealed(cards, ones_add(total, ones_sum(odd)), cube.made))
    file.seek(0, os.SEEK_END)
    return medians


def _stored(plane: NDArray[np.int16], cube: SolarCube) -> bytes:
    """Return the bytes of a plane."""
    real = cube.bitpix < 0
    pixels = (plane * np.float32(UNIT)).astype(">f4") if real else plane.astype(">i2")
    if cube.border:
        edge, inner = cube.border, pixels[cube.border : -cube.border, cube.border : -cube.border]
        pixels = np.pad(inner, edge, constant_values=np.nan if real else UNDEFINED)
    return pixels.tobytes()


def _median(plane: NDArray[np.int16]) -> float:
    step = plane.size // MEDIAN_PIXELS + 1
    return float(np.median(plane.reshape(-1)[::step])) * UNIT


def _sealed(cards: Sequence[bytes], datasum: int, date: str) -> bytes:
    """Return a header, with checksums if there is a date for them."""
    body = b"".join(cards)
    if date:
        body += format_card("CHECKSUM", "0" * 16, f"HDU checksum updated {date}")
        body += format_card("DATASUM", str(datasum), f"data unit checksum updated {date}")
    body += b"END".ljust(CARD)
    return update_checksum(body + b" " * (-len(body) % BLOCK))
