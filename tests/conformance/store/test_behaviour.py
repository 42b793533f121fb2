"""What every object store does, whatever it is made of."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from armillary.base.store.errors import Busy, ChangedOutside, KeyRefused
from armillary.base.store.models import ObjectStore, Patch, StoredObject
from armillary.errors import BadRequest, Conflict, NotFound
from armillary.fits.models import BLOCK, EditPlan, Splice
from tests.support.stores import (
    LostLease,
    a_growth,
    a_plan,
    allow,
    allow_replace,
    edited,
    forbid,
    forbid_replace,
    some_bytes,
)

KEY = "2026/01/N20260101S0001.fits"
DATA = some_bytes(40)


async def chunked(data: bytes, size: int = 7000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def keys_of(store: ObjectStore, prefix: str = "") -> list[str]:
    return [stored.key async for stored in store.list(prefix)]


async def patch_one(store: ObjectStore, plan: EditPlan, expected: StoredObject | None = None) -> StoredObject:
    (result,) = await store.patch([Patch(KEY, plan, expected)], allow)
    assert isinstance(result, StoredObject), result
    return result


async def test_written_bytes_are_read_back(store: ObjectStore) -> None:
    stored = await store.write(KEY, DATA)
    assert (stored.key, stored.size) == (KEY, len(DATA))
    assert await store.head(KEY) == stored
    assert await store.read(KEY) == DATA


async def test_chunks_are_written_in_order_with_the_time_given(store: ObjectStore) -> None:
    stored = await store.write(KEY, chunked(DATA), mtime_ns=1_700_000_000_123_456_789)
    assert stored.mtime_ns == 1_700_000_000_123_456_789
    assert await store.head(KEY) == stored
    assert await store.read(KEY) == DATA


async def test_empty_files_are_files(store: ObjectStore) -> None:
    assert (await store.write(KEY, b"")).size == 0
    assert await store.read(KEY) == b""


@pytest.mark.parametrize(("start", "stop"), [(0, 10), (5, None), (5, 5), (len(DATA) - 3, None), (0, 10**9)])
async def test_ranges_are_those_of_slices(store: ObjectStore, start: int, stop: int | None) -> None:
    await store.write(KEY, DATA)
    assert await store.read(KEY, start, stop) == DATA[start:stop]


async def test_a_file_is_not_overwritten_unless_asked(store: ObjectStore) -> None:
    await store.write(KEY, DATA)
    with pytest.raises(Conflict, match=KEY):
        await store.write(KEY, b"other")
    assert await store.read(KEY) == DATA
    await store.write(KEY, b"other", overwrite=True)
    assert await store.read(KEY) == b"other"


async def test_of_two_writers_of_a_new_name_one_is_told(store: ObjectStore) -> None:
    async def late() -> AsyncIterator[bytes]:
        yield b"second"
        # Nothing was in the way when this writer began.
        await store.write(KEY, b"first")

    with pytest.raises(Conflict, match=KEY):
        await store.write(KEY, late())
    assert await store.read(KEY) == b"first"


async def test_an_interrupted_upload_leaves_nothing(store: ObjectStore) -> None:
    async def breaks() -> AsyncIterator[bytes]:
        yield DATA
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await store.write(KEY, breaks())
    assert await keys_of(store) == []


@pytest.mark.parametrize("call", ["head", "read", "delete"])
async def test_missing_files_are_not_found(store: ObjectStore, call: str) -> None:
    with pytest.raises(NotFound):
        await getattr(store, call)("no/such.fits")
    await store.write(KEY, DATA)
    with pytest.raises(NotFound):
        await getattr(store, call)(f"{KEY}/below")


@pytest.mark.parametrize(
    "key",
    [
        *("", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a/", "a\0b", "a\nb", "\udc80"),
        *("x" * 256, "a/" * 2500 + "b", ".armillary-00ff.tmp"),
    ],
)
async def test_unsafe_keys_are_refused(store: ObjectStore, key: str) -> None:
    with pytest.raises(KeyRefused):
        await store.head(key)
    with pytest.raises(KeyRefused):
        await store.write(key, b"x")


async def test_snapshots_keep_their_bytes_while_files_change(store: ObjectStore) -> None:
    stored = await store.write(KEY, DATA)
    with store.open(KEY) as snapshot:
        await patch_one(store, a_plan(DATA, 0, 3))
        assert snapshot.stored == stored
        assert snapshot.read_at(0, len(DATA) + 5) == DATA
        await store.delete(KEY)
        assert snapshot.read_at(BLOCK, 10) == DATA[BLOCK : BLOCK + 10]


async def test_a_patch_changes_exactly_its_blocks(store: ObjectStore) -> None:
    before = await store.write(KEY, DATA)
    plan = a_plan(DATA, 0, 7)
    after = await patch_one(store, plan, before)
    assert await store.read(KEY) == edited(DATA, plan)
    assert after == await store.head(KEY)
    assert after.mtime_ns > before.mtime_ns


async def test_every_state_of_a_file_has_a_later_time(store: ObjectStore) -> None:
    # As on file systems whose clocks tick more slowly than edits come.
    written = await store.write(KEY, DATA, mtime_ns=time.time_ns() + 3_600_000_000_000)
    plan = a_plan(DATA, 0)
    patched = await patch_one(store, plan, written)
    grown = await patch_one(store, a_growth(edited(DATA, plan)), patched)
    replaced = await store.replace(KEY, DATA[::-1], grown, allow_replace)
    assert written.mtime_ns < patched.mtime_ns < grown.mtime_ns < replaced.mtime_ns
    assert await store.head(KEY) == replaced


@pytest.mark.parametrize("size", [BLOCK, 64 * BLOCK, 128 * BLOCK])
@pytest.mark.parametrize("block", [0, 1, 5, 39])
async def test_a_patch_may_grow_a_file_and_its_inverse_restores_it(
    store: ObjectStore, block: int, size: int
) -> None:
    stored = await store.write(KEY, DATA)
    plan = a_growth(DATA, block, size=size)
    stored = await patch_one(store, plan, stored)
    assert await store.read(KEY) == edited(DATA, plan)
    await patch_one(store, plan.inverse(), stored)
    assert await store.read(KEY) == DATA


async def test_a_repeated_patch_succeeds_and_changes_nothing(store: ObjectStore) -> None:
    before = await store.write(KEY, DATA)
    for plan in (a_plan(DATA, 2), a_growth(edited(DATA, a_plan(DATA, 2)), 2)):
        after = await patch_one(store, plan, before)
        (again,) = await store.patch([Patch(KEY, plan, before)], forbid)
        assert again == after
        before = after


async def test_a_patch_of_other_bytes_is_refused(store: ObjectStore) -> None:
    await store.write(KEY, DATA)
    plan = EditPlan((Splice(0, b"other", b"bytes"),), len(DATA))
    (result,) = await store.patch([Patch(KEY, plan)], allow)
    assert isinstance(result, ChangedOutside)
    assert await store.read(KEY) == DATA


async def test_a_patch_of_another_state_is_refused(store: ObjectStore) -> None:
    stored = await store.write(KEY, DATA)
    for wrong in (
        replace(stored, mtime_ns=stored.mtime_ns + 1),
        replace(stored, size=1),
        replace(stored, identity="0:0"),
    ):
        (result,) = await store.patch([Patch(KEY, a_plan(DATA, 0), wrong)], allow)
        assert isinstance(result, ChangedOutside)
    assert await store.read(KEY) == DATA
    assert await store.head(KEY) == stored


async def test_patches_of_one_call_fail_one_by_one(store: ObjectStore) -> None:
    await store.write(KEY, DATA)
    await store.write("b.fits", DATA)
    plan = a_plan(DATA, 0)
    wrong = EditPlan((Splice(0, b"other", b"bytes"),), len(DATA))
    patches = [Patch("b.fits", wrong), Patch("missing.fits", plan), Patch(KEY, plan), Patch("../x", plan)]
    results = await store.patch(patches, allow)
    assert [type(r) for r in results] == [ChangedOutside, NotFound, StoredObject, KeyRefused]
    assert await store.read(KEY) == edited(DATA, plan)
    assert await store.read("b.fits") == DATA


async def test_a_guard_that_raises_leaves_everything(store: ObjectStore) -> None:
    patches = []
    for name, plan in (
        ("a.fits", a_plan(DATA, 0)),
        ("b.fits", a_growth(DATA)),
        ("c.fits", a_growth(DATA, size=BLOCK)),
    ):
        patches.append(Patch(name, plan, await store.write(name, DATA)))
    with pytest.raises(LostLease):
        await store.patch(patches, forbid)
    for patch in patches:
        assert await store.head(patch.key) == patch.expected
        assert await store.read(patch.key) == DATA
    assert await keys_of(store) == ["a.fits", "b.fits", "c.fits"]


async def test_the_guard_sees_what_goes_live_while_the_old_bytes_are_there(store: ObjectStore) -> None:
    await store.write(KEY, DATA)
    seen: list[str] = []

    async def look(patches: Sequence[Patch]) -> None:
        seen.extend(p.key for p in patches)
        assert await store.read(KEY) == DATA
        with store.open(KEY) as snapshot:
            assert snapshot.read_at(0, 10) == DATA[:10]

    await store.patch([Patch(KEY, a_plan(DATA, 0)), Patch("missing.fits", a_plan(DATA, 0))], look)
    assert seen == [KEY]


async def test_one_file_cannot_be_patched_twice_by_one_call(store: ObjectStore) -> None:
    await store.write(KEY, DATA)
    with pytest.raises(BadRequest):
        await store.patch([Patch(KEY, a_plan(DATA, 0)), Patch(KEY, a_plan(DATA, 1))], allow)
    assert await store.read(KEY) == DATA


async def test_no_patches_are_no_work(store: ObjectStore) -> None:
    assert await store.patch([], forbid) == []


async def test_a_file_being_patched_is_busy_and_readable(store: ObjectStore) -> None:
    await store.write(KEY, DATA)
    await store.write("free.fits", DATA)
    inside, leave = asyncio.Event(), asyncio.Event()

    async def linger(patches: Sequence[Patch]) -> None:
        inside.set()
        await leave.wait()

    slow = asyncio.create_task(store.patch([Patch(KEY, a_plan(DATA, 0))], linger))
    await inside.wait()
    busy, done = await store.patch([Patch(KEY, a_plan(DATA, 1)), Patch("free.fits", a_plan(DATA, 1))], allow)
    assert isinstance(busy, Busy)
    assert busy.transient
    assert isinstance(done, StoredObject)
    for change in (store.delete(KEY), store.rename(KEY, "x"), store.write(KEY, b"x", overwrite=True)):
        with pytest.raises(Busy):
            await change
    assert await store.read(KEY) == DATA
    leave.set()
    assert [type(r) for r in await slow] == [StoredObject]


async def test_patches_of_one_file_wait_for_each_other(store: ObjectStore) -> None:
    data = DATA
    await store.write(KEY, data)

    async def count_up() -> None:
        while True:
            now = await store.read(KEY)
            number = int.from_bytes(now[:8], "big") + 1
            plan = EditPlan((Splice(0, now[:BLOCK], number.to_bytes(8, "big") + now[8:BLOCK]),), len(now))
            (result,) = await store.patch([Patch(KEY, plan)], allow)
            if isinstance(result, StoredObject):
                return
            assert isinstance(result, ChangedOutside | Busy)

    await asyncio.gather(*(count_up() for _ in range(8)))
    first = int.from_bytes(data[:8], "big")
    assert first < int.from_bytes(await store.read(KEY, 0, 8), "big") <= first + 8


async def test_replace_gives_new_bytes_to_the_expected_file(store: ObjectStore) -> None:
    before = await store.write(KEY, DATA)
    after = await store.replace(KEY, chunked(DATA[::-1]), before, allow_replace)
    assert after == await store.head(KEY)
    assert await store.read(KEY) == DATA[::-1]
    with pytest.raises(ChangedOutside):
        await store.replace(KEY, b"late", before, allow_replace)
    with pytest.raises(LostLease):
        await store.replace(KEY, b"fenced", after, forbid_replace)
    with pytest.raises(NotFound):
        await store.replace("missing.fits", b"x", None, allow_replace)
    assert await store.read(KEY) == DATA[::-1]
    assert await keys_of(store) == [KEY]


async def test_rename_moves_and_never_overwrites(store: ObjectStore) -> None:
    stored = await store.write(KEY, DATA)
    moved = await store.rename(KEY, "new/place.fits")
    assert moved == replace(stored, key="new/place.fits")
    await store.write(KEY, b"second")
    with pytest.raises(Conflict):
        await store.rename(KEY, "new/place.fits")
    with pytest.raises(NotFound):
        await store.rename("missing.fits", "x.fits")
    assert await store.read("new/place.fits") == DATA
    assert await store.read(KEY) == b"second"


async def test_deleted_files_are_gone(store: ObjectStore) -> None:
    await store.write(KEY, DATA)
    await store.delete(KEY)
    assert await keys_of(store) == []
    with pytest.raises(NotFound):
        await store.delete(KEY)


async def test_lists_are_in_order_and_prefixes_are_text(store: ObjectStore) -> None:
    names = ["a/b/c.fits", "a/b.fits", "a/b2.fits", "a-1.fits", "a.fits", "b/x.fits", "ab"]
    for name in names:
        await store.write(name, name.encode())
    assert await keys_of(store) == sorted(names)
    for prefix in ("a", "a/", "a/b", "a/b/", "b", "zz", "a/b/c.fits", "zz/y"):
        assert await keys_of(store, prefix) == sorted(n for n in names if n.startswith(prefix))
    with pytest.raises(KeyRefused):
        await keys_of(store, "../")


async def test_kept_objects_come_back(store: ObjectStore) -> None:
    await store.put_blob("edit-17.undo", b"recipe")
    await store.put_blob("edit-17.undo", b"better recipe")
    assert await store.get_blob("edit-17.undo") == b"better recipe"
    assert await store.blob_names() == ["edit-17.undo"]
    await store.delete_blob("edit-17.undo")
    await store.delete_blob("edit-17.undo")
    with pytest.raises(NotFound):
        await store.get_blob("edit-17.undo")
    for name in ("../x", "a/b", "", ".hidden"):
        with pytest.raises(KeyRefused):
            await store.put_blob(name, b"")
    assert await keys_of(store) == []


async def test_recovery_of_a_sound_store_finds_nothing(store: ObjectStore) -> None:
    await store.write(KEY, DATA)
    await patch_one(store, a_plan(DATA, 0))
    assert await store.recover() == []


async def test_a_cancelled_patch_is_done_or_not_done(store: ObjectStore) -> None:
    await store.write(KEY, DATA)
    plan = a_plan(DATA, 0, 5)
    for turns in range(12):
        task = asyncio.create_task(store.patch([Patch(KEY, plan)], allow))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        now = await store.read(KEY)
        assert now in (DATA, edited(DATA, plan))
        if now != DATA:
            await patch_one(store, plan.inverse())
    await patch_one(store, plan)
