"""How good the air was: Fried's parameter in the course of a cube, as its extension tells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.archive.cubes.oids import scan_numbers
from armillary.archive.cubes.reading import CubeFile, milliseconds, text_of
from armillary.fits.errors import TableUnreadable
from armillary.fits.models import Value

SEEING, TIMES = "VAR-EXT-ATMOS_R0", "TIME-ATMOS_R0"
BEGINS, ENDS, SCANS = "VAR-EXT-DATE-BEG", "VAR-EXT-DATE-END", "VAR-EXT-SCANNUM"
USED = (SEEING, TIMES, BEGINS, ENDS, SCANS)
VERSION = 4

Pair = list[int | float | None]


def seeing_of(cube: CubeFile) -> dict[str, Any] | None:
    """Return the series of Fried's parameter; None without one, or with a warning if it cannot be read."""
    try:
        table = cube.table(SEEING)
        if table is None:
            return None
        times = _times(cube)
        values = _values(cube, cube.cell(table, table.first()), len(times))
    except (TableUnreadable, ValueError) as error:
        cube.warnings.append(f"No r0 series: {error}")
        return None
    begins, ends = _scan_times(cube)
    data = {
        "r0_low": _series(cube, times, values[0], "r0_low"),
        "r0_low_high": _series(cube, times, values[1], "r0_low_high"),
        "date_beg": begins,
        "date_end": ends,
        "scannum": _scans(cube),
    }
    return {"version": VERSION, "data": data}


def _times(cube: CubeFile) -> NDArray[np.float64]:
    """Return milliseconds since 1970, rounded; NaN where there is none."""
    seconds = _seconds(cube)
    header = cube.headers[cube.index(SEEING) or 0]
    said = text_of(header, "DATEREF") or text_of(cube.primary, "DATEREF")
    if not said:
        raise ValueError("the header has no DATEREF, from which its times count; add it")
    try:
        start = milliseconds(cube.instant(said))
    except ValueError as error:
        raise ValueError(f"DATEREF: {error}") from None
    return np.rint(start + seconds.astype(np.float64).reshape(-1) * 1000.0)


def _seconds(cube: CubeFile) -> NDArray[Any]:
    """Return the column of times, which stands in the same table, or in a table of its own."""
    for name in (SEEING, TIMES):
        table = cube.table(name)
        column = table.find(TIMES) if table else None
        if table and column:
            found = cube.cell(table, column)
            if found.dtype.kind in "iuf":
                return found
            raise ValueError(f"the column {TIMES} holds no numbers")
    raise ValueError(f"{SEEING} has no column {TIMES}")


def _values(
    cube: CubeFile, cell: NDArray[Any], times: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the values of the low layers, and of low and high ones; the latter may be missing."""
    if cell.dtype.kind not in "iuf":
        raise ValueError(f"{SEEING} holds no numbers")
    values = cell.astype(np.float64)
    axes = [length for length in values.shape if length != 1]
    if axes[-1:] == [2] and len(axes) <= 2 and values.size != times:
        low, both = values.reshape(-1, 2).T
    elif len(axes) == 2 and axes[0] == 2 and axes[1] == times:
        low, both = values.reshape(2, -1)
    elif len(axes) <= 1 and values.size != 2 * times:
        low, both = values.reshape(-1), np.zeros(0)
        cube.warnings.append(f"{SEEING} has one series of values, not two: r0_low_high is empty")
    else:
        raise ValueError(
            f"{SEEING} has the axes {values.shape[::-1]} for {times} times; TDIM1 must be (2,{times})"
        )
    if low.size != times:
        cube.warnings.append(f"{SEEING} has {low.size} values and {times} times: the shorter list counts")
    return low, both


def _series(cube: CubeFile, times: NDArray[np.float64], values: NDArray[np.float64], name: str) -> list[Pair]:
    """Return pairs of time and value; those without a time are left out, undefined values are null."""
    count = min(times.size, values.size)
    times, values = times[:count], values[:count]
    known, defined = np.isfinite(times), np.isfinite(values)
    if missing := int((~known).sum()):
        cube.warnings.append(f"{TIMES} is undefined for {missing} values, which are left out of {name}")
    if odd := int((known & ~defined).sum()):
        cube.warnings.append(f"{name} has {odd} undefined values")
    return [
        [int(times[at]), float(values[at]) if defined[at] else None] for at in np.flatnonzero(known).tolist()
    ]


def _scan_times(cube: CubeFile) -> tuple[list[int | None], list[int | None]]:
    """Return when each scan begins and ends; nothing if one of both is missing."""
    begins, ends = _moments(cube, BEGINS), _moments(cube, ENDS)
    if begins is None or ends is None:
        return [], []
    return [round(min(row)) if row else None for row in begins], [
        round(max(row)) if row else None for row in ends
    ]


def _moments(cube: CubeFile, name: str) -> list[list[float]] | None:
    """Return the known instants of all wavelengths by scan, in milliseconds; None, with a warning, without any."""
    cell = cube.first_cell(name)
    try:
        if cell is None or cell.dtype.kind != "S":
            raise ValueError("it is missing, or holds no texts")
        texts = cube.spread(name, cell)
        rows = [_instants(cube, name, scan) for scan in texts]
        if not any(rows):
            raise ValueError("it tells no instant")
    except ValueError as error:
        cube.warnings.append(f"The r0 series comes without the times of scans, for want of {name}: {error}")
        return None
    return rows


def _instants(cube: CubeFile, name: str, texts: NDArray[Any]) -> list[float]:
    """Return the instants of one scan; those that cannot be read are told of once."""
    found, odd = [], []
    for text in texts.reshape(-1).tolist():
        try:
            found.append(milliseconds(cube.instant(text.decode("ascii", "replace").strip(" \0"))))
        except ValueError as error:
            odd.append(str(error))
    if odd:
        cube.warnings.append(f"{name}: {odd[0]}; {len(odd)} of {texts.size} instants of a scan are unknown")
    return found


def _scans(cube: CubeFile) -> list[int]:
    """Return the numbers of the scans."""
    try:
        numbers = scan_numbers(cube)
    except TableUnreadable as error:
        cube.warnings.append(error.message)
        return []
    if numbers is not None:
        return numbers
    single: Value = cube.primary.get("SCANNUM")
    if type(single) is int:
        return [single]
    cube.warnings.append(f"There is no {SCANS}: the r0 series comes without the numbers of scans")
    return []
