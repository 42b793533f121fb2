"""A process that edits files until it is killed: ``python -m ... ROOT PRIVATE KIND SEED KEY...``.

Each round takes the files from the even to the odd state or back; the state is read from the file, so any
number of such processes can work on the same files.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from armillary.base.store.errors import Busy, ChangedOutside
from armillary.base.store.local import LocalStore
from armillary.base.store.models import Patch, StoredObject
from armillary.fits.models import EditPlan
from tests.support.stores import a_growth, a_plan, allow, edited, some_bytes

EVEN = some_bytes(120)
PATIENCE_S = 60.0


def plan_of(kind: str) -> EditPlan:
    """Return the plan that leads from the even to the odd state."""
    if kind == "blocks":
        return a_plan(EVEN, 0, 1, 2, 3, 50, 119)
    return a_growth(EVEN, 1) if kind == "growth" else a_growth(EVEN, 1, size=2880)


async def content(store: LocalStore, key: str) -> bytes:
    """Return what is stored, as often as it may be that a file is read whose interrupted edit is to be undone."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await store.read(key)
            except Busy:
                continue


async def work(root: Path, private: Path, kind: str, seed: int, keys: list[str]) -> None:
    """Edit random subsets of the files; say so after each round."""
    store = LocalStore(root, private, in_place=kind != "copy", lock_wait_s=5.0)
    chance, plan = random.Random(seed), plan_of(kind)
    there, back = plan, plan.inverse()
    print("ready", flush=True)
    while True:
        chosen = chance.sample(keys, chance.randint(1, len(keys)))
        stored = [await store.head(k) for k in chosen]
        patches = []
        for key, before in zip(chosen, stored, strict=True):
            even = (await content(store, key)) == EVEN
            patches.append(Patch(key, there if even else back, before, tag=str(seed)))
        for result in await store.patch(patches, allow):
            if not isinstance(result, StoredObject | ChangedOutside | Busy):
                raise result
        print("round", flush=True)


ODD = {kind: edited(EVEN, plan_of(kind)) for kind in ("blocks", "growth", "copy")}

if __name__ == "__main__":
    _, root, private, kind, seed, *keys = sys.argv
    asyncio.run(work(Path(root), Path(private), kind, int(seed), keys))
