"""Cells of binary tables, read where they lie: a table beside a cube of several GB costs its own bytes only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.fits.errors import TableUnreadable
from armillary.fits.models import Hdu, Layout, ReadAt, Value

LARGEST_CELL = 64 << 20
LARGEST_FACTOR = 1e300
MOST_COLUMNS = 999
_DTYPES = {"B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}
_SIZES = {"L": 1, "B": 1, "A": 1, "I": 2, "J": 4, "E": 4, "K": 8, "D": 8, "C": 8, "P": 8, "M": 16, "Q": 16}
_FORM = re.compile(r"(\d{0,12})([LXBIJKAEDCMPQ])", re.ASCII)
_DIM = re.compile(r"\(\s*(\d{1,12}(?:\s*,\s*\d{1,12})*)\s*\)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: where its cells lie in a row, and how they are to be read.

    ``axes`` are those of TDIM, the fastest first; of a cell without TDIM there is one, the number of values.
    """

    number: int
    name: str
    code: str
    repeat: int
    offset: int
    axes: tuple[int, ...]
    unit: str
    scale: float
    zero: float
    null: int | None


@dataclass(frozen=True, slots=True)
class Table:
    """A binary table; columns whose description is broken have it in ``broken``, by number."""

    hdu: Hdu
    rows: int
    row_bytes: int
    columns: tuple[Column, ...]
    broken: Mapping[int, str]

    def find(self, name: str) -> Column | None:
        """Return the first column of a name, whatever its case."""
        wanted = name.strip().upper()
        return next((one for one in self.columns if one.name.upper() == wanted), None)

    def first(self) -> Column:
        """Return the column with the number 1.

        Raises
        ------
        TableUnreadable
            If there is none that could be read.
        """
        if self.columns and self.columns[0].number == 1:
            return self.columns[0]
        raise TableUnreadable(f"{_named(self.hdu)}: {self.broken.get(1, 'it has no columns')}")


def find_table(layout: Layout, headers: Sequence[Mapping[str, Value]], name: str) -> Table | None:
    """Return the first binary table whose EXTNAME is a name, whatever its case; None if there is none.

    Raises
    ------
    TableUnreadable
        If its header does not describe one.
    """
    wanted = name.strip().upper()
    for hdu, values in zip(layout.hdus, headers, strict=True):
        if hdu.kind == "BINTABLE" and hdu.name.strip().upper() == wanted:
            return read_table(hdu, values)
    return None


def read_table(hdu: Hdu, values: Mapping[str, Value]) -> Table:
    """Return the table that a header describes.

    Raises
    ------
    TableUnreadable
        If it describes none, or a compressed one.
    """
    if values.get("ZTABLE") is True:
        raise TableUnreadable(f"{_named(hdu)} is a compressed table; write it uncompressed")
    fields = values.get("TFIELDS")
    if type(fields) is not int or not 0 <= fields <= MOST_COLUMNS:
        raise TableUnreadable(f"{_named(hdu)}: TFIELDS is {fields!r}; it must be 0 to {MOST_COLUMNS}")
    columns, broken, offset = list[Column](), dict[int, str](), 0
    for number in range(1, fields + 1):
        code, repeat, size = _form(hdu, number, values)
        try:
            columns.append(_column(values, number, code, repeat, offset))
        except ValueError as error:
            broken[number] = str(error)
        offset += size
    row_bytes, rows = values.get("NAXIS1"), values.get("NAXIS2")
    if type(row_bytes) is not int or type(rows) is not int or offset > row_bytes:
        raise TableUnreadable(
            f"{_named(hdu)}: NAXIS1 is {row_bytes!r}, but its columns have {offset} bytes; correct one of them"
        )
    return Table(hdu, rows, row_bytes, tuple(columns), broken)


def _form(hdu: Hdu, number: int, values: Mapping[str, Value]) -> tuple[str, int, int]:
    """Return type, number of values and bytes of a cell; without them no later column has a place."""
    said = values.get(f"TFORM{number}")
    found = _FORM.match(said.strip().upper()) if isinstance(said, str) else None
    if not found:
        raise TableUnreadable(
            f"{_named(hdu)}: TFORM{number} is {said!r}, which is no format of a column; correct it"
        )
    repeat, code = int(found[1] or 1), found[2]
    return code, repeat, (repeat + 7) // 8 if code == "X" else repeat * _SIZES[code]


