"""Where the pixels of a cube are: the table of coordinates that SOLARNET files have."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.archive.cubes.reading import CubeFile, text_of

TABLE = "WCS-TAB"
ARCSEC = {"": 1.0, "ARCSEC": 1.0, "DEG": 3600.0, "ARCMIN": 60.0, "RAD": math.degrees(1.0) * 3600.0}
NANOMETRES = {"": 1.0, "NM": 1.0, "M": 1e9, "UM": 1e3, "PM": 1e-3, "ANGSTROM": 0.1}

LEFT_OUT: Sequence[tuple[str, ...]] = ((), ("TIME",), ("WAVE",), ("TIME", "WAVE"))
"""Axes that a table of one time, or of one wavelength, need not have."""


@dataclass(frozen=True, slots=True)
class Coordinates:
    """Coordinates of the corners by name.

    ``values`` has the axes that vary in the reversed order of ``varying``, and behind them the coordinates in the
    order of ``names``.
    """

    names: Sequence[str]
    varying: Sequence[str]
    values: NDArray[Any]

    def has(self, name: str) -> bool:
        """Tell whether a coordinate is in the table."""
        return name in self.names

    def all(self, name: str) -> NDArray[np.float64]:
        """Return a coordinate everywhere."""
        return np.asarray(self.values[..., self.names.index(name)], np.float64)

    def along(self, name: str) -> NDArray[np.float64]:
        """Return a coordinate along its own axis, in the first pixel of all others."""
        place = [slice(None) if axis == name else 0 for axis in reversed(self.varying)]
        return np.atleast_1d(self.all(name)[tuple(place)])

    def corners(self) -> NDArray[np.float64]:
        """Return the places of the four corners, around the field, at the first wavelength and time."""
        place = [slice(None) if axis in ("HPLN", "HPLT") else 0 for axis in reversed(self.varying)]
        x, y = self.all("HPLN")[tuple(place)], self.all("HPLT")[tuple(place)]
        if x.ndim != 2:
            return np.stack([x.reshape(-1), y.reshape(-1)], 1)
        around = ((0, 0), (0, -1), (-1, -1), (-1, 0))
        return np.array([[x[corner], y[corner]] for corner in around])


def coordinates_of(cube: CubeFile) -> Coordinates | None:
    """Return the coordinates of WCS-TAB; None without that table.

    Raises
    ------
    TableUnreadable
        If the bytes of the table cannot be read.
    ValueError
        If it holds something else than its column is named for.
    """
    table = cube.table(TABLE)
    if table is None:
        return None
    column = table.first()
    names = [_canonical(word) for word in column.name.split("+")]
    values = cube.cell(table, column)
    if values.dtype.kind not in "iuf" or not values.size:
        raise ValueError(f"{TABLE} holds no numbers")
    if values.shape[-1] != len(names):
        raise ValueError(
            f"the first axis of {TABLE} has {values.shape[-1]} coordinates, its column '{column.name}' names"
            f" {len(names)}; correct TDIM1 or TTYPE1"
        )
    return Coordinates(names, _varying(cube, names, values.shape[-2::-1]), values)


def _canonical(word: str) -> str:
    name = word.strip().upper()
    return "TIME" if name == "UTC" else name


def _varying(cube: CubeFile, names: Sequence[str], lengths: Sequence[int]) -> list[str]:
    """Return along which coordinates the table varies: that of time, or of wavelength, may be left out."""
    options = [[name for name in names if name not in gone] for gone in LEFT_OUT]
    options = [one for one in options if len(one) == len(lengths)]
    if not options:
        raise ValueError(f"{TABLE} has {len(lengths)} axes for {'+'.join(names)}; correct TDIM1")
    fitting = (one for one in options if _fits(cube, one, lengths))
    return next(fitting, options[0])


def _fits(cube: CubeFile, names: Sequence[str], lengths: Sequence[int]) -> bool:
    """Tell whether a table has as many wavelengths and times as the image."""
    pairs = zip(names, lengths, strict=True)
    return all(name in ("HPLN", "HPLT") or length == cube.axis_length(name) for name, length in pairs)


def unit_of(cube: CubeFile, name: str, factors: Mapping[str, float]) -> float:
    """Return by what values along an axis are to be multiplied; without CUNIT by 1.

    Raises
    ------
    ValueError
        If the unit is unknown.
    """
    names = cube.axis_names()
    return factor_of(cube, f"CUNIT{names.index(name) + 1}", factors) if name in names else 1.0


def factor_of(cube: CubeFile, keyword: str, factors: Mapping[str, float]) -> float:
    """Return the factor of the unit that a keyword of the primary header names, 1 if there is none.

    Raises
    ------
    ValueError
        If the unit is unknown.
    """
    said = text_of(cube.primary, keyword)
    if (factor := factors.get(said.upper())) is None:
        raise ValueError(f"{keyword} = '{said}' is no unit that is known here; correct it")
    return factor
