"""Sun, Moon and the rotation of the Earth as tables of a year, made by skyfield from the ephemeris DE421.

This is the only module that knows skyfield. Its functions are pure: the ephemeris comes with the package
`skyfield-data`, delta T and leap seconds with skyfield, and nothing is ever fetched. Times are days of TAI since
2000-01-01 00:00 TAI, so a float tells a microsecond; a Julian date in TAI is ``tai_day + EPOCH_JD``.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.sky.errors import OutsideEphemeris

Floats = NDArray[np.float64]
EPOCH_JD = 2451544.5
FIRST_NIGHT, LAST_NIGHT = date(1900, 1, 1), date(2053, 10, 1)
"""What may be asked for: what is within a few days of it can be computed, too."""

SUN, MOON = 0, 1
"""Places of the bodies in a table."""

_EPOCH = date(2000, 1, 1)
_FIRST_DAY, _END_DAY = date(1899, 12, 1), date(2053, 10, 8)
"""Where tables begin and end: inside the ephemeris, which runs from 1899-07-28 to 2053-10-09."""
_SIDEREAL = 3
"""Which of the quantities is the sidereal time."""
_STEPS_PER_DAY = 4
"""Six hours between nodes: the worst interpolated place of the Moon is wrong by 0.01 arcseconds."""
_STENCIL = np.array([-1.0, 9.0, -45.0, 0.0, 45.0, -9.0, 1.0]) / 60.0
"""Central difference of seven points, whose error is of the seventh order."""
_SIDE = len(_STENCIL) // 2
_MOST_TABLES = 32
"""A year takes 600 kB."""


@dataclass(frozen=True)
class SkyTable:
    """Cubic polynomials of six hours each, from the day ``start`` on.

    ``cells`` has the axes power, quantity, body and interval. The quantities are those of an apparent geocentric
    place (true equator and equinox of date): Greenwich hour angle (radians, continuous within an interval),
    distance from the axis of the Earth and height above the plane of its equator (au); and Greenwich apparent
    sidereal time.
    """

    start: float
    cells: Floats

    def at(self, body: Any, tai_day: Floats) -> Floats:
        """Return hour angle, axial distance and height of bodies at times, on a first axis.

        The shapes of bodies and times are broadcast.
        """
        place = (tai_day - self.start) * _STEPS_PER_DAY
        interval = place.astype(np.intp)
        place -= interval
        # One index into flat rows is twice as fast as two, and leaves each quantity in one piece.
        cubic, square, linear, constant = self._places.take(interval + body * self.cells.shape[-1], axis=-1)
        cubic *= place
        cubic += square
        cubic *= place
        cubic += linear
        cubic *= place
        cubic += constant
        found: Floats = cubic
        return found

    def right_ascension(self, body: int, tai_day: Floats) -> Floats:
        """Return the apparent right ascension of a body at times, in radians."""
        place = (tai_day - self.start) * _STEPS_PER_DAY
        interval = place.astype(np.intp)
        sidereal = self.cells[:, _SIDEREAL, body, interval]
        found: Floats = np.polyval(sidereal[::-1], place - interval) - self.at(body, tai_day)[0]
        return found

    @cached_property
    def _places(self) -> Floats:
        """The polynomials from the highest power on, all bodies and intervals on one axis."""
        places = self.cells[::-1, :_SIDEREAL]
        return np.ascontiguousarray(places).reshape(*places.shape[:2], -1)


def tai_day_of(day: date) -> float:
    """Return the day number of the first instant of a date, in TAI."""
    return float((day - _EPOCH).days)


def check_covered(first: date, last: date) -> None:
    """Refuse nights that the ephemeris does not cover.

    Raises
    ------
    OutsideEphemeris
    """
    if first < FIRST_NIGHT or last > LAST_NIGHT:
        raise OutsideEphemeris


class Tables:
    """Tables of some years, those that were asked for last; others are computed, half a second for each year."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, int], SkyTable] = OrderedDict()
        # Threads that ask for the same year at once wait for one of them: two would take twice as long.
        self._building = Lock()

    def has(self, first_year: int, last_year: int) -> bool:
        """Tell whether a table is at hand."""
        return (first_year, last_year) in self._kept

    def of(self, first_year: int, last_year: int) -> SkyTable:
        """Return the table of some years; it reaches from 1899-12-01 to 2053-10-08 at most."""
        found = self._kept.get((first_year, last_year))
        if found is None:
            with self._building:
                found = self._find(first_year, last_year)
        return found

    def _find(self, first_year: int, last_year: int) -> SkyTable:
        years = first_year, last_year
        if years in self._kept:
            self._kept.move_to_end(years)
        elif first_year == last_year:
            self._kept[years] = _year(first_year)
        else:
            self._kept[years] = _joined([self._find(one, one) for one in range(first_year, last_year + 1)])
        found = self._kept[years]
        while len(self._kept) > _MOST_TABLES:
            self._kept.popitem(last=False)
        return found


