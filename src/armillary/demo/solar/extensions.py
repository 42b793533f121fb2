"""The extensions of a cube: what varies along its axes, and where its pixels are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from armillary.demo.solar.cube import AXES, SolarCube
from armillary.demo.solar.tables import Cell, TextCell, table, whole

Medians = NDArray[np.float64]
"""By scan, Stokes parameter and wavelength."""
R0_STEP_S = 5.0


def extensions(cube: SolarCube, medians: Medians) -> Iterator[tuple[str, list[bytes], bytes]]:
    """Yield name, cards and data of each extension that the cube has."""
    cells: dict[str, list[Cell | TextCell]] = {
        "WCS-TAB": coordinates(cube),
        "VAR-EXT-DATE-BEG": [dates(cube, "DATE-BEG", ends=False)],
        "VAR-EXT-DATE-END": [dates(cube, "DATE-END", ends=True)],
        "VAR-EXT-SCANNUM": [Cell("SCANNUM", whole(cube.scans), _axes(cube, {"TIME": len(cube.scans)}))],
        "VAR-EXT-ATMOS_R0": seeing(cube),
        "VAR-EXT-DATAMEDN": [_medians(cube, medians)],
    }
    for name in filter(cube.has, cells):
        yield name, *table(name, cells[name])


def _axes(cube: SolarCube, lengths: Mapping[str, int]) -> tuple[int, ...]:
    """Return the axes of a cell that varies along some axes of the cube."""
    return tuple(lengths.get(name, 1) for name in cube.axes)


def coordinates(cube: SolarCube) -> list[Cell | TextCell]:
    """Return the coordinates of the corners for each wavelength and scan, and which pixels the corners are."""
    named = [name for name in AXES if name in cube.axes and name != "STOKES"]
    scans, waves = len(cube.scans), cube.wavelengths
    grid = np.zeros((scans, waves, 2, 2, 4))
    half = np.array([cube.width - 1, cube.height - 1]) / 2 * cube.pixel_arcsec
    grid[..., 0] = cube.centre_arcsec[0] + half[0] * np.array([-1, 1])
    grid[..., 1] = cube.centre_arcsec[1] + (half[1] * np.array([-1, 1]))[:, None]
    grid[..., 2] = np.array(cube.wavelengths_nm)[:, None, None]
    # The Sun turns, and the telescope follows it not quite.
    grid[..., 0] += 0.01 * np.arange(scans)[:, None, None, None]
    for scan in range(scans):
        for wave in range(waves):
            begin, end = moments(cube, scan, wave)
            grid[scan, wave, ..., 3] = (begin + (end - begin) / 2 - midnight(cube)).total_seconds()
    kept = [("HPLN", "HPLT", "WAVE", "TIME").index(name) for name in named]
    lengths = {"HPLN": 2, "HPLT": 2, "WAVE": waves, "TIME": scans}
    axes = (len(named), *(lengths[name] for name in named))
    return [
        Cell("+".join(named), np.ascontiguousarray(grid[..., kept]).reshape(-1), axes),
        Cell("HPLN-INDEX", np.array([1.0, cube.width]), (1, 2)),
        Cell("HPLT-INDEX", np.array([1.0, cube.height]), (1, 2)),
    ]


def dates(cube: SolarCube, name: str, *, ends: bool) -> TextCell:
    """Return when each wavelength of each scan begins or ends."""
    texts = [
        f"{moments(cube, scan, wave)[ends].replace(tzinfo=None).isoformat(timespec='milliseconds')}"
        for scan in range(len(cube.scans))
        for wave in range(cube.wavelengths)
    ]
    lengths = {"WAVE": cube.wavelengths, "TIME": len(cube.scans)}
    return TextCell(name, texts, (len(texts[0]), *_axes(cube, lengths)))


def seeing(cube: SolarCube) -> list[Cell | TextCell]:
    """Return Fried's parameter (m) every few seconds, of the lower layers and of all, and when it was measured."""
    count = max(2, int(cube.cadence_s * len(cube.scans) / R0_STEP_S))
    dice = np.random.default_rng((cube.seed, 7))
    low = 0.18 + 0.04 * np.sin(np.arange(count) / 6) + 0.01 * dice.standard_normal(count)
    values = np.stack([low, 0.8 * low], axis=1).astype(np.float32)
    found: list[Cell | TextCell] = [Cell("ATMOS_R0", values.reshape(-1), (2, count), "m")]
    if cube.has("TIME-ATMOS_R0"):
        start = (cube.begin - midnight(cube)).total_seconds()
        found.append(Cell("TIME-ATMOS_R0", start + np.arange(count) * R0_STEP_S, (count,), "s"))
    return found


def _medians(cube: SolarCube, medians: Medians) -> Cell:
    lengths = {"WAVE": cube.wavelengths, "STOKES": cube.stokes, "TIME": len(cube.scans)}
    return Cell("DATAMEDN", medians.reshape(-1), _axes(cube, lengths))


def midnight(cube: SolarCube) -> datetime:
    """Return the instant of DATEREF, from which seconds count."""
    return cube.begin.replace(hour=0, minute=0, second=0, microsecond=0)


def moments(cube: SolarCube, scan: int, wave: int) -> tuple[datetime, datetime]:
    """Return begin and end of a wavelength of a scan: they follow each other, with a little pause."""
    step = timedelta(seconds=cube.cadence_s / cube.wavelengths)
    begin = cube.begin + timedelta(seconds=cube.cadence_s) * scan + step * wave
    return begin, begin + step * 0.9
