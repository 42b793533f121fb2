"""The words of products: what is derived from the bytes of a version."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Made:
    """A product as its builder hands it over; ``width`` and ``height`` in pixels, if it is a picture."""

    kind: str
    media_type: str
    content: bytes
    width: int | None = None
    height: int | None = None
