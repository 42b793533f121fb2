"""Digests of small files, computed while an edit has them open: orders of their own would cost more than it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from armillary.archive.content import content_of
from armillary.archive.soundness import DataSums
from armillary.fits.crc import crc64
from armillary.fits.models import Layout, ReadAt

SMALL = 256 << 10
"""Bytes of files whose digests are computed at once."""


@dataclass(frozen=True, slots=True)
class Digested:
    """Digests of a plain file, the sums of its data by HDU, and what is to be said of its DATASUMs."""

    digests: dict[str, str | None]
    sums: dict[int, int]
    warnings: tuple[str, ...]


def digests_at_once(
    disk: Layout, target: Layout, headers: Sequence[bytes], read: ReadAt, crc: int
) -> Digested | None:
    """Return the digests of a plain file once it has these headers, None if it is large or not sound.

    Parameters
    ----------
    disk
        Where headers and data lie now, as ``read`` returns them.
    target
        Where they will lie.
    crc
        What the whole outcome has to sum to: digests of other bytes would bless them.
    """
    if target.size > SMALL:
        return None
    data = b"".join(content_of(disk, headers, read).chunks())
    if len(data) != target.size or crc64(data) != crc:
        return None
    md5, sha256 = hashlib.md5(data, usedforsecurity=False).hexdigest(), hashlib.sha256(data).hexdigest()
    sums = DataSums(target)
    for _ in sums.passing([data]):
        pass
    digests: dict[str, str | None] = {
        "file_md5": md5,
        "data_md5": md5,
        "file_sha256": sha256,
        "data_sha256": sha256,
    }
    return Digested(digests, sums.sums, tuple(sums.warnings()))
