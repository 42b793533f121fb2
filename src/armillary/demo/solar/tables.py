"""Binary tables of one row, whose cells hold arrays: the form of SOLARNET's extensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.fits.cards import format_card

CODES = {"i4": "J", "f4": "E", "f8": "D"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A column of one cell: its name, its values in the order of memory, and its axes in the order of FITS."""

    name: str
    values: NDArray[Any]
    axes: tuple[int, ...]
    unit: str = ""

    @property
    def form(self) -> str:
        """TFORM: how many values of what type."""
        return f"{self.values.size}{CODES[self.values.dtype.str[1:]]}"

    @property
    def content(self) -> bytes:
        """The bytes of the cell."""
        return self.values.astype(self.values.dtype.newbyteorder(">")).tobytes()


@dataclass(frozen=True, slots=True)
class TextCell:
    """A column of one cell of texts of one length, which is its fastest axis."""

    name: str
    texts: Sequence[str]
    axes: tuple[int, ...]
    unit: str = ""

    @property
    def form(self) -> str:
        """TFORM: how many characters."""
        return f"{len(self.content)}A"

    @property
    def content(self) -> bytes:
        """The bytes of the cell."""
        return "".join(self.texts).encode("ascii")


def table(name: str, cells: Sequence[Cell | TextCell]) -> tuple[list[bytes], bytes]:
    """Return the cards of an extension, without END, and its data."""
    data = b"".join(cell.content for cell in cells)
    cards = [
        format_card("XTENSION", "BINTABLE", "Binary table extension"),
        format_card("BITPIX", 8),
        format_card("NAXIS", 2),
        format_card("NAXIS1", len(data), "Bytes of a row"),
        format_card("NAXIS2", 1, "Rows"),
        format_card("PCOUNT", 0),
        format_card("GCOUNT", 1),
        format_card("TFIELDS", len(cells)),
        format_card("EXTNAME", name),
    ]
    for number, cell in enumerate(cells, 1):
        cards += _column(number, cell)
    return cards, data


def _column(number: int, cell: Cell | TextCell) -> list[bytes]:
    cards = [
        format_card(f"TTYPE{number}", cell.name),
        format_card(f"TFORM{number}", cell.form),
        format_card(f"TDIM{number}", f"({','.join(map(str, cell.axes))})"),
    ]
    return [*cards, format_card(f"TUNIT{number}", cell.unit)] if cell.unit else cards


def whole(values: Sequence[int]) -> NDArray[np.int32]:
    """Return integers of 32 bits."""
    return np.asarray(values, np.int32)
