"""The product of a file's tiles: one object with a table of contents, of which each tile is read by itself.

Behind the signature and the length of the contents come these as JSON, a table with an entry of 32 bytes for
each tile, and the tiles, compressed with gzip as browsers take them. Every tile has its checksum: the digest of
the whole object would cost reading it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from armillary.archive.errors import NoPreview
from armillary.fits.rasters import coarsest, tiles_at

if TYPE_CHECKING:
    # Whoever reads the catalog loads no arrays.
    from armillary.fits.bzip2.places import Mark

SIGNATURE = b"ARMTILE1"
_HEAD = struct.Struct("<8sI")
_ENTRY = struct.Struct("<QIIdd")
_LEVEL = 1
"""Of compression: pixels are mostly noise, and more effort gains a twentieth of their size."""
_GZIP = 31
FIRST_READ = 1 << 12

Read = Callable[[int, int], Awaitable[bytes]]
"""Returns the bytes from one place up to another."""


class Chart(msgspec.Struct, frozen=True):
    """An image in the contents: its tiles are entries of the table from ``first`` on, level by level, row by row.

    ``kind`` and ``blank`` are those of level 0, if it is there; it is ``cuttable`` if its tiles can be cut from
    the file on request. ``why`` tells why there are no tiles.
    """

    hdu: int
    width: int
    height: int
    finest: int = 1
    first: int = 0
    cuttable: bool = False
    kind: str = ""
    blank: int | None = None
    statistics: tuple[int, int] = (0, 0)
    why: str | None = None


class Contents(msgspec.Struct, frozen=True):
    """What an object has: its images, how many tiles they have, and where the lengths of bzip2 blocks are."""

    images: tuple[Chart, ...]
    tiles: int
    lengths: tuple[int, int] = (0, 0)

    def chart(self, hdu: int) -> Chart | None:
        """Return the image of an HDU."""
        return next((one for one in self.images if one.hdu == hdu), None)


@dataclass(frozen=True, slots=True)
class Stored:
    """A tile as it is in an object; no content if none of its pixels has a value."""

    content: bytes
    scale: float
    zero: float


def place_of(chart: Chart, level: int, column: int, row: int) -> int | None:
    """Return the number of a tile in the table; None if there is no such tile."""
    columns, rows = tiles_at(level, chart.width, chart.height)
    known = chart.finest <= level <= coarsest(chart.width, chart.height)
    if not known or column >= columns or row >= rows or min(column, row) < 0:
        return None
    before = sum(
        a * b for a, b in (tiles_at(one, chart.width, chart.height) for one in range(chart.finest, level))
    )
    return chart.first + before + row * columns + column


@dataclass(slots=True)
class Writer:
    """An object that is being made."""

    charts: list[Chart] = field(default_factory=list)
    entries: list[bytes] = field(default_factory=list)
    blobs: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, content: bytes) -> tuple[int, int]:
        """Compress bytes and take them in; return where they are and how many there are."""
        packed = zlib.compress(content, _LEVEL, wbits=_GZIP)
        self.blobs.append(packed)
        self.size += len(packed)
        return self.size - len(packed), len(packed)

    def entry(self, content: bytes | None, scale: float, zero: float) -> bytes:
        """Take a tile in and return its entry."""
        if content is None:
            return _ENTRY.pack(0, 0, 0, zero, scale)
        offset, size = self.add(content)
        return _ENTRY.pack(offset, size, zlib.crc32(self.blobs[-1]), zero, scale)

    def finish(self, lengths: Mapping[Mark, int]) -> bytes:
        """Return the object, with the lengths of the blocks of a bzip2 file."""
        place = self.add(msgspec.json.encode([(*mark, size) for mark, size in lengths.items()]))
        contents = msgspec.json.encode(Contents(tuple(self.charts), len(self.entries), place))
        return b"".join([_HEAD.pack(SIGNATURE, len(contents)), contents, *self.entries, *self.blobs])


@dataclass(frozen=True, slots=True)
class Atlas:
    """An opened object."""

    contents: Contents
    table: int
    read: Read

    @property
    def blobs(self) -> int:
        """Where the tiles begin."""
        return self.table + self.contents.tiles * _ENTRY.size

    async def tile(self, place: int) -> Stored:
        """Return a tile by its number in the table.

        Raises
        ------
        NoPreview
            If the object is damaged.
        """
        at = self.table + place * _ENTRY.size
        entry = await self.read(at, at + _ENTRY.size)
        if len(entry) < _ENTRY.size:
            raise lost()
        offset, size, crc, zero, scale = _ENTRY.unpack(entry)
        content = await self.read(self.blobs + offset, self.blobs + offset + size) if size else b""
        if len(content) != size or zlib.crc32(content) != crc:
            raise lost()
        return Stored(content, scale, zero)

    async def lengths(self) -> dict[Mark, int]:
        """Return the lengths of the blocks of the bzip2 file."""
        kept = await self.blob(self.contents.lengths)
        found = msgspec.json.decode(kept, type=list[tuple[int, int, int]])
        return {(crc, bits): size for crc, bits, size in found}

    async def blob(self, place: tuple[int, int]) -> bytes:
        """Return what was added at a place, unpacked."""
        offset, size = place
        packed = await self.read(self.blobs + offset, self.blobs + offset + size)
        try:
            return zlib.decompress(packed, _GZIP)
        except zlib.error:
            raise lost() from None


async def opened(read: Read) -> Atlas:
    """Open an object.

    Raises
    ------
    NoPreview
        If it is damaged.
    """
    start = await read(0, FIRST_READ)
    if start[:8] != SIGNATURE or len(start) < _HEAD.size:
        raise lost()
    length = _HEAD.unpack_from(start)[1]
    end = _HEAD.size + length
    if len(start) < end:
        start += await read(len(start), end)
    try:
        return Atlas(msgspec.json.decode(start[_HEAD.size : end], type=Contents), end, read)
    except msgspec.MsgspecError:
        raise lost() from None


def lost() -> NoPreview:
    """Return what is wrong with an object that is not as it was written."""
    return NoPreview("The tiles are lost; they are being made again.")
