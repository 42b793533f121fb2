"""What only a directory tree has: links, owners, modes, attributes, readers of other processes."""

from __future__ import annotations

import asyncio
import fcntl
import os
import stat
import struct
import tempfile
from pathlib import Path

import pytest

from armillary.base.store.errors import Busy, KeyRefused, OutsideRoot, StorageDenied
from armillary.base.store.local import LocalStore
from armillary.base.store.models import Patch, StoredObject
from armillary.errors import BadRequest, NotFound
from armillary.fits.models import BLOCK
from tests.service.store.conftest import MakeStore
from tests.support.stores import a_growth, a_plan, allow, allow_replace, edited, names_in, some_bytes

KEY = "night/a.fits"
DATA = some_bytes(40)
ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", *e)
    for e in ((1, 6, 2**32 - 1), (2, 4, 12345), (4, 4, 2**32 - 1), (16, 4, 2**32 - 1), (32, 0, 2**32 - 1))
)
"""user::rw- user:12345:r-- group::r-- mask::r-- other::---, as `system.posix_acl_access` holds it."""


async def patch(store: object, plan: object, key: str = KEY) -> StoredObject:
    (result,) = await store.patch([Patch(key, plan)], allow)  # type: ignore[attr-defined, arg-type]
    assert isinstance(result, StoredObject), result
    return result


def inserts_ranges(store: object, path: Path) -> bool:
    with store.shop.root.locate(path.name) as place:  # type: ignore[attr-defined]
        return bool(store.shop.can_shift(place, path.stat().st_dev))  # type: ignore[attr-defined]


async def test_edits_in_place_keep_the_file_itself(make_store: MakeStore, files: Path) -> None:
    store = make_store()
    before = await store.write(KEY, DATA)
    assert (await patch(store, a_plan(DATA, 0, 7))).identity == before.identity
    copies = make_store(in_place=False)
    data = await copies.read(KEY)
    assert (await patch(copies, a_plan(data, 1))).identity != before.identity
    assert names_in(files / "night") == ["a.fits"]


async def test_growth_keeps_the_file_itself_where_ranges_can_be_inserted(
    make_store: MakeStore, files: Path
) -> None:
    store = make_store()
    before = await store.write("a.fits", DATA)
    if not inserts_ranges(store, files / "a.fits"):
        pytest.skip("this file system cannot insert ranges")
    after = await patch(store, a_growth(DATA), "a.fits")
    assert after.identity == before.identity
    assert (await patch(store, a_growth(DATA).inverse(), "a.fits")).identity == before.identity
    assert await store.read("a.fits") == DATA
    blocks = (files / "a.fits").stat().st_blocks * 512
    assert blocks <= len(DATA) + 8192


async def test_files_with_holes_grow_by_a_copy(make_store: MakeStore, files: Path) -> None:
    store = make_store()
    data = DATA[: 4 * BLOCK] + bytes(100 * BLOCK) + DATA
    before = await store.write("a.fits", data)
    with (files / "a.fits").open("r+b") as file:
        file.truncate(4 * BLOCK)
        file.seek(104 * BLOCK)
        file.write(DATA)
    plan = a_growth(data)
    assert (await patch(store, plan, "a.fits")).identity != before.identity
    assert await store.read("a.fits") == edited(data, plan)


async def test_a_reader_turns_an_edit_into_a_copy(make_store: MakeStore) -> None:
    store, reader = make_store(), make_store()
    before = await store.write(KEY, DATA)
    for plan in (a_plan(DATA, 0), a_growth(edited(DATA, a_plan(DATA, 0)))):
        held = await store.read(KEY)
        with reader.open(KEY) as snapshot:
            after = await patch(store, plan)
            assert after.identity != before.identity
            assert snapshot.read_at(0, len(held)) == held
        before = after


async def test_a_reader_that_comes_during_the_guard_makes_the_file_busy(make_store: MakeStore) -> None:
    store, reader = make_store(), make_store()
    await store.write(KEY, DATA)
    opened = []

    async def open_meanwhile(patches: object) -> None:
        opened.append(reader.open(KEY))

    (result,) = await store.patch([Patch(KEY, a_plan(DATA, 0))], open_meanwhile)
    assert isinstance(result, Busy)
    assert opened[0].read_at(0, len(DATA)) == DATA
    opened[0].close()
    await patch(store, a_plan(DATA, 0))


async def test_a_forgotten_snapshot_lets_go(make_store: MakeStore) -> None:
    store = make_store()
    before = await store.write(KEY, DATA)
    store.open(KEY)
    assert (await patch(store, a_plan(DATA, 0))).identity == before.identity


@pytest.mark.parametrize("kind", ["in_place", "copy", "growth", "replace"])
async def test_owner_mode_attributes_and_access_lists_carry_over(
    make_store: MakeStore, files: Path, kind: str
) -> None:
    store = make_store(in_place=kind != "copy")
    await store.write(KEY, DATA)
    file = files / KEY
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 1234, 2345)
    try:
        os.setxattr(file, "user.observer", b"W. Herschel")
        os.setxattr(file, "system.posix_acl_access", ACL)
    except OSError:
        pytest.skip("this file system has no attributes or access lists")
    before = file.stat()
    if kind == "replace":
        await store.replace(KEY, DATA[::-1], None, allow_replace)
    else:
        await patch(store, a_growth(DATA, size=BLOCK) if kind == "growth" else a_plan(DATA, 0))
    after = file.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert os.getxattr(file, "user.observer") == b"W. Herschel"
    assert os.getxattr(file, "system.posix_acl_access") == ACL


