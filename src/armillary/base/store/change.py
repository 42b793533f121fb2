"""What an edit plan does to a file in place: at most one range moved, and blocks overwritten. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from os.path import commonprefix

from armillary.fits.models import EditPlan, ReadAt, Splice

SECTOR = 512
"""What a disk writes whole: after a power cut a block may be new in some sectors and old in others."""


@dataclass(frozen=True, slots=True)
class Shift:
    """Bytes inserted at ``offset`` (``amount`` > 0) or removed there (``amount`` < 0) by the file system."""

    offset: int
    amount: int


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes to overwrite at ``offset``; ``old`` is what lies there once the shift is done."""

    offset: int
    old: bytes
    new: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """An edit that needs no copy of the file: first the shift, then the blocks."""

    blocks: tuple[Block, ...]
    shift: Shift | None
    size_before: int
    size_after: int


class Standing(StrEnum):
    """How the bytes of a file compare with a change of them."""

    OLD = "old"
    NEW = "new"
    MIXED = "mixed"
    FOREIGN = "foreign"


def standing(change: Change, read: ReadAt) -> Standing:
    """Say whether the blocks of a file whose shift is done are old, new, mixed or something else."""
    found = {block_standing(b, read(b.offset, len(b.new))) for b in change.blocks if b.old != b.new}
    if Standing.FOREIGN in found:
        return Standing.FOREIGN
    if not found:
        return Standing.NEW
    return found.pop() if len(found) == 1 else Standing.MIXED


def block_standing(block: Block, current: bytes) -> Standing:
    """Say the same of one block, sector by sector."""
    if current == block.new:
        return Standing.NEW
    if current == block.old:
        return Standing.OLD
    if len(current) != len(block.new):
        return Standing.FOREIGN
    torn = all(_is_torn(current[a:b], block.old[a:b], block.new[a:b]) for a, b in _sectors(block))
    return Standing.MIXED if torn else Standing.FOREIGN


def _is_torn(current: bytes, old: bytes, new: bytes) -> bool:
    """Whether a write, or its undoing, stopped in this sector or beside it."""
    for first, rest in ((new, old), (old, new)):
        written = len(commonprefix([current, first]))  # noqa: RUF071 (bytes, not paths)
        if current[written:] == rest[written:]:
            return True
    return False


def _sectors(block: Block) -> Iterator[tuple[int, int]]:
    """Yield where the sectors of the disk begin and end inside a block."""
    size, start = len(block.new), 0
    stop = SECTOR - block.offset % SECTOR
    while start < size:
        yield start, min(stop, size)
        start, stop = stop, stop + SECTOR


def is_landed(plan: EditPlan, read: ReadAt, size: int) -> bool:
    """Whether a file holds what the plan would write already."""
    return size == plan.size_after and _matches(plan.inverse(), read)


def is_pristine(plan: EditPlan, read: ReadAt, size: int) -> bool:
    """Whether a file is as the plan expects it, and differs from what the plan makes of it."""
    if size != plan.size_before or not _matches(plan, read):
        return False
    return any(s.old != s.new for s in plan.splices)


def _matches(plan: EditPlan, read: ReadAt) -> bool:
    return all(read(s.offset, len(s.old)) == s.old for s in plan.splices)


def pieces(plan: EditPlan) -> Iterator[tuple[int, int] | bytes]:
    """Yield the parts of the edited file: ranges ``(start, stop)`` of the old one, and new bytes."""
    position = 0
    for splice in plan.splices:
        if splice.offset > position:
            yield position, splice.offset
        if splice.new:
            yield splice.new
        position = splice.offset + len(splice.old)
    if position < plan.size_before:
        yield position, plan.size_before


def change_of(plan: EditPlan, read: ReadAt, *, granule: int) -> Change | None:
    """Return how to carry out a plan without a copy, or None if bytes must be copied.

    File systems insert and remove whole blocks of ``granule`` bytes, so exactly one splice may change the
    size, by a multiple of that. A splice without a border of a block is widened to the last one before.
    """
    resizing = [s for s in plan.splices if len(s.old) != len(s.new)]
    if not resizing:
        blocks = tuple(Block(s.offset, s.old, s.new) for s in plan.splices)
        return Change(blocks, None, plan.size_before, plan.size_after)
    if len(resizing) > 1 or (plan.size_after - plan.size_before) % granule:
        return None
    moved = _shifted(plan, resizing[0], read, granule)
    if moved is None:
        return None
    shift, wide = moved
    blocks = tuple(
        wide
        if s is resizing[0]
        else Block(s.offset + (shift.amount if s.offset > shift.offset else 0), s.old, s.new)
        for s in plan.splices
    )
    return Change(blocks, shift, plan.size_before, plan.size_after)


def _shifted(plan: EditPlan, splice: Splice, read: ReadAt, granule: int) -> tuple[Shift, Block] | None:
    amount = len(splice.new) - len(splice.old)
    kept = min(len(splice.old), len(splice.new))
    at = (splice.offset + kept) // granule * granule
    context = b""
    if at < splice.offset:
        if any(at < s.offset + len(s.old) <= splice.offset for s in plan.splices if s is not splice):
            return None
        context = read(at, splice.offset - at)
    if at + max(0, -amount) >= plan.size_before:
        return None
    start, old = splice.offset - len(context), context + splice.old
    cut = at - start
    after = old[:cut] + bytes(amount) + old[cut:] if amount > 0 else old[:cut] + old[cut - amount :]
    return Shift(at, amount), Block(start, after, context + splice.new)


def shift_bytes(data: bytes, shift: Shift) -> bytes:
    """Do to bytes what the file system does to a file."""
    if shift.amount > 0:
        return data[: shift.offset] + bytes(shift.amount) + data[shift.offset :]
    return data[: shift.offset] + data[shift.offset - shift.amount :]