TABLES = Tables()
"""The same for everybody, as constants are."""


def table_of(first_year: int, last_year: int) -> SkyTable:
    """Return the table of some years."""
    return TABLES.of(first_year, last_year)


def table_for(first_tai_day: float, last_tai_day: float) -> SkyTable:
    """Return a table that covers two times, which must be within what tables can cover.

    Raises
    ------
    OutsideEphemeris
    """
    return TABLES.of(*_years(first_tai_day, last_tai_day))


def is_at_hand(first_tai_day: float, last_tai_day: float) -> bool:
    """Tell whether the table that covers two times need not be computed.

    Raises
    ------
    OutsideEphemeris
    """
    return TABLES.has(*_years(first_tai_day, last_tai_day))


def _years(first_tai_day: float, last_tai_day: float) -> tuple[int, int]:
    if not tai_day_of(_FIRST_DAY) <= first_tai_day <= last_tai_day < tai_day_of(_END_DAY):
        raise OutsideEphemeris
    return _year_of(first_tai_day), _year_of(last_tai_day)


def _year_of(tai_day: float) -> int:
    return date.fromordinal(_EPOCH.toordinal() + int(np.floor(tai_day))).year


def _joined(years: list[SkyTable]) -> SkyTable:
    return SkyTable(years[0].start, np.concatenate([one.cells for one in years], axis=-1))


def _year(year: int) -> SkyTable:
    start = tai_day_of(max(date(year, 1, 1), _FIRST_DAY))
    end = tai_day_of(min(date(year + 1, 1, 1), _END_DAY))
    nodes = start + np.arange(-_SIDE, (end - start) * _STEPS_PER_DAY + _SIDE + 1) / _STEPS_PER_DAY
    return SkyTable(start, np.stack([_hermite(values) for values in _nodes(nodes)], axis=2))


def sidereal_cells(first: date, end: date) -> Floats:
    """Return cubics of Greenwich apparent sidereal time in radians, six hours each (power, interval)."""
    from skyfield.api import load

    start, stop = tai_day_of(first), tai_day_of(end)
    nodes = start + np.arange(-_SIDE, (stop - start) * _STEPS_PER_DAY + _SIDE + 1) / _STEPS_PER_DAY
    time = load.timescale(builtin=True).tai_jd(nodes + EPOCH_JD)
    return _hermite(np.unwrap(time.gast * (np.pi / 12.0))[:, None])[:, 0]


def _nodes(tai_days: Floats) -> tuple[Floats, Floats]:
    """Return the four quantities of Sun and Moon at some times, as skyfield computes them."""
    from skyfield.api import load
    from skyfield.functions import mxv
    from skyfield.jpllib import SpiceKernel

    time = load.timescale(builtin=True).tai_jd(tai_days + EPOCH_JD)
    sidereal = np.unwrap(time.gast * (np.pi / 12.0))

    def place(kernel: Any, name: str) -> Floats:
        body, earth = kernel[name], kernel["earth"]
        seen = mxv(time.M, earth.at(time).observe(body).apparent().position.au)
        # Light time and aberration change the length by 1e-4, which no parallax may follow: of the Moon, 0.35".
        distance = (body - earth).at(time).distance().au
        x, y, z = seen * (distance / np.linalg.norm(seen, axis=0))
        hour_angle = np.unwrap(sidereal - np.arctan2(y, x))
        return np.column_stack([hour_angle, np.hypot(x, y), z, sidereal])

    with closing(SpiceKernel(str(ephemeris_file()))) as kernel:
        return place(kernel, "sun"), place(kernel, "moon")


def ephemeris_file() -> Path:
    """Return where the ephemeris is.

    `skyfield_data` is not asked: it warns of the age of its other file, which is not used here.
    """
    return Path(str(files("skyfield_data") / "data" / "de421.bsp"))


def _hermite(values: Floats) -> Floats:
    """Return the polynomials between nodes (power, quantity, interval).

    Three nodes on each side serve for slopes alone. The error of values is ``h**4 f'''' / 384``, a fifth of that
    of a spline with continuous second derivatives.
    """
    inner = len(values) - 2 * _SIDE
    slopes = sum(weight * values[k : k + inner] for k, weight in enumerate(_STENCIL))
    nodes = values[_SIDE : _SIDE + inner]
    low, high, slope, next_slope = nodes[:-1], nodes[1:], slopes[:-1], slopes[1:]
    rise = high - low
    powers = (low, slope, 3.0 * rise - 2.0 * slope - next_slope, slope + next_slope - 2.0 * rise)
    cells: Floats = np.stack([one.T for one in powers])
    return cells
