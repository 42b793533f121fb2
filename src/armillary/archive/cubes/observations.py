"""Which cubes belong together: those of one pointing of the telescope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from armillary.archive.cubes.reading import text_of
from armillary.fits.models import Value

TAGS: Final = ("grouped", "mosaic")
"""What POINT_ID may end in, behind an underscore."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """Cubes of equal ``key`` are one observation; ``tag`` is `TAGS` or nothing."""

    key: str
    tag: str | None


def grouping_of(values: Mapping[str, Value]) -> Grouping:
    """Return how the primary header groups a cube: by POINT_ID, or by DATE-BEG where it has none."""
    point = text_of(values, "POINT_ID")
    tag = next((one for one in TAGS if point.lower().endswith(f"_{one}")), None)
    return Grouping(point or text_of(values, "DATE-BEG"), tag)
