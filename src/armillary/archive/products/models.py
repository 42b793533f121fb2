"""The words of products: what is derived from the bytes of a version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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
