"""Recipes that turn spliced bzip2 data back into the bytes they came from, exactly.

A splice moves most bits and replaces few, so the recipe holds the replaced bits and says where to find the
others. It is bound to both ends by size and CRC-64/NVME, and refuses anything else.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from armillary.fits.bzip2.bits import Buffer, bits_to_bytes, place_bits, read_bits
from armillary.fits.container_errors import DamagedContainer
from armillary.fits.crc import crc64
from armillary.fits.errors import PlanMismatch

_MAGIC = b"bz2-undo-1\0\0"
_HEAD = struct.Struct(">12sQQQQ")
_CRC_SIZE = 8
_OP = struct.Struct(">QQ")
_LITERAL = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Moved:
    """The bits ``start`` to ``stop`` of the old data stand at bit ``at`` of the new data."""

    start: int
    stop: int
    at: int


def undo_recipe(old: Buffer, new: Buffer, moved: Sequence[Moved]) -> bytes:
    """Return the recipe for ``old`` from ``new``, given the runs of bits that they share in rising order."""
    parts = [_HEAD.pack(_MAGIC, len(new), crc64(new), len(old), crc64(old))]
    at = 0
    for run in (*moved, Moved(len(old) * 8, len(old) * 8, 0)):
        if run.start > at:
            parts.append(_OP.pack(_LITERAL, run.start - at))
            parts.append(bits_to_bytes(read_bits(old, at, run.start - at), run.start - at))
        if run.stop > run.start:
            parts.append(_OP.pack(run.at, run.stop - run.start))
        at = run.stop
    recipe = b"".join(parts)
    return recipe + _crc_bytes(recipe)


def _crc_bytes(recipe: Buffer) -> bytes:
    return crc64(recipe).to_bytes(_CRC_SIZE, "big")


def unsplice(new: Buffer, undo: bytes) -> bytes:
    """Return the stored bytes as they were before the splice that gave ``new`` and ``undo``.

    Raises
    ------
    PlanMismatch
        If ``new`` is not what that splice wrote.
    DamagedContainer
        If the recipe does not give the old bytes.
    """
    if undo[: len(_MAGIC)] != _MAGIC or _crc_bytes(undo[:-_CRC_SIZE]) != undo[-_CRC_SIZE:]:
        raise DamagedContainer("The undo recipe of the edit is damaged; restore the file from a copy.")
    _, new_size, new_crc, old_size, old_crc = _HEAD.unpack_from(undo)
    if len(new) != new_size or crc64(new) != new_crc:
        raise PlanMismatch("The file changed since the edit; undo the later changes first.")
    out = np.zeros(old_size, np.uint8)
    at = 0
    for source, start, count in _operations(new, undo[:-_CRC_SIZE]):
        place_bits(out, at, source, start, start + count)
        at += count
    old = out.tobytes()
    if at != old_size * 8 or crc64(old) != old_crc:
        raise DamagedContainer("The undo recipe does not give the old bytes; restore the file from a copy.")
    return old


def retrace(new: Buffer, recipes: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the bytes at the end of several recipes, newest first, and the recipe that leads back from there.

    Raises
    ------
    PlanMismatch, DamagedContainer
        As ``unsplice`` does.
    """
    data, shared = bytes(new), [Moved(0, len(new) * 8, 0)]
    for recipe in recipes:
        older = unsplice(data, recipe)
        shared = list(_chained(shared, list(_copies(data, recipe[:-_CRC_SIZE]))))
        data = older
    return data, undo_recipe(new, data, shared)


def _copies(new: Buffer, undo: bytes) -> Iterator[Moved]:
    """Yield which bits of the new data stand where in the old data."""
    at = 0
    for source, start, count in _operations(new, undo):
        if source is new:
            yield Moved(start, start + count, at)
        at += count


def _chained(first: Sequence[Moved], second: Sequence[Moved]) -> Iterator[Moved]:
    """Yield where the bits stand that were moved first by one and then by another; both rise."""
    left, right = 0, 0
    while left < len(first) and right < len(second):
        one, then = first[left], second[right]
        end = one.at + one.stop - one.start
        low, high = max(one.at, then.start), min(end, then.stop)
        if low < high:
            yield Moved(one.start + low - one.at, one.start + high - one.at, then.at + low - then.start)
        left, right = (left + 1, right) if end <= then.stop else (left, right + 1)


def _operations(new: Buffer, undo: bytes) -> Iterator[tuple[Buffer, int, int]]:
    cursor = _HEAD.size
    while cursor < len(undo):
        start, count = _OP.unpack_from(undo, cursor)
        cursor += _OP.size
        if start == _LITERAL:
            yield memoryview(undo)[cursor : cursor + (count + 7) // 8], 0, count
            cursor += (count + 7) // 8
        else:
            yield new, start, count
