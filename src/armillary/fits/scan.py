"""The structure of a FITS file from its headers alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod

from armillary.fits.cards import find_end, is_end, keyword_of, parse_card
from armillary.fits.errors import (
    BrokenStructure,
    EmptyFile,
    HeaderTooLong,
    HeaderWithoutEnd,
    NotFits,
    TruncatedFile,
)
from armillary.fits.models import BLOCK, CARD, Hdu, Layout, ReadAt, Value

_FIRST_READ = 10 * BLOCK
_NEXT_READ = 4 * BLOCK
_BITPIX = frozenset({8, 16, 32, 64, -32, -64})
_MAX_AXES = 999
STRUCTURAL = frozenset(
    (
        *("XTENSION", "BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "GROUPS", "EXTNAME", "EXTVER"),
        *(f"NAXIS{axis}" for axis in range(1, _MAX_AXES + 1)),
    )
)
"""Keywords that, with the first one, tell what HDUs a file has and where."""
_STRUCTURAL = frozenset(f"{keyword:<8}".encode("ascii") for keyword in STRUCTURAL)
_FIRST_LETTERS = re.compile(b"[%s]" % bytes({field[0] for field in _STRUCTURAL}))
_MAGIC = {b"BZh": "bzip2", b"\x1f\x8b": "gzip", b"\x1f\x9d": "compress", b"\x28\xb5\x2f\xfd": "zstd"}


def scan(read: ReadAt, size: int, *, max_header: int = 64 << 20) -> Layout:
    """Find every HDU of a file of ``size`` bytes without reading data.

    Bytes after the last HDU (special records, junk) are counted in ``Layout.trailing``. A file that lacks
    only the fill after its last data is accepted; ``trailing`` is then minus the missing bytes.

    Parameters
    ----------
    max_header
        Bytes that all headers together may have.

    Raises
    ------
    EmptyFile, NotFits, TruncatedFile, HeaderTooLong, HeaderWithoutEnd, BrokenStructure
        If this is no whole FITS file.
    """
    window = _Window(read, size)
    hdus: list[Hdu] = []
    headers: list[bytes] = []
    at = 0
    while at < size or not hdus:
        if not _begins_hdu(window.peek(at, CARD), at):
            break
        header = _read_header(window, at, max_header, len(hdus))
        max_header -= len(header)
        hdu, declared = _describe(header, at, len(hdus))
        if hdu.data_offset + declared > size:
            raise TruncatedFile(
                f"HDU {hdu.index} declares {declared} bytes of data from byte {hdu.data_offset}, but the file"
                f" has only {size} bytes; copy or upload it again"
            )
        hdus.append(hdu)
        headers.append(header)
        at = hdu.end
    return Layout(tuple(hdus), tuple(headers), size, size - at)


@dataclass(slots=True)
class _Window:
    """The bytes read last: small HDUs lie within one read."""

    read: ReadAt
    size: int
    start: int = 0
    held: bytes = field(default=b"", repr=False)

    def peek(self, at: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``at``, fewer only at the end of the file."""
        stop = min(at + length, self.size)
        if not (self.start <= at and stop <= self.start + len(self.held)):
            self.start = at
            self.held = self.read(at, max(length, _NEXT_READ if at else _FIRST_READ))
        return self.held[at - self.start : at - self.start + length]

    def rest(self, at: int) -> bytes:
        """Return what is already here from ``at`` on."""
        return self.held[at - self.start :]


def _begins_hdu(card: bytes, at: int) -> bool:
    """Tell whether an HDU begins with this card; at the start of a file anything else is an error."""
    if at:
        return card[:8] == b"XTENSION"
    if not card:
        raise EmptyFile
    if card[:9] != b"SIMPLE  =":
        kind = next((name for magic, name in _MAGIC.items() if card.startswith(magic)), None)
        found = f"is {kind} data; decompress it first" if kind else f"begins with {card[:9]!r}"
        raise NotFits(
            f"The file {found}, so it is not FITS, which begins with a SIMPLE card; remove or rename it"
        )
    return True


