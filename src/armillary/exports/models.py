"""The words of exports: what is to go where, what a destination has, how a file got there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from armillary.settings import DestinationSettings

MOST_SHOWN = 1000
"""Most exports of one kind in a list."""
PREFIX = "export:"
"""Every destination has a kind of work order of its own, so that a dead one delays only itself."""
HEADER_EXPORT = "header-export"
_DATE = re.compile(r"(?<![0-9])[0-9]{8}(?![0-9])")


class How(StrEnum):
    """How a destination came to have a version."""

    ALREADY = "already"
    HEADER = "header"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Cargo:
    """A file that shall be where a destination wants it: logical name, path here, batch it came with."""

    name: str
    path: str
    batch: str | None = None

    @property
    def place(self) -> str:
        """Path and name, what patterns are about."""
        return f"{self.path}/{self.name}" if self.path else self.name

    def fits(self, pattern: str) -> bool:
        """Tell whether a destination with this pattern wants the file."""
        return fnmatchcase(self.place, pattern)


@dataclass(frozen=True, slots=True)
class Held:
    """What a destination says it has under a name."""

    filename: str
    data_md5: str | None
    pending: bool
    lastmod: datetime | None


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to a look: what is there, and what the server can do."""

    held: Held | None
    features: frozenset[str]


@dataclass(frozen=True, slots=True)
class Parcel:
    """The bytes of an upload in a file without a name, with their sum."""

    filename: str
    file: BinaryIO
    size: int
    md5: str


@dataclass(frozen=True, slots=True)
class HeaderUpdate:
    """Cards that lead from one content to another; the digests are those of the uncompressed bytes."""

    extension: int
    cards: tuple[tuple[str, Any], ...]
    md5_before: str
    md5_after: str

    def item(self, name: str) -> dict[str, Any]:
        """Return the item of a header update request."""
        item: dict[str, Any] = {"filename": name, "values": {"generic": [list(card) for card in self.cards]}}
        if self.extension:
            item["extension"] = self.extension
        return item | {"if_data_md5": self.md5_before, "expect_data_md5": self.md5_after}


@dataclass(frozen=True, slots=True)
class Sent:
    """How an export ended well; ``sent_bytes`` counts the bodies of uploads and updates."""

    version_id: int
    data_md5: str
    how: How
    sent_bytes: int = 0
    updates: tuple[HeaderUpdate, ...] = field(default_factory=tuple)


def kind_of(destination: str) -> str:
    """Return the kind of the work orders of a destination."""
    return f"{PREFIX}{destination}"


def key_of(destination: str, cargo: Cargo) -> str:
    """Return what is unique of a file, its path and a destination."""
    return f"{PREFIX}{destination}:{cargo.place}"


def path_there(destination: DestinationSettings, cargo: Cargo, night: date | None) -> str:
    """Return the directory that a file has at a destination.

    Raises
    ------
    ValueError
        If the date is part of it, and neither the name of the file nor its frame tells one.
    """
    day = date_of(cargo.name) or night
    if day is None and "{date" in destination.path:
        raise ValueError(f"neither the name {cargo.name} nor its header tells the date that the path needs")
    path = destination.path.format(path=cargo.path, date=day or date.min)
    return "/".join(part for part in path.split("/") if part)


def date_of(name: str) -> date | None:
    """Return the date in a file name, if it has one."""
    for digits in _DATE.findall(name):
        try:
            return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
        except ValueError:
            continue
    return None


def as_json(sent: Sent) -> Mapping[str, Any]:
    """Return what a work order says of its end."""
    return {
        "how": str(sent.how),
        "version": sent.version_id,
        "data_md5": sent.data_md5,
        "sent_bytes": sent.sent_bytes,
    }
