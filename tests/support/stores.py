"""Builders for tests of the object store: bytes, plans over them, and guards."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from armillary.base.store.change import pieces
from armillary.base.store.models import Patch
from armillary.fits.models import BLOCK, EditPlan, Splice

GROWTH = 64 * BLOCK
"""The growth that file systems can do without a copy: whole FITS blocks and whole pages."""


def some_bytes(blocks: int, *, seed: int = 0) -> bytes:
    """Return so many FITS blocks that differ from each other."""
    return random.Random(seed).randbytes(blocks * BLOCK)


def a_plan(data: bytes, *blocks: int, mark: bytes = b"n") -> EditPlan:
    """Return a plan that overwrites some blocks of the data with a mark."""
    splices = (Splice(b * BLOCK, data[b * BLOCK : (b + 1) * BLOCK], mark * BLOCK) for b in blocks)
    return EditPlan(tuple(splices), len(data))


def a_growth(data: bytes, block: int = 1, *, size: int = GROWTH, mark: bytes = b"g") -> EditPlan:
    """Return a plan that changes one block of the data and inserts bytes after it."""
    at = block * BLOCK
    return EditPlan((Splice(at, data[at : at + BLOCK], mark * (BLOCK + size)),), len(data))


def edited(data: bytes, plan: EditPlan) -> bytes:
    """Return what the data are when the plan is carried out."""
    return b"".join(p if isinstance(p, bytes) else data[slice(*p)] for p in pieces(plan))


async def allow(patches: Sequence[Patch]) -> None:
    """Let everything go live."""


async def allow_replace() -> None:
    """Let the new file go live."""


def names_in(directory: Path) -> list[str]:
    """Return the sorted names in a directory."""
    return sorted(path.name for path in directory.iterdir())


class LostLease(Exception):
    """The guard found that the work belongs to somebody else."""


async def forbid(patches: Sequence[Patch]) -> None:
    """Let nothing go live."""
    raise LostLease


async def forbid_replace() -> None:
    """Let the new file not go live."""
    raise LostLease