def _column(values: Mapping[str, Value], number: int, code: str, repeat: int, offset: int) -> Column:
    """Return a column; a ValueError says what is wrong with it."""
    null = values.get(f"TNULL{number}")
    return Column(
        number=number,
        name=_text(values.get(f"TTYPE{number}")),
        code=code,
        repeat=repeat,
        offset=offset,
        axes=_axes(values.get(f"TDIM{number}"), number, repeat),
        unit=_text(values.get(f"TUNIT{number}")),
        scale=_number(values, f"TSCAL{number}", 1.0),
        zero=_number(values, f"TZERO{number}", 0.0),
        null=null if type(null) is int else None,
    )


def _axes(said: Value, number: int, repeat: int) -> tuple[int, ...]:
    if said is None:
        return (repeat,)
    found = _DIM.fullmatch(said.strip()) if isinstance(said, str) else None
    if not found:
        raise ValueError(f"TDIM{number} is {said!r}; it must be like '(2,3)', correct it")
    axes = tuple(map(int, found[1].split(",")))
    if prod(axes) > repeat:
        raise ValueError(
            f"TDIM{number} = '{said}' has {prod(axes)} values, TFORM{number} only {repeat}; correct it"
        )
    return axes


def read_cell(read: ReadAt, table: Table, column: Column, row: int = 0) -> NDArray[Any]:
    """Return a cell as an array: the axes of TDIM from the slowest to the fastest, values scaled.

    Texts have the fastest axis as their length. What TNULL says to be undefined is NaN.

    Raises
    ------
    TableUnreadable
        If there is no such row, its bytes are not there, or the type is none of integers, reals and texts.
    """
    where = f"{column.name or column.number} of {_named(table.hdu)}"
    if not 0 <= row < table.rows:
        raise TableUnreadable(f"{_named(table.hdu)} has {table.rows} rows, no row {row + 1}")
    if column.code not in "ABIJKED":
        raise TableUnreadable(f"The column {where} has the type {column.code}, which is not read here")
    size = prod(column.axes) * _SIZES[column.code]
    if not 0 < size <= LARGEST_CELL:
        raise TableUnreadable(f"A cell of {where} has {size} bytes; 1 to {LARGEST_CELL} are read")
    texts = column.code == "A"
    dtype = np.dtype(f"S{column.axes[0]}" if texts else _DTYPES[column.code])
    shape = column.axes[:0:-1] if texts else column.axes[::-1]
    content = read(table.hdu.data_offset + row * table.row_bytes + column.offset, size)
    if len(content) < size or (row + 1) * table.row_bytes > table.hdu.data_size:
        raise TableUnreadable(f"The file ends inside the column {where}; copy it again")
    return _scaled(np.frombuffer(content, dtype).reshape(shape), column)


def _scaled(stored: NDArray[Any], column: Column) -> NDArray[Any]:
    """Return physical values: ``zero + scale * stored`` (FITS 4.0, section 7.3.2), in the byte order of here."""
    if stored.dtype.kind == "S":
        return stored
    values = stored.astype(stored.dtype.newbyteorder("="))
    undefined = values == column.null if column.null is not None and values.dtype.kind in "iu" else None
    if column.scale != 1.0 or (column.zero and not _shifts(column)):
        values = values.astype(np.float64) * column.scale + column.zero
    elif column.zero and column.code == "K":
        # Unsigned integers of 64 bits have this one zero; adding it turns the first bit over.
        values = values.view(np.uint64) ^ np.uint64(1 << 63)
    elif column.zero:
        values = values.astype(np.int64) + int(column.zero)
    return values if undefined is None or not undefined.any() else np.where(undefined, np.nan, values)


def _shifts(column: Column) -> bool:
    """Tell whether integers stay integers, as unsigned ones do."""
    if column.code == "K":
        return column.zero == float(1 << 63)
    return column.code in "BIJ" and column.zero.is_integer() and abs(column.zero) < 1 << 62


def _number(values: Mapping[str, Value], keyword: str, default: float) -> float:
    value = values.get(keyword, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{keyword} is {value!r}; it must be a number")
    # An integer card may have more digits than a real number can hold.
    if abs(value) > LARGEST_FACTOR:
        raise ValueError(f"{keyword} is larger than {LARGEST_FACTOR}; correct it")
    return float(value)


def _text(value: Value) -> str:
    return value.strip() if isinstance(value, str) else ""


def _named(hdu: Hdu) -> str:
    return f"{hdu.name.strip() or 'the table'} (HDU {hdu.index})"
