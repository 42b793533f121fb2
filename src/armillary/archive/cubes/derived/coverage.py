"""Which part of the solar disk a cube shows, when, and at which wavelengths.

Places are helioprojective (arcsec from the centre of the disk, west and north positive): they are no right
ascensions and declinations, and are kept apart from those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.archive.cubes.derived.coordinates import (
    ARCSEC,
    NANOMETRES,
    TABLE,
    Coordinates,
    coordinates_of,
    factor_of,
    unit_of,
)
from armillary.archive.cubes.reading import CubeFile, number_of, text_of
from armillary.fits.errors import TableUnreadable

USED = (TABLE,)
VERSION = 1
CENTRE = ("CRVAL1A", "CRVAL2A")
FROM_TABLE, FROM_CENTRE, FROM_PIXELS = "WCS-TAB", "WCS A", "pixel WCS"
_AXES = (("HPLN", 1), ("HPLT", 2))


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a cube covers; lengths in arcsec and nm.

    ``box`` is the smallest and largest x and y of all wavelengths and times: west, south, east, north in the order
    (x least, y least, x most, y most). ``polygon`` is the field at the beginning, one point if only its centre is
    known.
    """

    source: str
    box: tuple[float, float, float, float]
    polygon: tuple[tuple[float, float], ...]
    begin: datetime | None
    end: datetime | None
    wavelengths: tuple[float, float] | None

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        data = {
            "frame": "helioprojective",
            "unit": "arcsec",
            "source": self.source,
            "box": list(self.box),
            "polygon": [list(one) for one in self.polygon],
            "date_beg": _iso(self.begin),
            "date_end": _iso(self.end),
            "wavelength_min": self.wavelengths[0] if self.wavelengths else None,
            "wavelength_max": self.wavelengths[1] if self.wavelengths else None,
            "wavelength_unit": "nm",
        }
        return {"version": VERSION, "data": data}


def coverage_of(cube: CubeFile) -> Coverage | None:
    """Return what a cube covers; None, with a warning if anything tried to tell, if its place is unknown."""
    table = _table(cube)
    for place in (_from_table(cube, table), _from_centre(cube), _from_pixels(cube)):
        if place is not None:
            source, points, corners = place
            low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
            begin, end = _times(cube, table)
            return Coverage(
                source,
                (low[0], low[1], high[0], high[1]),
                tuple((x, y) for x, y in corners.tolist()),
                begin,
                end,
                _wavelengths(cube, table),
            )
    return None


Place = tuple[str, NDArray[np.float64], NDArray[np.float64]]
"""Where it is known from, all points, and the corners."""


def _table(cube: CubeFile) -> Coordinates | None:
    try:
        return coordinates_of(cube)
    except (TableUnreadable, ValueError) as error:
        cube.warnings.append(f"Coordinates: {error}")
        return None


def _from_table(cube: CubeFile, table: Coordinates | None) -> Place | None:
    if table is None or not (table.has("HPLN") and table.has("HPLT")):
        return None
    try:
        factors = np.array([unit_of(cube, name, ARCSEC) for name, _ in _AXES])
    except ValueError as error:
        cube.warnings.append(f"Coordinates: {error}")
        return None
    points = np.stack([table.all(name).reshape(-1) for name, _ in _AXES], 1) * factors
    points, corners = points[np.isfinite(points).all(axis=1)], table.corners() * factors
    if not points.size or not np.isfinite(corners).all():
        cube.warnings.append(f"{TABLE} does not define where the corners are")
        return None
    return FROM_TABLE, points, corners


def _from_centre(cube: CubeFile) -> Place | None:
    centre = [number_of(cube.primary, keyword) for keyword in CENTRE]
    if None in centre:
        return None
    kinds = [text_of(cube.primary, f"CTYPE{number}A").upper() for _, number in _AXES]
    if any(kind and not kind.startswith(name) for kind, (name, _) in zip(kinds, _AXES, strict=True)):
        cube.warnings.append(
            f"CTYPE1A and CTYPE2A are {' and '.join(kinds)}, not helioprojective coordinates"
        )
        return None
    try:
        factors = [factor_of(cube, f"CUNIT{number}A", ARCSEC) for _, number in _AXES]
    except ValueError as error:
        cube.warnings.append(f"Coordinates: {error}")
        return None
    point = np.array([centre], np.float64) * factors
    return FROM_CENTRE, point, point


