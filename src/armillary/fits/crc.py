"""CRC-64/NVME, the checksum of whole files: linear, so an edit costs the same whatever the size.

With the same start and end masks on both sides, ``crc(a + b)`` is ``shift(crc(a), len(b)) ^ crc(b)`` where
``shift`` multiplies by x^(8n) modulo the polynomial; equally long bytes that differ by ``d`` have CRCs that
differ by the unmasked CRC of ``d``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from armillary.fits.models import EditPlan


@cache
def _native() -> Any:
    # Only when it is needed: it takes longer to load than all else that a command needs of the archive.
    from awscrt import checksums

    return checksums


def crc64(data: bytes | bytearray | memoryview, previous: int = 0) -> int:
    """Return the CRC of ``data``, going on from the CRC of the bytes before it."""
    return int(_native().crc64nvme(data, previous))


def crc64_shift(crc_raw: int, nbytes: int) -> int:
    """Return an unmasked CRC as it stands after ``nbytes`` zero bytes more."""
    return crc64_combine(crc_raw, 0, nbytes)


def crc64_combine(crc_a: int, crc_b: int, len_b: int) -> int:
    """Return the CRC of two runs of bytes from their CRCs and the length of the second."""
    return int(_native().combine_crc64nvme(crc_a, crc_b, len_b))


def crc64_fold(parts: Sequence[tuple[int, int]]) -> int:
    """Return the CRC of consecutive runs of bytes, each given by its CRC and length."""
    if not parts:
        return 0
    crc, _ = parts[0]
    for part, length in parts[1:]:
        crc = crc64_combine(crc, part, length)
    return crc


def crc64_splice(crc: int, plan: EditPlan) -> int:
    """Return the CRC of a file after an in-place plan, without reading the file.

    Raises
    ------
    ValueError
        If bytes move: fold the CRCs of the pieces instead.
    """
    if not plan.in_place:
        raise ValueError("The plan moves bytes; fold the CRCs of the pieces with crc64_fold")
    for splice in plan.splices:
        behind = plan.size_before - splice.offset - len(splice.new)
        crc ^= crc64_shift(crc64(splice.old) ^ crc64(splice.new), behind)
    return crc
