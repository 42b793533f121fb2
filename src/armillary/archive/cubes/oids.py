"""How files by the SOLARNET conventions are called: the oid, by which a product stays the same when it moves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.archive.cubes.reading import CubeFile, text_of
from armillary.archive.errors import OidUnknown
from armillary.fits.bintables import find_table, read_cell
from armillary.fits.errors import TableUnreadable
from armillary.fits.models import Layout, ReadAt, Value

NEEDED = ("INSTRUME", "DATE-BEG", "FILTER1", "FILENAME")
SCANS, SCAN_NUMBERS = "_scans=", "VAR-EXT-SCANNUM"


def oid_in(read: ReadAt, layout: Layout, headers: Sequence[Mapping[str, Value]]) -> str:
    """Return ``DATE-BEG_FILTER1_scans`` of an open file; the scans may be told by the data of an extension.

    Raises
    ------
    OidUnknown
        If a keyword is missing, or nothing tells the scans.
    """
    names = [hdu.name for hdu in layout.hdus[1:]]
    return oid_of(headers[0], names, lambda: _scans_of_data(CubeFile(read, layout, headers)))


def oid_of(
    values: Mapping[str, Value], extensions: Collection[str] = (), scans: Callable[[], str] | None = None
) -> str:
    """Return ``DATE-BEG_FILTER1_scans`` of a file.

    Parameters
    ----------
    values
        The keywords of its primary header.
    extensions
        The names of its other HDUs.
    scans
        Returns the scans that the data of VAR-EXT-SCANNUM tell; None if the data are not at hand.

    Raises
    ------
    OidUnknown
        If a keyword is missing, or the scans are told by the data of an extension alone, which are not at hand.
    """
    for keyword in NEEDED:
        if not text_of(values, keyword):
            raise OidUnknown(f"The primary header has no {keyword}; add it, and ingest the file again.")
    told = _scans(values, extensions, scans)
    return "_".join((text_of(values, "DATE-BEG"), text_of(values, "FILTER1"), told))


def _scans(values: Mapping[str, Value], extensions: Collection[str], scans: Callable[[], str] | None) -> str:
    _, named, rest = text_of(values, "FILENAME").rpartition(SCANS)
    if named and (told := rest.partition("_")[0].removesuffix(".fits")):
        return told
    if SCAN_NUMBERS in (name.strip().upper() for name in extensions):
        if scans is not None:
            return scans()
        raise OidUnknown(
            f"FILENAME does not tell the scans, only the data of {SCAN_NUMBERS} do; write `{SCANS}A-B` into it."
        )
    if not (number := text_of(values, "SCANNUM")):
        raise OidUnknown(f"Neither FILENAME (`{SCANS}A-B`) nor SCANNUM tells the scans; add one of them.")
    return number


def _scans_of_data(cube: CubeFile) -> str:
    """Return the scan numbers of the extension as a list with runs.

    Raises
    ------
    OidUnknown
        If they cannot be read.
    """
    try:
        numbers = scan_numbers(cube)
    except TableUnreadable as error:
        raise OidUnknown(f"The scans are unknown: {error.message}.") from None
    if not numbers:
        raise OidUnknown(f"{SCAN_NUMBERS} tells no scans; write `{SCANS}A-B` into FILENAME.")
    return sparse(numbers)


def scan_numbers(cube: CubeFile) -> list[int] | None:
    """Return the numbers in VAR-EXT-SCANNUM, one for each scan; None without that table.

    Raises
    ------
    TableUnreadable
        If they are no whole numbers, or cannot be read.
    """
    table = find_table(cube.layout, cube.headers, SCAN_NUMBERS)
    if table is None:
        return None
    # The slowest axis is that of time.
    cell = np.atleast_1d(read_cell(cube.read, table, table.first()))
    return _whole(cell.reshape(cell.shape[0], -1)[:, 0] if cell.size else cell.reshape(-1))


def _whole(values: NDArray[Any]) -> list[int]:
    with np.errstate(invalid="ignore"):
        if values.dtype.kind not in "iuf" or not (np.isfinite(values) & (values == np.rint(values))).all():
            raise TableUnreadable(f"{SCAN_NUMBERS} holds something else than whole numbers; correct it")
    return [int(one) for one in values]


def sparse(numbers: Sequence[int]) -> str:
    """Return numbers as a list in which consecutive ones are a run: ``1-3,7-8,12``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ",".join("-".join(map(str, run)) for run in runs)
