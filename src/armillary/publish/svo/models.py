"""The words of publishing: keywords of a dataset, records here and there, what differs, what is to be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

Json = Any
"""What JSON can hold."""
LARGEST_BODY = 2_500_000
"""Bytes of a request; the server fails on larger ones, always."""
LONGEST_TAG = 30
HEADER, LOCATION, TAGS = "fits_header", "data_location", "tags"


class KeywordType(StrEnum):
    """What values a field holds."""

    TEXT = "text"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    REAL = "real"
    TIME = "time (ISO 8601)"


@dataclass(frozen=True, slots=True)
class Keyword:
    """A field of the records of a dataset: its name there, and the FITS keyword that fills it."""

    name: str
    keyword: str
    type: KeywordType


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset there: its address, that of the list of its records, its keywords."""

    name: str
    uri: str
    records: str
    keywords: tuple[Keyword, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the file of a record can be had.

    ``spare_path`` takes the place of the path if that is another record's.
    """

    file_url: str
    file_size: int
    file_path: str
    thumbnail_url: str | None = None
    offline: bool = False
    spare_path: str = field(default="", compare=False)

    def body(self) -> dict[str, Json]:
        """Return the fields as they are sent."""
        return {
            "file_url": self.file_url,
            "file_size": self.file_size,
            "file_path": self.file_path,
            "thumbnail_url": self.thumbnail_url,
            "offline": self.offline,
        }

    def beside(self) -> Place:
        """Return the same with the other path."""
        return replace(self, file_path=self.spare_path)

    def at(self, path: str) -> Place:
        """Return the same with the path that a record has there, if it is one of the two."""
        return self.beside() if path == self.spare_path else self


@dataclass(frozen=True, slots=True)
class StoredPlace:
    """A location there."""

    uri: str
    dataset: str
    place: Place

    @property
    def id(self) -> str:
        """Its number, by which records are searched."""
        return self.uri.rstrip("/").rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Draft:
    """A record as the archive would have it: fields by name, the text of the header, place and tags.

    A field without a value is None. ``warnings`` tell what was left out.
    """

    oid: str
    fields: Mapping[str, Json]
    header: str
    place: Place
    tags: frozenset[str] | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """A record there, normalised: fields by name, header, location, tags."""

    oid: str
    fields: Mapping[str, Json]
    header: str
    location: StoredPlace | None
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of a record there: a digest of its fields, and where its location is."""

    digest: str
    place: Place | None
    location: str | None


@dataclass(frozen=True, slots=True)
class Product:
    """What is remembered of a frame here; with a ``reason`` it is not published.

    The ``rank`` tells which of two files of one oid is: a cube before others, then the later header.
    """

    oid: str
    file_id: int
    file: str
    digest: str
    place: Place | None
    rank: tuple[bool, str, int] = (False, "", 0)
    reason: str = ""
    failed: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that is otherwise here than there."""

    field: str
    old: Json
    new: Json


class Action(StrEnum):
    """What is done to a record."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    TIDY = "tidy"
    """A location that no record uses is removed."""
    UNCHANGED = "unchanged"
    SKIP = "skip"
    FAIL = "fail"
    """It cannot be sent as it is."""


class Outcome(StrEnum):
    """How a step ended; in a plan, how it would end."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(slots=True)
class Step:
    """One record, what is to be done to it and why, and how that went."""

    action: Action
    oid: str
    file: str = ""
    file_id: int = 0
    reason: str = ""
    differences: tuple[Difference, ...] = ()
    warnings: tuple[str, ...] = ()
    place: Place | None = None
    digest: str = ""
    location: str | None = None
    outcome: Outcome | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A record that is there as it should be: of which file it was made, and a digest of all that was sent."""

    dataset: str
    oid: str
    file_id: int
    digest: str
