"""Cubes of the Sun, opened as the archive opens them."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from armillary.archive.cubes.derived.derivation import Derived, DerivedKind, derive
from armillary.archive.cubes.reading import CubeFile
from armillary.demo.solar import SolarCube, write_cube
from armillary.fits.models import Layout
from armillary.fits.scan import scan
from armillary.fits.series import HeaderValues, SeriesReader


@dataclass(slots=True)
class Opened:
    """A file in memory; ``asked`` are the offsets and sizes that were read of it."""

    content: bytes
    layout: Layout
    values: HeaderValues
    asked: list[tuple[int, int]]

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes at an offset."""
        self.asked.append((offset, size))
        return self.content[offset : offset + size]

    def cube(self) -> CubeFile:
        """Return it as the readers of cubes take it."""
        return CubeFile(self.read, self.layout, self.values.headers)

    def derived(self) -> dict[DerivedKind, Derived]:
        """Return what is derived of it, by kind."""
        return {one.kind: one for one in derive(self.read, self.layout, self.values)}

    def json(self, kind: DerivedKind) -> Any:
        """Return a derived value, read again."""
        return json.loads(self.derived()[kind].content or b"null")

    def astropy(self) -> Any:
        """Return it as an independent reader has it."""
        return fits.open(io.BytesIO(self.content))


def opened(content: bytes) -> Opened:
    """Return a file of some bytes."""
    layout = scan(lambda offset, size: content[offset : offset + size], len(content))
    return Opened(content, layout, SeriesReader().read(layout.headers), [])


def a_solar(directory: Path, **what: Any) -> Opened:
    """Return a small cube."""
    cube = SolarCube(**{"width": 16, "height": 12, "wavelengths": 3, **what})
    return opened(write_cube(directory, cube).read_bytes())


def changed(directory: Path, edit: Any, **what: Any) -> Opened:
    """Return a small cube that a function has changed as an HDU list of astropy."""
    one, buffer = a_solar(directory, **what), io.BytesIO()
    with one.astropy() as file:
        edit(file)
        file.writeto(buffer, output_verify="ignore")
    return opened(buffer.getvalue())


def epoch_ms(text: str) -> int:
    """Return the milliseconds of an instant in UTC by another way than the program's."""
    return round(np.datetime64(text, "us").astype("int64") / 1000)


def table_of(names: str, values: Any, dim: str, form: str = "D") -> Any:
    """Return a function that puts another table of coordinates into a file."""

    def edit(file: Any) -> None:
        cell = np.asarray(values, "f8")
        column = fits.Column(names, f"{cell.size}{form}", dim=dim, array=cell[None])
        file[1] = fits.BinTableHDU.from_columns([column], name="WCS-TAB")

    return edit


def grid(*lengths: int) -> Any:
    """Return numbered coordinates."""
    return np.arange(float(np.prod(lengths))).reshape(lengths)
