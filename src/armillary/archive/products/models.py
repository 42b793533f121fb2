"""The words of products: what is derived from the bytes of a version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

from armillary.archive.catalog.models import HduRecord


class Kept(NamedTuple):
    """A picture in the store of products; ``width`` and ``height`` in pixels."""

    kind: str
    key: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Made:
    """A product as its builder hands it over; ``width`` and ``height`` in pixels, if it is a picture.

    ``source`` is a word for what it was made of, if not the data of the version, and ``options`` what it depends
    on besides the settings.
    """

    kind: str
    media_type: str
    content: bytes
    width: int | None = None
    height: int | None = None
    source: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lack:
    """A product that there is not, and why; ``lasting`` if what was made before is of no use either."""

    kind: str
    reason: str
    source: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    lasting: bool = True


class Data(Protocol):
    """What is known of the data of a version, recorded or not."""

    @property
    def hdus(self) -> Sequence[HduRecord]:
        """Size and checksum of the data of every HDU."""
        ...

    @property
    def trailing(self) -> int:
        """How many bytes follow the last HDU."""
        ...

    @property
    def trailing_crc(self) -> int:
        """Their checksum."""
        ...


def data_of(version: Data) -> list[tuple[int, int]]:
    """Return size and checksum of the data of every HDU, and of what follows the last: what no edit changes."""
    data = [(hdu.data_size, hdu.data_crc) for hdu in version.hdus]
    return [*data, (version.trailing, version.trailing_crc)]


def fingerprint(version: Data) -> str:
    """Return a word for the data of a version; versions that differ in headers alone have the same."""
    return blake2b(repr(data_of(version)).encode(), digest_size=12).hexdigest()


def may_have_tiles(of: Data, tiles_px: int) -> bool:
    """Tell whether an image may be so large, or packed in such a way, that it is looked at in tiles."""
    return any(hdu.data_size > tiles_px**2 or hdu.kind == "BINTABLE" for hdu in of.hdus)
