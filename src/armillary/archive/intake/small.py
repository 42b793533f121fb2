"""What is made of a small plain file while its bytes are in memory: digests, and the pixels of its picture."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from armillary.archive.models import SMALL
from armillary.fits.containers import Container, container_named
from armillary.fits.header import read_values
from armillary.fits.models import Layout
from armillary.fits.series import HeaderValues
from armillary.fits.soundness import DataSums

if TYPE_CHECKING:
    from armillary.fits.planes import PlainImage


LEAST = 8
"""Fewer files are not kept waiting for a child that may have to be started first."""


@dataclass(frozen=True, slots=True)
class Digests:
    """Digests of a file, the sums of its data by HDU, and what is to be said of its DATASUMs."""

    values: Mapping[str, str]
    sums: Mapping[int, int]
    warnings: Sequence[str]


@dataclass(frozen=True, slots=True)
class Pixels:
    """The first image of a file and the bytes of its first plane."""

    image: PlainImage
    content: bytes


def is_small(filename: str, size: int) -> bool:
    """Tell whether a file is read at once: it is of few bytes, and they are not compressed."""
    return size <= SMALL and container_named(filename) is Container.PLAIN


def seems_small(path: str | Path) -> bool:
    """Tell the same of a file at a path; whoever reads it looks again."""
    try:
        # A text and not a path: that is five times as fast.
        return is_small(str(path), os.stat(path).st_size)  # noqa: PTH116
    except OSError:
        return False


def digests_of(data: bytes, layout: Layout) -> Digests:
    """Return the digests of a plain file, stored and uncompressed being the same."""
    sums = DataSums(layout)
    for _ in sums.passing((data,)):
        pass
    md5, sha256 = hashlib.md5(data, usedforsecurity=False).hexdigest(), hashlib.sha256(data).hexdigest()
    values = {"data_md5": md5, "file_md5": md5, "data_sha256": sha256, "file_sha256": sha256}
    return Digests(values, sums.sums, sums.warnings())


def pixels_of(data: bytes, layout: Layout, values: HeaderValues | None) -> tuple[bool, Pixels | None]:
    """Return whether a file may have a picture, and the pixels of it if they are not compressed.

    Compressed tiles may claim to be anything, so a picture of them is drawn alone.
    """
    # Only here: who only looks something up in the catalog needs no arrays.
    from armillary.fits.planes import PlainImage, first_image

    found = first_image(layout, values.headers if values else map(read_values, layout.headers))
    if not isinstance(found, PlainImage):
        return found is not None, None
    return True, Pixels(found, data[found.offset : found.offset + found.size])