async def test_links_stay_and_their_targets_are_edited(make_store: MakeStore, files: Path) -> None:
    store = make_store(in_place=False)
    await store.write("real/a.fits", DATA)
    (files / "latest.fits").symlink_to("real/a.fits")
    (files / "absolute.fits").symlink_to(files / "latest.fits")
    (files / "here").symlink_to(files / "real")
    data = DATA
    for n, key in enumerate(("latest.fits", "absolute.fits", "here/a.fits")):
        plan = a_plan(data, n)
        await patch(store, plan, key)
        data = edited(data, plan)
        assert await store.read(key) == data
    await store.replace("absolute.fits", b"whole", None, allow_replace)
    assert (files / "real/a.fits").read_bytes() == b"whole"
    assert (files / "latest.fits").is_symlink()
    assert (files / "absolute.fits").is_symlink()
    assert [s.key async for s in store.list()] == ["absolute.fits", "latest.fits", "real/a.fits"]
    await store.delete("latest.fits")
    assert (files / "real/a.fits").exists()


async def test_a_link_and_its_target_are_one_file(make_store: MakeStore, files: Path) -> None:
    store = make_store()
    await store.write("a.fits", DATA)
    (files / "b.fits").symlink_to("a.fits")
    one, other = await store.patch(
        [Patch("a.fits", a_plan(DATA, 0)), Patch("b.fits", a_plan(DATA, 1))], allow
    )
    assert isinstance(one, StoredObject)
    assert isinstance(other, BadRequest)


@pytest.mark.parametrize("key", ["out.fits", "folder/secret.fits", "relative.fits"])
async def test_links_out_of_the_root_are_refused(make_store: MakeStore, tmp_path: Path, key: str) -> None:
    store = make_store()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.fits").write_bytes(DATA)
    (tmp_path / "files" / "out.fits").symlink_to(outside / "secret.fits")
    (tmp_path / "files" / "folder").symlink_to(outside)
    (tmp_path / "files" / "relative.fits").symlink_to("../outside/secret.fits")
    for call in (
        store.read(key),
        store.write(key, b"x", overwrite=True),
        store.replace(key, b"x", None, allow_replace),
    ):
        with pytest.raises(OutsideRoot, match="storage root"):
            await call
    (result,) = await store.patch([Patch(key, a_plan(DATA, 0))], allow)
    assert isinstance(result, OutsideRoot)
    assert (outside / "secret.fits").read_bytes() == DATA
    assert [s.key async for s in store.list()] == []


async def test_other_names_of_a_file_do_not_change(make_store: MakeStore, files: Path) -> None:
    store = make_store()
    await store.write(KEY, DATA)
    os.link(files / KEY, files / "backup.fits")
    await patch(store, a_plan(DATA, 0))
    assert (files / "backup.fits").read_bytes() == DATA


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
async def test_only_regular_files_are_stored(make_store: MakeStore, files: Path, make: object) -> None:
    store = make_store()
    make(files / "odd.fits")  # type: ignore[operator]
    with pytest.raises(NotFound):
        await store.read("odd.fits")
    assert [s.key async for s in store.list()] == []


async def test_a_change_from_outside_during_the_guard_is_kept(make_store: MakeStore, files: Path) -> None:
    for in_place in (True, False):
        store = make_store(in_place=in_place)
        key = f"{in_place}.fits"
        await store.write(key, DATA)

        async def meddle(patches: object, key: str = key) -> None:
            (files / "new").write_bytes(b"from outside")
            (files / "new").rename(files / key)

        (result,) = await store.patch([Patch(key, a_plan(DATA, 0))], meddle)
        assert not isinstance(result, StoredObject)
        assert await store.read(key) == b"from outside"
    assert sorted(names_in(files)) == ["False.fits", "True.fits"]


async def test_the_private_directory_is_private_and_holds_no_stored_files(
    make_store: MakeStore, files: Path, private: Path
) -> None:
    store = make_store()
    await store.put_blob("x", b"y")
    for folder in (private, private / "journal", private / "undo"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with pytest.raises(BadRequest, match="the storage root itself"):
        LocalStore(files, files, in_place=True)
    around = LocalStore(files.parent, private, in_place=True)
    await around.write("files/a.fits", DATA)
    assert [stored.key async for stored in around.list("")] == ["files/a.fits"]
    with pytest.raises(KeyRefused):
        await around.read("private/undo/x")
    around.close()


async def test_new_files_have_the_mode_of_the_process(make_store: MakeStore, files: Path) -> None:
    umask = os.umask(0o027)
    try:
        await make_store().write(KEY, DATA)
    finally:
        os.umask(umask)
    assert stat.S_IMODE((files / KEY).stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_a_file_whose_owner_cannot_be_kept_is_not_replaced() -> None:
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        store = LocalStore(base / "files", base / "private", in_place=False)
        await store.write("a.fits", DATA)
        for path in (base, base / "files", *(base / "private").rglob("*"), base / "private"):
            os.chown(path, 4321, 4321)
        os.seteuid(4321)
        try:
            (result,) = await store.patch([Patch("a.fits", a_plan(DATA, 0))], allow)
        finally:
            os.seteuid(0)
        assert isinstance(result, StorageDenied)
        assert "owner" in result.message
        assert names_in(base / "files") == ["a.fits"]
        store.close()


async def test_readers_wait_for_a_writer_of_another_process(make_store: MakeStore, files: Path) -> None:
    store = make_store()
    await store.write(KEY, DATA)
    held = os.open(files / KEY, os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)
    reading = asyncio.create_task(store.read(KEY))
    done, _ = await asyncio.wait([reading], timeout=0.05)
    assert not done
    os.close(held)
    assert await reading == DATA
