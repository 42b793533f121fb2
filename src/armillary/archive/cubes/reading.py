"""A cube as its readers take it: headers, and cells of its extensions where they lie."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.fits.bintables import Column, Table, find_table, read_cell
from armillary.fits.errors import TableUnreadable
from armillary.fits.models import Layout, ReadAt, Value
from armillary.sky.timescales import utc_from_scale

AXES = ("HPLN", "HPLT", "WAVE", "STOKES", "TIME")
_TIME_TYPES = ("TIME", "UTC")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d*)?)?)?(?=Z?$)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(slots=True)
class CubeFile:
    """A file that is open for reading; ``warnings`` grow with what is found to be odd."""

    read: ReadAt
    layout: Layout
    headers: Sequence[Mapping[str, Value]]
    warnings: list[str] = field(default_factory=list)

    @property
    def primary(self) -> Mapping[str, Value]:
        """The keywords of the primary header."""
        return self.headers[0]

    def index(self, name: str) -> int | None:
        """Return the index of the binary table of a name; None if there is none."""
        return next(
            (
                hdu.index
                for hdu in self.layout.hdus
                if hdu.kind == "BINTABLE" and hdu.name.strip().upper() == name
            ),
            None,
        )

    def table(self, name: str) -> Table | None:
        """Return the binary table of a name; None if there is none."""
        return find_table(self.layout, self.headers, name)

    def cell(self, table: Table, column: Column) -> NDArray[Any]:
        """Return the cell of a column in the first row."""
        return read_cell(self.read, table, column)

    def first_cell(self, name: str) -> NDArray[Any] | None:
        """Return the first cell of an extension, None without it; what cannot be read is a warning and None."""
        try:
            table = self.table(name)
            return None if table is None else self.cell(table, table.first())
        except TableUnreadable as error:
            self.warnings.append(error.message)
            return None

    def axis_names(self) -> list[str]:
        """Return what the axes of the image are: by CTYPE, or those of `AXES` in their order."""
        count = self.primary.get("NAXIS")
        naxis = count if type(count) is int else 0
        found = [_axis(text_of(self.primary, f"CTYPE{number}")) for number in range(1, naxis + 1)]
        return found if all(found) and len(set(found)) == naxis else list(AXES[:naxis])

    def axis_length(self, name: str) -> int:
        """Return how many pixels the image has along an axis; 1 if it has no such axis."""
        names = self.axis_names()
        length = self.primary.get(f"NAXIS{names.index(name) + 1}") if name in names else 1
        return length if type(length) is int else 1

    def spread(self, name: str, cell: NDArray[Any]) -> NDArray[Any]:
        """Return a cell that varies along axes of the image with all of `AXES`, the last one first.

        Raises
        ------
        ValueError
            If its axes are not those of the image.
        """
        names = self.axis_names()
        if cell.ndim > len(names):
            names = list(AXES)
        if cell.ndim > len(names) or (cell.ndim < min(3, len(names)) and cell.size > 1):
            raise ValueError(
                f"the first column of {name} has {cell.ndim} axes, the image {len(names)}; correct TDIM1"
            )
        place = {axis: cell.ndim - 1 - number for number, axis in enumerate(names[: cell.ndim])}
        order = [axis for axis in reversed(AXES) if axis in place]
        found = cell.transpose([place[axis] for axis in order])
        lengths = dict(zip(order, found.shape, strict=True))
        return found.reshape([lengths.get(axis, 1) for axis in reversed(AXES)])

    def instant(self, text: str) -> datetime:
        """Return an instant that a header or a cell tells, on the time scale of the primary header.

        Raises
        ------
        ValueError
            If it is none, or the scale is unknown.
        """
        return read_instant(text, text_of(self.primary, "TIMESYS"))


def _axis(ctype: str) -> str:
    word = ctype.upper().partition("-")[0]
    return "TIME" if word in _TIME_TYPES else word if word in AXES else ""


def text_of(values: Mapping[str, Value], keyword: str) -> str:
    """Return the value of a keyword as stripped text; empty if it has none, or is a logical."""
    value = values.get(keyword)
    return "" if value is None or isinstance(value, bool) else str(value).strip()


def number_of(values: Mapping[str, Value], keyword: str) -> float | None:
    """Return the value of a keyword if it is a finite number."""
    value = values.get(keyword)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # An integer card may have more digits than a real number can hold.
    return float(value) if abs(value) < 1e300 and math.isfinite(value) else None


def read_instant(text: str, scale: str = "") -> datetime:
    """Return the instant of a FITS date (section 9.1.1), in UTC unless a scale is given; a date is its midnight.

    Raises
    ------
    ValueError
        If it is none, or the scale is unknown.
    """
    found = _INSTANT.match(text.strip())
    if not found:
        raise ValueError(f"{text.strip()!r} is no date like 2026-06-21T08:10:00")
    # Digits behind the microsecond are cut.
    said = datetime.fromisoformat(found[0].removesuffix(".").replace(" ", "T"))
    try:
        return utc_from_scale(said.replace(tzinfo=UTC), scale)
    except OverflowError:
        raise ValueError(f"{text.strip()!r} is outside the calendar") from None


def milliseconds(instant: datetime) -> float:
    """Return the milliseconds since 1970, not rounded."""
    return (instant - _EPOCH) / _MILLISECOND


def numbers(values: NDArray[Any]) -> list[float | None]:
    """Return values as JSON has them: what is not finite is None."""
    return [float(one) if np.isfinite(one) else None for one in values.reshape(-1)]
