"""Cells of binary tables, against astropy, and what cannot be read."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from armillary.fits.bintables import Table, find_table, read_cell
from armillary.fits.errors import TableUnreadable, TruncatedFile
from armillary.fits.header import read_values
from armillary.fits.models import Layout, Value
from armillary.fits.scan import scan


def written(*columns: Any, scale: Mapping[str, Value] | None = None, **cards: Value) -> bytes:
    """Return a file with a table, written by astropy, and cards changed behind its back."""
    hdu = fits.BinTableHDU.from_columns(list(columns), name="SOME")
    hdu.header.update(scale or {})
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(np.zeros((4, 4))), hdu]).writeto(buffer)
    content = buffer.getvalue()
    for name, value in cards.items():
        at = content.rindex(f"{name:<8}= ".encode())
        content = content[:at] + fits.Card(name, value).image.encode() + content[at + 80 :]
    return content


def opened(content: bytes) -> tuple[Table, Any]:
    """Return its table and the way to read it."""
    layout, read = parts(content)
    table = find_table(layout, [read_values(one) for one in layout.headers], " some ")
    assert table is not None
    return table, read


def first_cell(content: bytes) -> Any:
    """Return what the first cell of the table holds."""
    table, read = opened(content)
    return read_cell(read, table, table.first())


def parts(content: bytes) -> tuple[Layout, Any]:
    def read(offset: int, size: int) -> bytes:
        return content[offset : offset + size]

    return scan(read, len(content)), read


COLUMNS = [
    ("6B", "(3,2)", np.arange(12, dtype="u1").reshape(2, 2, 3), {}),
    ("2I", None, np.array([[-3, 4], [5, -6]], "i2"), {}),
    ("1J", None, np.array([[70000], [-70000]], "i4"), {}),
    ("2K", None, np.array([[1 << 40, 2], [3, 4]], "i8"), {}),
    ("4E", "(2,1,2)", np.arange(8, dtype="f4").reshape(2, 2, 1, 2) / 3, {}),
    ("2D", None, np.array([[np.nan, 1e300], [-0.0, 2.5]]), {}),
    ("2J", None, np.array([[0, -(1 << 31)], [7, 8]], "i4"), {"TZERO2": 1 << 31}),
    ("2K", None, np.array([[0, (1 << 63) - 1], [7, -8]], "i8"), {"TZERO2": 1 << 63}),
    ("2I", None, np.array([[15, 20], [0, -1]], "i2"), {"TSCAL2": 0.5, "TZERO2": 1.0}),
]


@pytest.mark.parametrize(("form", "dim", "values", "scale"), COLUMNS)
@pytest.mark.parametrize("row", [0, 1])
def test_cells_are_those_of_astropy(form: str, dim: str | None, values: Any, scale: Any, row: int) -> None:
    columns = [
        fits.Column("FIRST", "3X", array=np.ones((2, 3), bool)),
        fits.Column("A", form, dim=dim, array=values),
        fits.Column("LAST", "M", array=np.array([1j, 2])),
    ]
    content = written(*columns, scale=scale)
    table, read = opened(content)
    column = table.find("a")
    assert column is not None
    found = read_cell(read, table, column, row)
    with fits.open(io.BytesIO(content), uint=True) as file:
        expected = np.asarray(file["SOME"].data["A"][row])
    np.testing.assert_array_equal(found.reshape(expected.shape), expected)
    assert (found.dtype.kind == "f") is (expected.dtype.kind == "f")
    assert found.dtype.isnative


def test_texts_have_the_fastest_axis_as_their_length() -> None:
    content = written(fits.Column("T", "12A", dim="(4,3)", array=np.array([["ab", "abcd", "x"]])))
    assert first_cell(content).tolist() == [b"ab", b"abcd", b"x"]


def test_undefined_integers_are_no_numbers() -> None:
    content = written(fits.Column("N", "3J", null=-1, array=np.array([[1, -1, 3]], "i4")))
    assert first_cell(content).tolist() == pytest.approx([1, np.nan, 3], nan_ok=True)


def test_a_table_of_another_name_is_none() -> None:
    layout, _ = parts(written(fits.Column("A", "1J", array=[1])))
    assert find_table(layout, [{}, {}], "OTHER") is None


@pytest.mark.parametrize(
    ("card", "value", "reason"),
    [
        ("TFORM1", "4Y", "TFORM1 is '4Y'"),
        ("TFORM1", "4L", "type L, which is not read"),
        ("TFORM1", "900E", "NAXIS1 is 16, but its columns have 3600 bytes"),
        ("TFORM1", "0E", "has 4 values, TFORM1 only 0"),
        ("TDIM1", "(0,2)", "has 0 bytes"),
        ("TDIM1", "(3,2)", "has 6 values, TFORM1 only 4; correct it"),
        ("TDIM1", "2,2", r"must be like '\(2,3\)'"),
        ("TFIELDS", 1000, "TFIELDS is 1000"),
        ("TFIELDS", 0, "it has no columns"),
        ("NAXIS2", 0, "has 0 rows"),
        ("NAXIS2", 400, "declares 6400 bytes"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(card: str, value: Value, reason: str) -> None:
    plain = fits.Column("A", "4E", dim="(2,2)", array=np.ones((1, 2, 2), "f4"))
    content = written(plain, **{card: value})
    with pytest.raises((TableUnreadable, TruncatedFile), match=reason):
        first_cell(content)


def test_a_file_that_was_cut_meanwhile_is_noticed() -> None:
    content = written(fits.Column("A", "4E", array=np.ones((1, 4), "f4")))
    table, _ = opened(content)
    with pytest.raises(TableUnreadable, match=r"ends inside the column A of SOME \(HDU 1\)"):
        read_cell(lambda offset, size: content[offset : offset + size - 1], table, table.first())


def test_no_cell_is_larger_than_the_memory_for_it() -> None:
    content = written(fits.Column("A", "4E", array=np.ones((1, 4), "f4")))
    layout, _ = parts(content)
    values = read_values(layout.headers[1]) | {"TFORM1": "99999999999D", "NAXIS1": 799999999992}
    table = find_table(layout, [{}, values], "SOME")
    assert table is not None
    with pytest.raises(TableUnreadable, match="1 to 67108864 are read"):
        read_cell(lambda offset, size: pytest.fail("it is read"), table, table.first())
