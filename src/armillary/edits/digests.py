"""Digests computed while an edit has the file open anyway: of small files, and of those that it had to check."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from armillary.archive.catalog.service import content_of
from armillary.fits.crc import crc64
from armillary.fits.models import Layout, ReadAt
from armillary.fits.soundness import DataSums


@dataclass(frozen=True, slots=True)
class Digested:
    """Digests of a file, the sums of its data by HDU, and what is to be said of its DATASUMs.

    ``crc`` is the CRC-64/NVME of the uncompressed bytes that they are of.
    """

    digests: dict[str, str | None]
    sums: dict[int, int]
    warnings: tuple[str, ...]
    crc: int

    def stored_as(self, data: bytes | memoryview | None) -> Digested:
        """Return the same with the digests of the stored bytes; None means that nothing is compressed."""
        if data is None:
            md5, sha256 = self.digests["data_md5"], self.digests["data_sha256"]
        else:
            md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
            sha256 = hashlib.sha256(data).hexdigest()
        return replace(self, digests={**self.digests, "file_md5": md5, "file_sha256": sha256})


def digested(disk: Layout, target: Layout, read: ReadAt) -> Digested:
    """Return the digests of the uncompressed bytes of a file once it has the headers of the target.

    Parameters
    ----------
    disk
        Where headers and data lie now, as ``read`` returns them.
    target
        Where they will lie.
    """
    md5, sha256, crc = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    sums = DataSums(target)
    chunks: Iterable[bytes] = content_of(disk, target.headers, read).chunks()
    for chunk in sums.passing(chunks):
        md5.update(chunk)
        sha256.update(chunk)
        crc = crc64(chunk, crc)
    digests: dict[str, str | None] = {"data_md5": md5.hexdigest(), "data_sha256": sha256.hexdigest()}
    return Digested(digests, sums.sums, tuple(sums.warnings()), crc)
