"""Readers stream one version while writers grow, shrink and patch the file; writers exclude each other."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

from armillary.base.store.errors import Busy, ChangedOutside
from armillary.base.store.models import Patch, StoredObject
from armillary.fits.models import BLOCK, EditPlan, Splice
from tests.service.store.conftest import MakeStore
from tests.support.stores import a_growth, a_plan, allow, edited, some_bytes

KEY = "a.fits"
DATA = some_bytes(120)
STATES = [DATA, edited(DATA, a_growth(DATA)), edited(DATA, a_plan(DATA, 0, 1, 60, 119))]


async def test_streams_are_one_consistent_version(make_store: MakeStore) -> None:
    store, reader = make_store(), make_store()
    await store.write(KEY, DATA)
    stop = threading.Event()
    seen: Counter[int] = Counter()

    def stream() -> None:
        while not stop.is_set():
            with reader.open(KEY) as snapshot:
                size = snapshot.stored.size
                parts = [snapshot.read_at(at, 5000) for at in range(0, size, 5000)]
            whole = b"".join(parts)
            assert len(whole) == size
            seen[STATES.index(whole)] += 1

    reading = asyncio.gather(*(asyncio.to_thread(stream) for _ in range(2)))
    plans = [a_growth(DATA), a_growth(DATA).inverse(), a_plan(DATA, 0, 1, 60, 119)]
    plans.append(plans[-1].inverse())
    landed = 0
    # However the machine divides its time, both have their turns.
    while (landed < 60 or sum(seen.values()) <= 10) and not reading.done():
        plan = plans[landed % 4]
        while isinstance((result := (await store.patch([Patch(KEY, plan)], allow))[0]), Busy):
            continue
        assert isinstance(result, StoredObject)
        landed += 1
    stop.set()
    await reading


async def test_counters_of_many_stores_lose_no_step(make_store: MakeStore) -> None:
    stores = [make_store(lock_wait_s=5.0) for _ in range(3)]
    data = bytes(8) + DATA[8:]
    await stores[0].write(KEY, data)
    done = 0

    async def count(store: object, times: int) -> None:
        nonlocal done
        while times:
            now = await store.read(KEY)  # type: ignore[attr-defined]
            number = int.from_bytes(now[:8], "big") + 1
            plan = EditPlan((Splice(0, now[:BLOCK], number.to_bytes(8, "big") + now[8:BLOCK]),), len(now))
            stored = await store.head(KEY)  # type: ignore[attr-defined]
            (result,) = await store.patch([Patch(KEY, plan, stored)], claim(number))  # type: ignore[attr-defined]
            if isinstance(result, StoredObject) and claimed[number] is asyncio.current_task():
                times -= 1
                done += 1
            else:
                assert isinstance(result, StoredObject | ChangedOutside | Busy)

    claimed: dict[int, object] = {}

    def claim(number: int) -> object:
        async def guard(patches: object) -> None:
            assert number not in claimed, "two writers made the same step"
            claimed[number] = asyncio.current_task()

        return guard

    await asyncio.wait_for(asyncio.gather(*(count(store, 10) for store in stores)), 120)
    assert done == 30
    assert int.from_bytes(await stores[0].read(KEY, 0, 8), "big") == 30
