"""Greenwich apparent sidereal time of any instant, in a microsecond: from tables of a year, as almanacs are.

The tables come from skyfield (IAU 2000A nutation, its own UT1); nothing is fetched. Where its table of UT1 ends,
it goes on with a prediction.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from armillary.sky.ephemeris import sidereal_cells

_DAY_NS: Final = 86_400_000_000_000
_EPOCH = date(1970, 1, 1)
_STEP_NS: Final = _DAY_NS // 4
_DEGREES: Final = 57.29577951308232

Cell = tuple[float, float, float, float]


def greenwich_deg(tai_ns: int) -> float:
    """Return Greenwich apparent sidereal time, 0 up to 360 degrees.

    Raises
    ------
    ValueError
        If the instant is outside the years 1900 to 2100.
    """
    year = _year(tai_ns // _DAY_NS)
    start, cells = _table(year)
    interval, rest = divmod(tai_ns - start, _STEP_NS)
    a, b, c, d = cells[interval]
    x = rest / _STEP_NS
    return (((d * x + c) * x + b) * x + a) * _DEGREES % 360.0


def prepare(tai_ns: int) -> None:
    """Make the table of the year of an instant, which takes a tenth of a second."""
    _table(_year(tai_ns // _DAY_NS))


@lru_cache(maxsize=1024)
def _year(day: int) -> int:
    if not -25_567 <= day < 47_847:
        raise ValueError("sidereal time is known for the years 1900 to 2100")
    return (_EPOCH + timedelta(days=day)).year


@lru_cache(maxsize=16)
def _table(year: int) -> tuple[int, list[Cell]]:
    """Return the first instant of a year and the cubics of its quarters of days."""
    start, end = date(year, 1, 1), date(year + 1, 1, 1)
    cells = sidereal_cells(start, end)
    return (start - _EPOCH).days * _DAY_NS, [tuple(cell) for cell in cells.T.tolist()]
