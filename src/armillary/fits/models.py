"""The words of FITS bytes: cards, HDUs, layouts, edit plans. Values only; nothing here does I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

CARD = 80
BLOCK = 2880

Value = bool | int | float | complex | str | None
"""What a card can hold; ``None`` is the undefined value (FITS 4.0, section 4.1.2.3)."""

ReadAt = Callable[[int, int], bytes]
"""``read(offset, size)``: up to ``size`` bytes from ``offset``, fewer only at the end."""

DataSum = Callable[[], int]
"""Returns the 32-bit ones'-complement sum of the data of one HDU; asking may cost reading them."""


@dataclass(frozen=True, slots=True)
class Card:
    """One logical card: a keyword with its value, comment and the bytes that said so.

    ``raw`` is 80 bytes, or a multiple of 80 when CONTINUE cards belong to it.
    """

    keyword: str
    value: Value
    comment: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Hdu:
    """Where one header-data unit lies; all sizes in bytes, all but ``index`` multiples of 2880."""

    index: int
    kind: str
    name: str
    version: int
    header_offset: int
    header_size: int
    data_size: int

    @property
    def data_offset(self) -> int:
        """First byte of the data."""
        return self.header_offset + self.header_size

    @property
    def end(self) -> int:
        """First byte after the unit."""
        return self.data_offset + self.data_size


@dataclass(frozen=True, slots=True)
class Layout:
    """Every HDU of a file with the exact bytes of its header.

    ``size`` is the number of bytes of the uncompressed file, ``trailing`` how many of them follow the last HDU;
    it is negative where only the fill after the last data is missing, by so many bytes.
    """

    hdus: tuple[Hdu, ...]
    headers: tuple[bytes, ...]
    size: int
    trailing: int = 0


@dataclass(frozen=True, slots=True)
class CardChange:
    """A wish: let ``keyword`` have ``value``. COMMENT and HISTORY append.

    ``comment`` is what the card shall say of it; None leaves the comment that is there.
    """

    keyword: str
    value: Value
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class CardEffect:
    """What a change did to a header: values before and after, and the bytes of both.

    ``old_raw`` is empty for a created card. ``comment_cut`` is the comment text that no longer fitted.
    """

    keyword: str
    old: Value
    new: Value
    created: bool
    old_raw: bytes
    new_raw: bytes
    comment_cut: str = ""


@dataclass(frozen=True, slots=True)
class HeaderEdit:
    """A new header (whole blocks) and what changed in it; ``effects`` is empty for a no-op."""

    header: bytes
    effects: tuple[CardEffect, ...]


@dataclass(frozen=True, slots=True)
class Splice:
    """Replace ``old`` at ``offset`` (of the file before the edit) by ``new``; the lengths may differ."""

    offset: int
    old: bytes
    new: bytes


@dataclass(frozen=True, slots=True)
class EditPlan:
    """The bytes to replace in an uncompressed FITS file, in rising order of offset, not overlapping."""

    splices: tuple[Splice, ...]
    size_before: int

    @property
    def size_after(self) -> int:
        """Size of the file when the plan is carried out."""
        return self.size_before + sum(len(s.new) - len(s.old) for s in self.splices)

    @property
    def in_place(self) -> bool:
        """Whether no byte has to move."""
        return all(len(s.new) == len(s.old) for s in self.splices)

    def inverse(self) -> EditPlan:
        """Return the plan that undoes this one, byte for byte."""
        moved, back = 0, []
        for s in self.splices:
            back.append(Splice(s.offset + moved, s.new, s.old))
            moved += len(s.new) - len(s.old)
        return EditPlan(tuple(back), self.size_after)