def _read_header(window: _Window, at: int, budget: int, index: int) -> bytes:
    """Return the header at ``at``, whole blocks, in reads that double until END appears."""
    pieces = [window.rest(at)]
    length = len(pieces[0])
    while (end := find_end(pieces[-1])) < 0:
        if length >= budget:
            raise HeaderTooLong(f"No END in the first {length} bytes of the header of HDU {index}")
        piece = window.read(at + length, length)
        if not piece:
            raise HeaderWithoutEnd(
                f"The header of HDU {index} has no END card before the end of the file; copy or upload it again"
            )
        pieces.append(piece)
        length += len(piece)
    end += length - len(pieces[-1])
    size = end - end % BLOCK + BLOCK
    if size > budget:
        raise HeaderTooLong(f"The headers up to HDU {index} need {size - budget} bytes more than accepted")
    if length < size:
        raise TruncatedFile(f"The file ends inside the last header block of HDU {index}; copy it again")
    return b"".join(pieces)[:size]


def _describe(header: bytes, at: int, index: int) -> tuple[Hdu, int]:
    """Return the HDU that a header describes and the bytes of data it declares, fill not counted."""
    values = _structure(header)
    try:
        declared = _data_bytes(values)
    except BrokenStructure as error:
        raise BrokenStructure(f"HDU {index}: {error.message}") from None
    kind, name, version = values.get("XTENSION"), values.get("EXTNAME"), values.get("EXTVER")
    hdu = Hdu(
        index=index,
        kind=kind.upper() if index and isinstance(kind, str) else "PRIMARY",
        name=name if isinstance(name, str) else "",
        version=version if type(version) is int else 1,
        header_offset=at,
        header_size=len(header),
        data_size=declared + -declared % BLOCK,
    )
    return hdu, declared


def _structure(header: bytes) -> dict[str, Value]:
    """Return the values of the structural keywords only: a fraction of the work of all values."""
    found: dict[bytes, int] = {}
    # Few cards have the first letter of a structural keyword, and the first letters are few bytes to search.
    for match in _FIRST_LETTERS.finditer(header[::CARD]):
        at = match.start() * CARD
        field = header[at : at + 8]
        if field in _STRUCTURAL:
            found.setdefault(field, at)
        elif is_end(field):
            break
    return {keyword_of(field): _card_value(header[at : at + CARD]) for field, at in found.items()}


@lru_cache(maxsize=1 << 12)
def _card_value(card: bytes) -> Value:
    """Return the value of a structural card; most are the same in all HDUs of an instrument."""
    return parse_card(card).value


def data_size(values: Mapping[str, Value]) -> int:
    """Return the bytes of data, fill included, that structural keywords declare.

    The size is ``|BITPIX| / 8 * GCOUNT * (PCOUNT + NAXIS1 * ... * NAXISn)``; random groups leave out
    NAXIS1 = 0 (FITS 4.0, sections 4.4.1 and 6.1).

    Raises
    ------
    BrokenStructure
        If a keyword is missing or impossible.
    """
    declared = _data_bytes(values)
    return declared + -declared % BLOCK


def declared_size(header: bytes) -> int:
    """Return the bytes of data that a header declares, fill not counted.

    Raises
    ------
    BrokenStructure
        If a keyword is missing or impossible.
    """
    return _data_bytes(_structure(header))


def _data_bytes(values: Mapping[str, Value]) -> int:
    bitpix = _integer(values, "BITPIX")
    if bitpix not in _BITPIX:
        raise BrokenStructure(f"BITPIX is {bitpix}; it must be one of 8, 16, 32, 64, -32, -64")
    naxis = _integer(values, "NAXIS")
    if naxis > _MAX_AXES:
        raise BrokenStructure(f"NAXIS is {naxis}; at most {_MAX_AXES} axes are possible")
    if not naxis:
        return 0
    axes = [_integer(values, f"NAXIS{n}") for n in range(1, naxis + 1)]
    groups = axes[0] == 0 and values.get("GROUPS") is True
    elements = prod(axes[1:] if groups else axes)
    return abs(bitpix) // 8 * _integer(values, "GCOUNT", 1) * (_integer(values, "PCOUNT", 0) + elements)


def _integer(values: Mapping[str, Value], keyword: str, default: int | None = None) -> int:
    """Return a non-negative integer; BITPIX may be negative."""
    value = values.get(keyword)
    if value is None and default is not None:
        return default
    if type(value) is not int or (value < 0 and keyword != "BITPIX"):
        found = "has no value" if value is None else f"is {value!r}"
        raise BrokenStructure(f"{keyword} {found}; it must be an integer, so the size of the data is unknown")
    return value
