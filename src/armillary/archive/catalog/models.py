"""The record of one byte state of a file, with the headers that make every earlier state recoverable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import zstandard

from armillary.access.models import Level
from armillary.archive.errors import HeadersForgotten
from armillary.archive.models import Identity
from armillary.base.place import path_of
from armillary.base.store.errors import RootNotClaimed
from armillary.fits.crc import crc64, crc64_fold
from armillary.fits.models import Hdu, Layout

JsonObject = dict[str, Any]
_SIGN = 1 << 63
REASON_TYPE = "text/plain"
"""A product of this type is none, but says why there is none."""
FAILURE = "failure"
"""What the parameters of a product call the reason why it could not be made when that was tried last."""


class Origin(StrEnum):
    """How a version came to be."""

    INGEST = "ingest"
    UPLOAD = "upload"
    EDIT = "edit"
    REVERT = "revert"


@dataclass(frozen=True, slots=True)
class Root:
    """Where files lie: the store of Armillary itself, a tree adopted where it stands, or a store elsewhere.

    Its files are a collection.

    Parameters
    ----------
    url
        ``file://`` for a directory of this machine; the scheme says which kind of store holds the files.
    in_place
        Whether live files may be patched where they are.
    watched
        Whether files that appear there are taken in by themselves; of directories of this machine alone.
    claimed
        False for one that may only be read, since another archive may be changing it.
    visibility
        What strangers are told of each file before its release.
    identity
        What makes its files the same files: their names, or directories and names.
    profile
        What each of its files is, if it is an ingestion root: they are taken in one by one.
    """

    id: int
    name: str
    url: str
    in_place: bool
    watched: bool = False
    claimed: bool = True
    visibility: Level = Level.METADATA
    identity: Identity = Identity.UNIQUE
    profile: str | None = None

    @property
    def path(self) -> Path | None:
        """The directory of this machine, or None if the files are not in one."""
        return path_of(self.url)

    @property
    def is_there(self) -> bool:
        """Whether it can be looked into: a disk may not be mounted. Blocks for a moment."""
        return self.path is None or self.path.is_dir()

    def shown(self, key: str = "") -> str:
        """Return where a file is, for people."""
        if self.path is not None:
            return str(self.path / key)
        return f"{self.url.rstrip('/')}/{key}" if key else self.url

    def refusal(self, what: str) -> RootNotClaimed | None:
        """Return why nothing may be changed here, None if it may; ``what`` is left undone."""
        return None if self.claimed else RootNotClaimed.of(self.name, what)


@dataclass(frozen=True, slots=True)
class Location:
    """Where a stored file is: a root, the directory below it, and the name."""

    root_id: int
    path: str
    filename: str

    def __reduce__(self) -> tuple[type[Location], tuple[int, str, str]]:
        # That of data classes looks its fields up for each of the thousands that are handed to other processes.
        return Location, (self.root_id, self.path, self.filename)

    @classmethod
    def of_key(cls, root_id: int, key: str) -> Location:
        """Return where the file of a key is."""
        path, _, filename = key.rpartition("/")
        return cls(root_id, path, filename)

    @property
    def key(self) -> str:
        """The key in the object store of the root."""
        return f"{self.path}/{self.filename}" if self.path else self.filename

    @property
    def file_key(self) -> str:
        """The identity by which work orders of one stored file exclude each other."""
        return f"{self.root_id}:{self.key}"


@dataclass(frozen=True, slots=True)
class Presence:
    """That the catalog believes a version to be in storage: where, and which file on the disk it was."""

    version_id: int
    name: str
    identity: str
    location: Location


@dataclass(frozen=True, slots=True)
class HduRecord:
    """What the catalog keeps of one HDU besides its header: sizes in bytes, the CRC-64/NVME of its data.

    ``data_sum`` is their ones'-complement sum, as DATASUM has it. It is known once digests are, of HDUs that
    have a DATASUM.
    """

    kind: str
    name: str
    version: int
    header_size: int
    data_size: int
    data_crc: int
    data_sum: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Version:
    """One byte state of a file at one path; ``file_*`` speak of stored bytes, ``data_*`` of uncompressed ones."""

    id: int
    file_id: int
    name: str
    location: Location
    container: str
    present: bool
    canonical: bool
    file_size: int
    data_size: int
    file_crc: int
    data_crc: int
    file_md5: str | None
    data_md5: str | None
    file_sha256: str | None
    data_sha256: str | None
    mtime_ns: int
    identity: str
    lastmod: datetime
    entrytime: datetime
    hdus: tuple[HduRecord, ...]
    trailing: int
    trailing_crc: int
    packed_headers: bytes
    series_headers: bytes | None
    origin: str
    previous_id: int | None
    undo: str | None

    @property
    def is_whole(self) -> bool:
        """Whether the headers are kept still, as those of all versions are that may be served or undone."""
        return bool(self.packed_headers)

    def headers(self) -> tuple[bytes, ...]:
        """Return the exact header bytes of every HDU.

        Raises
        ------
        HeadersForgotten
            If they are past retention.
        """
        if not self.is_whole:
            raise HeadersForgotten
        sizes = [hdu.header_size for hdu in self.hdus]
        return unpack_headers(self.packed_headers, sizes, self.series_headers)

    @property
    def is_fits(self) -> bool:
        """Whether it has headers; a version of another medium has none, and all of it is trailing bytes."""
        return bool(self.hdus)

    @property
    def place(self) -> str:
        """The path of the file below its root, under its logical name."""
        return f"{self.location.path}/{self.name}" if self.location.path else self.name

    def presence(self) -> Presence:
        """Return where the version is believed to be."""
        return Presence(self.id, self.name, self.identity, self.location)

    def layout(self) -> Layout:
        """Return where everything lies in the uncompressed file."""
        return layout_of(self.hdus, self.headers(), self.trailing)


def layout_of(hdus: Sequence[HduRecord], headers: Sequence[bytes], trailing: int) -> Layout:
    """Return the layout of HDUs that follow each other from the first byte."""
    offset, placed = 0, []
    for index, (hdu, header) in enumerate(zip(hdus, headers, strict=True)):
        placed.append(Hdu(index, hdu.kind, hdu.name, hdu.version, offset, len(header), hdu.data_size))
        offset += len(header) + hdu.data_size
    return Layout(tuple(placed), tuple(headers), offset + trailing, trailing)


def crc_of(headers: Sequence[bytes], hdus: Sequence[HduRecord], trailing: int, trailing_crc: int) -> int:
    """Return the checksum of the whole file from its headers and the checksums of its data.

    CRCs of neighbours combine without the bytes, so a header edit costs the header whatever the file size.
    """
    parts: list[tuple[int, int]] = []
    for header, hdu in zip(headers, hdus, strict=True):
        parts += [(crc64(header), len(header)), (hdu.data_crc, hdu.data_size)]
    # Some writers leave out the fill after the last data: then ``trailing`` is minus the missing bytes.
    parts.append(
        (trailing_crc, trailing) if trailing >= 0 else (parts.pop()[0], hdus[-1].data_size + trailing)
    )
    return crc64_fold(parts)


def unpack_headers(packed: bytes, sizes: Sequence[int], series_headers: bytes | None) -> tuple[bytes, ...]:
    """Return the headers that were packed, given their sizes and the headers of their series."""
    known = _dictionary(series_headers) if series_headers is not None else None
    joined = zstandard.ZstdDecompressor(dict_data=known).decompress(packed)
    headers, start = [], 0
    for size in sizes:
        headers.append(joined[start : start + size])
        start += size
    return tuple(headers)


@lru_cache(maxsize=256)
def _dictionary(series_headers: bytes) -> zstandard.ZstdCompressionDict:
    first = zstandard.ZstdDecompressor().decompress(series_headers)
    return zstandard.ZstdCompressionDict(first, dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def hdus_to_json(hdus: Sequence[HduRecord], trailing: int, trailing_crc: int) -> JsonObject:
    """Return the column that holds the layout."""
    return {
        "hdus": [_hdu_to_json(hdu) for hdu in hdus],
        "trailing": [trailing, trailing_crc],
    }


def _hdu_to_json(hdu: HduRecord) -> list[str | int]:
    row: list[str | int] = [hdu.kind, hdu.name, hdu.version, hdu.header_size, hdu.data_size, hdu.data_crc]
    return row if hdu.data_sum is None else [*row, hdu.data_sum]


def with_sums(hdus: Sequence[HduRecord], sums: Mapping[int, int]) -> tuple[HduRecord, ...]:
    """Return the records with the sums of data that have become known, by index."""
    return tuple(replace(hdu, data_sum=sums.get(index, hdu.data_sum)) for index, hdu in enumerate(hdus))


def hdus_from_json(column: JsonObject) -> tuple[tuple[HduRecord, ...], int, int]:
    """Return HDU records, number of trailing bytes and their checksum."""
    trailing, crc = column["trailing"]
    return tuple(HduRecord(*fields) for fields in column["hdus"]), trailing, crc


def to_signed(crc: int) -> int:
    """Return a 64-bit checksum as PostgreSQL's bigint holds it."""
    return crc - (1 << 64) if crc & _SIGN else crc


def from_signed(column: int) -> int:
    """Return the checksum that a bigint holds."""
    return column & ((1 << 64) - 1)


@dataclass(frozen=True, slots=True)
class Product:
    """A product on record: an object in the store of products, or the reason why there is none."""

    version_id: int
    kind: str
    media_type: str
    sha256: str
    key: str | None
    content: bytes | None

    @property
    def reason(self) -> str | None:
        """Why there is no such product, if that is what the record says."""
        return (self.content or b"").decode() if self.media_type == REASON_TYPE else None


@dataclass(frozen=True, slots=True)
class MadeProduct:
    """A product on record, or the lack of one: by which step of its builder, with what, of what it was made."""

    product: Product
    step: int
    parameters: Mapping[str, Any]
    source: str | None

    @property
    def failure(self) -> str | None:
        """Why it could not be made when that was tried last, if so."""
        found = self.parameters.get(FAILURE)
        return None if found is None else str(found)
