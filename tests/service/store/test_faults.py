"""Every call to the system fails, once or for good: files are complete, old or new, without litter."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from armillary.base.store.errors import StorageFailed, StorageFull, StorageReadOnly
from armillary.base.store.local import LocalStore
from armillary.base.store.models import Patch
from armillary.errors import ArmillaryError, NotFound
from armillary.fits.models import BLOCK
from tests.service.store.conftest import MakeStore
from tests.support.faults import FaultyFiles
from tests.support.stores import a_growth, a_plan, allow, allow_replace, edited, names_in, some_bytes

KEY, OTHER = "a.fits", "b.fits"
DATA = some_bytes(40)
BLOCKS = a_plan(DATA, 0, 7)
GROWN = a_growth(DATA)
SHRUNK_BEFORE = edited(DATA, GROWN)
COPIED = a_growth(DATA, size=BLOCK)


async def patch(store: LocalStore, *patches: Patch) -> None:
    for result in await store.patch(patches, allow):
        if isinstance(result, ArmillaryError):
            raise result


@dataclass(frozen=True)
class Work:
    """Something done to a store that holds ``before`` under `KEY`, and what is there afterwards."""

    do: Callable[[LocalStore], Awaitable[object]]
    before: bytes | None
    after: bytes | None


WORKS = {
    "blocks": Work(lambda s: patch(s, Patch(KEY, BLOCKS), Patch(OTHER, BLOCKS)), DATA, edited(DATA, BLOCKS)),
    "growth": Work(lambda s: patch(s, Patch(KEY, GROWN)), DATA, edited(DATA, GROWN)),
    "shrinking": Work(lambda s: patch(s, Patch(KEY, GROWN.inverse())), SHRUNK_BEFORE, DATA),
    "copy": Work(lambda s: patch(s, Patch(KEY, COPIED)), DATA, edited(DATA, COPIED)),
    "write": Work(lambda s: s.write(KEY, DATA), None, DATA),
    "overwrite": Work(lambda s: s.write(KEY, DATA[::-1], overwrite=True), DATA, DATA[::-1]),
    "replace": Work(lambda s: s.replace(KEY, DATA[::-1], None, allow_replace), DATA, DATA[::-1]),
    "delete": Work(lambda s: s.delete(KEY), DATA, None),
}


async def content(store: LocalStore, key: str) -> bytes | None:
    try:
        return await store.read(key)
    except NotFound:
        return None


async def prepared(make_store: MakeStore, work: Work) -> None:
    store = make_store()
    for key in (KEY, OTHER):
        if work.before is not None:
            await store.write(key, work.before, overwrite=True)
        elif await content(store, key) is not None:
            await store.delete(key)


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])
@pytest.mark.parametrize("name", WORKS)
async def test_files_are_complete_whatever_call_fails(
    make_store: MakeStore, files: Path, private: Path, name: str, code: int, lasting: bool
) -> None:
    work = WORKS[name]
    failures = 0
    for number in range(200):
        await prepared(make_store, work)
        faulty = FaultyFiles(fail_at=number, errno=code, lasting=lasting)
        store = make_store(files=faulty)
        failure = None
        try:
            await work.do(store)
        except ArmillaryError as error:
            failure = error
        faulty.armed = False
        store.close()
        if not faulty.fired:
            assert failure is None
            break
        assert failure is None or (failure.transient and failure.message)
        failures += failure is not None
        await check_aftermath(make_store, work, failure, f"call {number} ({faulty.calls[number]})")
        assert not any(n.startswith(".armillary") for n in names_in(files)), faulty.calls[number]
        assert names_in(private / "temporary") == []
        assert names_in(private / "journal") == []
    else:
        pytest.fail("the work never got through")
    assert failures >= min(3, len(faulty.calls) - 1)


async def check_aftermath(make_store: MakeStore, work: Work, failure: Exception | None, where: str) -> None:
    fresh = make_store()
    found = await content(fresh, KEY)
    assert found in (work.before, work.after), where
    if failure is None:
        assert found == work.after, where
    await fresh.recover()
    assert await content(fresh, KEY) == found, f"{where}: recovery changed what readers saw"
    fresh.close()
    if found == work.before and work.before != work.after:
        again = make_store()
        await work.do(again)
        assert await content(again, KEY) == work.after, where
        again.close()


@pytest.mark.parametrize(
    ("code", "error", "word"),
    [
        (errno.ENOSPC, StorageFull, "free space"),
        (errno.EROFS, StorageReadOnly, "remount"),
        (errno.EIO, StorageFailed, "disk"),
    ],
)
async def test_errors_of_the_system_say_what_to_do(
    make_store: MakeStore, code: int, error: type[ArmillaryError], word: str
) -> None:
    store = make_store(files=FaultyFiles(fail_at=0, errno=code))
    with pytest.raises(error, match=word) as caught:
        await store.write(KEY, DATA)
    assert KEY in caught.value.message
    assert caught.value.transient


async def test_one_broken_file_does_not_stop_the_others(make_store: MakeStore) -> None:
    store = make_store()
    for key in (KEY, OTHER):
        await store.write(key, DATA)
    # Calls: journal made (write, 2 syncs), record (2 writes, 1 sync), then the blocks of the first file.
    faulty = FaultyFiles(fail_at=6, errno=errno.EIO)
    broken = make_store(files=faulty)
    one, other = await broken.patch([Patch(KEY, BLOCKS), Patch(OTHER, BLOCKS)], allow)
    assert faulty.calls[:7] == ["write_at", "sync", "sync", "write_at", "write_at", "sync_data", "write_at"]
    assert isinstance(one, StorageFailed)
    assert not isinstance(other, ArmillaryError)
    assert await store.read(KEY) == DATA
    assert await store.read(OTHER) == edited(DATA, BLOCKS)