def _from_pixels(cube: CubeFile) -> Place | None:
    """Return the corner pixels by the plain WCS; of a field so small the projection changes nothing."""
    kinds = [text_of(cube.primary, f"CTYPE{number}").upper() for _, number in _AXES]
    plain = [
        kind.startswith(name) and "-TAB" not in kind for kind, (name, _) in zip(kinds, _AXES, strict=True)
    ]
    value = [number_of(cube.primary, f"CRVAL{number}") for _, number in _AXES]
    reference = [number_of(cube.primary, f"CRPIX{number}") for _, number in _AXES]
    sizes = [cube.primary.get(f"NAXIS{number}") for _, number in _AXES]
    if (
        not all(plain)
        or None in (*value, *reference)
        or not all(type(one) is int and one > 0 for one in sizes)
    ):
        return None
    try:
        factors = [factor_of(cube, f"CUNIT{number}", ARCSEC) for _, number in _AXES]
    except ValueError as error:
        cube.warnings.append(f"Coordinates: {error}")
        return None
    (width, height), matrix = sizes, _matrix(cube)
    pixels = np.array([(1, 1), (width, 1), (width, height), (1, height)], np.float64)
    offsets = (pixels - np.array(reference, np.float64)) @ matrix.T
    corners = (np.array(value, np.float64) + offsets) * factors
    return FROM_PIXELS, corners, corners


def _matrix(cube: CubeFile) -> NDArray[np.float64]:
    """Return the matrix from pixels to coordinates: CD, or CDELT times PC (FITS 4.0, section 8.1.2)."""
    header = cube.primary
    names = [(row, column) for row in (1, 2) for column in (1, 2)]
    if any(f"CD{row}_{column}" in header for row, column in names):
        found = [number_of(header, f"CD{row}_{column}") or 0.0 for row, column in names]
        return np.array(found).reshape(2, 2)
    rotation = np.array(
        [_or(number_of(header, f"PC{row}_{column}"), float(row == column)) for row, column in names]
    ).reshape(2, 2)
    steps = np.array([_or(number_of(header, f"CDELT{row}"), 1.0) for row in (1, 2)])
    return np.asarray(steps[:, None] * rotation)


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _times(cube: CubeFile, table: Coordinates | None) -> tuple[datetime | None, datetime | None]:
    """Return begin and end: as the header says, else the last time in the table."""
    begin, end = _instant(cube, "DATE-BEG"), _instant(cube, "DATE-END")
    if end is None and (reference := _instant(cube, "DATEREF")) and table and table.has("TIME"):
        seconds = _finite(table.all("TIME"))
        try:
            end = reference + timedelta(seconds=max(seconds)) if seconds else None
        except OverflowError:
            cube.warnings.append(f"The times in {TABLE} lie outside the calendar")
    if begin and end and end < begin:
        cube.warnings.append("DATE-END lies before DATE-BEG: the end is unknown")
        end = None
    return begin, end or begin


def _instant(cube: CubeFile, keyword: str) -> datetime | None:
    said = text_of(cube.primary, keyword)
    try:
        return cube.instant(said) if said else None
    except ValueError as error:
        cube.warnings.append(f"{keyword}: {error}")
        return None


def _wavelengths(cube: CubeFile, table: Coordinates | None) -> tuple[float, float] | None:
    """Return the shortest and the longest wavelength: as the table says, else WAVEMIN and WAVEMAX."""
    try:
        if table is not None and table.has("WAVE") and (found := _finite(table.all("WAVE"))):
            factor = unit_of(cube, "WAVE", NANOMETRES)
            return min(found) * factor, max(found) * factor
    except ValueError as error:
        cube.warnings.append(f"Coordinates: {error}")
    bounds = [number_of(cube.primary, keyword) for keyword in ("WAVEMIN", "WAVEMAX")]
    exponent = number_of(cube.primary, "WAVEUNIT")
    known = [one * 10.0 ** (_or(exponent, -9.0) + 9.0) for one in bounds if one is not None]
    return (min(known), max(known)) if known else None


def _finite(values: NDArray[np.float64]) -> Sequence[float]:
    return [float(one) for one in values[np.isfinite(values)].reshape(-1)]


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else f"{instant.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"
