"""Zip files that are written while they are sent: every byte of them is known in advance.

Members are stored as they are, with ZIP64 fields (APPNOTE 6.3.10, section 4.5.3). Sizes and checksums are known
from the catalog, so that the length of the whole and the place of every byte in it are arithmetic: a transfer can
be resumed, and one selection gives the same bytes each time.
"""

from __future__ import annotations

import hashlib
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import accumulate
from zlib import crc32

VERSION, FLAGS, STORED = 45, 0x0800, 0
"""ZIP64; names are UTF-8; no compression."""
DEFERRED = 0x0008
"""The flag of members whose checksum stands behind their bytes (APPNOTE 6.3.10, section 4.4.4)."""
LOCAL, CENTRAL, END64, LOCATOR, END = 0x04034B50, 0x02014B50, 0x06064B50, 0x07064B50, 0x06054B50
DESCRIPTOR = struct.Struct("<IIQQ")
DESCRIBES = 0x08074B50
FULL16, FULL32 = 0xFFFF, 0xFFFFFFFF
REGULAR = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a zip: its name there, size in bytes, CRC-32 and time."""

    name: str
    size: int
    crc32: int
    modified: datetime
    content: bytes | None = None
    """The bytes themselves, of small members that are made for the zip."""
    deferred: bool = False
    """Whether the checksum is known only when the bytes have passed."""

    @property
    def flags(self) -> int:
        """The general purpose flags."""
        return FLAGS | DEFERRED if self.deferred else FLAGS

    @property
    def descriptor(self) -> bytes:
        """What stands behind the bytes."""
        return DESCRIPTOR.pack(DESCRIBES, self.crc32, self.size, self.size) if self.deferred else b""


def made_member(name: str, content: bytes, modified: datetime) -> Member:
    """Return a member that is made for the zip."""
    return Member(name, len(content), crc32(content), modified, content)


Read = Callable[[int, int, int], Iterator[bytes]]
"""Yields the bytes of a member, given its position, from one offset up to another."""


@dataclass(frozen=True)
class ZipLayout:
    """Where everything in a zip is."""

    members: Sequence[Member]

    @cached_property
    def heads(self) -> list[bytes]:
        """What stands before the bytes of each member."""
        return [_local_header(one) for one in self.members]

    @cached_property
    def _starts(self) -> list[int]:
        """Offset of the header of each member, and of the directory behind them."""
        lengths = (
            len(head) + one.size + len(one.descriptor)
            for head, one in zip(self.heads, self.members, strict=True)
        )
        return [0, *accumulate(lengths)]

    @cached_property
    def directory(self) -> bytes:
        """The central directory and what follows it."""
        entries = b"".join(map(_central_header, self.members, self._starts))
        start, count = self._starts[-1], len(self.members)
        end64 = struct.pack(
            "<IQHHIIQQQQ", END64, 44, VERSION, VERSION, 0, 0, count, count, len(entries), start
        )
        locator = struct.pack("<IIQI", LOCATOR, 0, start + len(entries), 1)
        end = struct.pack("<IHHHHIIH", END, 0, 0, FULL16, FULL16, FULL32, FULL32, 0)
        return entries + end64 + locator + end

    @property
    def size(self) -> int:
        """Bytes of the whole."""
        return self._starts[-1] + len(self.directory)

    @cached_property
    def etag(self) -> str:
        """A strong entity tag: all bytes follow from the directory and the bytes that its checksums are of."""
        return f'"{hashlib.sha256(self.directory).hexdigest()[:32]}"'

    def chunks(self, start: int, stop: int, read: Read) -> Iterator[bytes]:
        """Yield the bytes from ``start`` up to ``stop``; the checksums of all members have to be known."""
        position = bisect_right(self._starts, start, hi=len(self.members)) - 1
        for number in range(max(position, 0), len(self.members)):
            begin, head, member = self._starts[number], self.heads[number], self.members[number]
            if begin >= stop:
                return
            yield from _cut(head, start - begin, stop - begin)
            data = begin + len(head)
            first, last = max(start - data, 0), min(stop - data, member.size)
            if first < last:
                yield from (
                    read(number, first, last) if member.content is None else [member.content[first:last]]
                )
        yield from _cut(self.directory, start - self._starts[-1], stop - self._starts[-1])


def _cut(data: bytes, start: int, stop: int) -> list[bytes]:
    piece = data[max(start, 0) : max(stop, 0)]
    return [piece] if piece else []


def _local_header(member: Member) -> bytes:
    name, (day, time) = member.name.encode(), _dos(member.modified)
    size, checksum = (0, 0) if member.deferred else (member.size, member.crc32)
    extra = struct.pack("<HHQQ", 1, 16, size, size)
    head = struct.pack(
        "<IHHHHHIIIHH",
        *(LOCAL, VERSION, member.flags, STORED, time, day, checksum, FULL32, FULL32, len(name), len(extra)),
    )
    return head + name + extra


def _central_header(member: Member, offset: int) -> bytes:
    name, (day, time) = member.name.encode(), _dos(member.modified)
    extra = struct.pack("<HHQQQ", 1, 24, member.size, member.size, offset)
    head = struct.pack(
        "<IHHHHHHIIIHHHHHII",
        *(CENTRAL, 3 << 8 | VERSION, VERSION, member.flags, STORED, time, day, member.crc32, FULL32, FULL32),
        *(len(name), len(extra), 0, 0, 0, REGULAR, FULL32),
    )
    return head + name + extra


def _dos(instant: datetime) -> tuple[int, int]:
    """Return date and time as MS-DOS has them: from 1980 on, in steps of two seconds."""
    year = min(max(instant.year, 1980), 2107) - 1980
    day = year << 9 | instant.month << 5 | instant.day
    return day, instant.hour << 11 | instant.minute << 5 | instant.second // 2
