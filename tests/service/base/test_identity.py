"""Which directory a database belongs to: one that is moved, copied, shared, or older than the record of it."""

from __future__ import annotations

import asyncio
import errno
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from armillary.archive.catalog.claims import RootState, claim, roots_of
from armillary.archive.changes import service as changes
from armillary.base import migrate
from armillary.base.database import Database, Role
from armillary.base.feed.errors import FeedCursorGone
from armillary.base.identity import DirectoryNotClaimed, OthersAtWork
from armillary.base.postgres.errors import ServerFailed
from armillary.base.postgres.server import EmbeddedServer
from armillary.base.store import LocalStore, Patch
from armillary.base.store.errors import RootNotClaimed
from armillary.context import open_context
from armillary.errors import ArmillaryError
from armillary.settings import DatabaseSettings, Settings
from tests.support.archive import Archive, put
from tests.support.directories import copy, opened
from tests.support.faults import FaultyFiles
from tests.support.headers import a_file
from tests.support.postgres import fresh_database, server_account
from tests.support.stores import a_plan, allow, edited

CONTENT = a_file(cards=[("OBJECT", "M 1", "target")])
MEMORY_DISK = Path("/dev/shm")


def target_of(path: Path) -> str:
    return str(fits.getval(path, "OBJECT"))


async def rows(archive: Archive, query: str) -> list[tuple[Any, ...]]:
    async with archive.context.database.begin() as connection:
        return [tuple(row) for row in (await connection.exec_driver_sql(query)).all()]


async def generation(archive: Archive) -> int:
    return int((await rows(archive, "SELECT max(number) FROM feed_generation"))[0][0])


async def id_of(archive: Archive) -> str:
    return str((await roots_of(archive.context)).archive)


async def states(archive: Archive) -> dict[str, str]:
    """Return the state of each root by the last part of its path."""
    return {line.root.path.name: str(line.state) for line in (await roots_of(archive.context)).lines}


async def fill(archive: Archive) -> None:
    """Take a file into the store, and adopt a tree below the directory of the archive, and one outside."""
    data = archive.context.settings.data
    put(data.parent / "night" / "own.fits", CONTENT)
    put(data.parent / "outside" / "outside.fits", CONTENT)
    put(data / "inside" / "inside.fits", CONTENT)
    await archive.ingest(data.parent / "night", copy=True)
    await archive.ingest(data.parent / "outside", data / "inside")
    await archive.drain()


@pytest.fixture
async def original(tmp_path: Path) -> Path:
    """Return the directory of an archive that is at rest."""
    async with opened(tmp_path / "original") as archive:
        await fill(archive)
    return tmp_path / "original"


@pytest.fixture
def other_disk() -> Iterator[Path]:
    """Return a directory on another file system."""
    if not MEMORY_DISK.is_dir() or MEMORY_DISK.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev:
        pytest.skip("there is no second file system here")
    with tempfile.TemporaryDirectory(dir=MEMORY_DISK) as path:
        yield Path(path)


async def edits_its_own(archive: Archive) -> None:
    """Expect that an archive edits the files in its directory, and finds all files sound."""
    data = archive.context.settings.data
    for name, place in (("own.fits", "store"), ("inside.fits", "inside")):
        await archive.set(name, OBJECT=data.name)
        assert target_of(data / place / name) == data.name
    await archive.drain()
    assert set((await archive.verify()).values()) == {""}


async def test_a_moved_directory_is_the_same_archive(original: Path) -> None:
    async with opened(original) as archive:
        before = await id_of(archive), await generation(archive)
    moved = original.rename(original.with_name("moved"))
    async with opened(moved) as archive:
        assert (await id_of(archive), await generation(archive)) == before
        assert set((await states(archive)).values()) == {RootState.EDITABLE}
        await edits_its_own(archive)
        await archive.set("outside.fits", OBJECT="moved")
        assert await rows(archive, "SELECT path FROM archive_identity") == [(str(moved),)]
    assert target_of(moved.with_name("outside") / "outside.fits") == "moved"
    assert not original.exists()


async def test_a_copy_is_another_archive_whichever_process_comes_first(original: Path) -> None:
    async with opened(original) as archive:
        before = await id_of(archive), await generation(archive)
    other = copy(original, original.with_name("copy"))
    settings = Settings(data=other, database=DatabaseSettings(account=server_account()))

    async def seen(role: Role) -> tuple[str, int]:
        async with open_context(settings, role) as context:
            one = Archive(context, other.parent)
            return await id_of(one), await generation(one)

    found = await asyncio.gather(*(seen(role) for role in (Role.WEB, Role.WORKER, Role.OWNER, Role.WORKER)))
    assert len(set(found)) == 1
    assert found[0][0] != before[0]
    assert found[0][1] > before[1]
    async with opened(other) as archive, opened(original) as first:
        assert (await id_of(archive), await generation(archive)) == found[0]
        assert (await id_of(first), await generation(first)) == before
        await edits_its_own(archive)
        await edits_its_own(first)
        assert target_of(other / "store" / "own.fits") == "copy"


async def test_followers_of_one_archive_are_told_apart_from_those_of_its_copy(original: Path) -> None:
    async with opened(original) as archive, archive.context.database.begin() as connection:
        common = (await changes.position(connection, "now")).token
    async with opened(copy(original, original.with_name("copy"))) as other, opened(original) as archive:
        tokens = []
        for one in (archive, other):
            await one.set("own.fits", OBJECT="M 31")
            await one.drain()
            async with one.context.database.begin() as connection:
                assert (await changes.position(connection, common)).token == common
                tokens.append((await changes.position(connection, "now")).token)
        for one, foreign in ((archive, tokens[1]), (other, tokens[0])):
            async with one.context.database.begin() as connection:
                with pytest.raises(FeedCursorGone):
                    await changes.position(connection, foreign)


async def test_a_directory_on_another_disk_may_edit_its_own_files_alone(
    original: Path, other_disk: Path
) -> None:
    moved = copy(original, other_disk / "moved")
    shutil.rmtree(original)
    async with opened(moved) as archive:
        await edits_its_own(archive)
        assert await states(archive) == {"store": "editable", "inside": "editable", "outside": "read-only"}
        (name,) = [
            line.root.name for line in (await roots_of(archive.context)).lines if not line.root.claimed
        ]
        with pytest.raises(RootNotClaimed, match=f"armillary root claim {name}"):
            await archive.set("outside.fits", OBJECT="M 31")
        await claim(archive.context, name)
        await archive.set("outside.fits", OBJECT="M 31")
    assert target_of(original.with_name("outside") / "outside.fits") == "M 31"
    again = moved.rename(moved.with_name("again"))
    async with opened(again) as archive:
        assert set((await states(archive)).values()) == {RootState.EDITABLE}


async def test_a_device_of_another_number_is_the_same_disk(original: Path) -> None:
    """Machines number their devices anew when they start."""
    async with opened(original) as archive:
        before = await id_of(archive)
        renumbered = "'99999:' || split_part(directory, ':', 2)"
        await rows(archive, f"UPDATE archive_identity SET directory = {renumbered} RETURNING id")
    async with opened(original) as archive:
        assert await id_of(archive) == before
        assert set((await states(archive)).values()) == {RootState.EDITABLE}
    # What was found is on record, so that the directory may be moved now.
    async with opened(original.rename(original.with_name("moved"))) as archive:
        assert await id_of(archive) == before


async def downgrade(data: Path) -> list[tuple[Any, ...]]:
    """Bring a database back to how it was before it knew its directory; return the paths of its roots."""
    async with opened(data) as archive:
        owner = await Database.connect(archive.context.database.source, Role.OWNER, pool_size=1)
        try:
            await migrate.downgrade(owner, "0010")
        finally:
            await owner.close()
        return await rows(archive, "SELECT name, path FROM root ORDER BY id")


PLACES = "SELECT path, claimed FROM root ORDER BY id"


async def test_absolute_paths_become_relative_to_the_directory(original: Path) -> None:
    old = await downgrade(original)
    outside = str(original.with_name("outside"))
    assert [path for _, path in old] == [str(original / "store"), outside, str(original / "inside")]
    async with opened(original) as archive:
        assert await rows(archive, PLACES) == [("store", True), (outside, True), ("inside", True)]
        assert await generation(archive) == 1
        await edits_its_own(archive)
        await archive.set("outside.fits", OBJECT="M 31")


@pytest.mark.parametrize("stays", [False, True], ids=["moved", "copied"])
async def test_absolute_paths_of_a_directory_that_is_elsewhere_by_now_become_relative(
    original: Path, stays: bool
) -> None:
    """That is how a directory looks that was copied or moved by an older version: it may be either."""
    await downgrade(original)
    other = copy(original, original.with_name("other"))
    if not stays:
        shutil.rmtree(original)
    outside = str(original.with_name("outside"))
    async with opened(other) as archive:
        assert await rows(archive, PLACES) == [("store", True), (outside, False), ("inside", True)]
        await edits_its_own(archive)
    assert original.exists() == stays
    if stays:
        async with opened(original) as archive:
            assert await rows(archive, PLACES) == [("store", True), (outside, True), ("inside", True)]
            assert target_of(original / "store" / "own.fits") == "M 1"
            await edits_its_own(archive)


async def interrupt_an_edit(data: Path, name: str) -> None:
    """Let a disk go away when half of a change is written, and the program end with that."""
    path = data / "store" / name
    before = path.read_bytes()
    # Of two blocks: what stops the second keeps the first from being put back whole.
    plan = a_plan(before, 1, 2, mark=b"!")
    for number in range(100):
        faulty = FaultyFiles(fail_at=number, errno=errno.EIO, lasting=True)
        store = LocalStore(path.parent, data / "private" / "store", in_place=True, files=faulty)
        with suppress(ArmillaryError, OSError):
            await store.patch([Patch(name, plan)], allow)
        with suppress(OSError):
            store.close()
        if path.read_bytes() not in (before, edited(before, plan)):
            return
        faulty.armed = False
    raise AssertionError("no write was interrupted")


async def test_what_was_half_written_is_undone_in_a_copy(original: Path) -> None:
    """Journals know files by their inodes, and those of a copy are others."""
    path = original / "store" / "own.fits"
    before = path.read_bytes()
    await interrupt_an_edit(original, "own.fits")
    other = copy(original, original.with_name("copy"))
    assert (other / "store" / "own.fits").read_bytes() == path.read_bytes() != before
    async with opened(other) as archive:
        assert (other / "store" / "own.fits").read_bytes() == before
        assert await archive.verify("own.fits") == {"own.fits": ""}
        await archive.set("own.fits", OBJECT="M 31")
    assert target_of(other / "store" / "own.fits") == "M 31"
    assert path.read_bytes() != before


async def test_a_store_that_lies_elsewhere_is_shared_until_it_is_claimed(original: Path) -> None:
    elsewhere = original.with_name("disk")
    (original / "store").rename(elsewhere)
    (original / "store").symlink_to(elsewhere)
    async with opened(original) as archive:
        await archive.set("own.fits", OBJECT="M 2")
    async with opened(original.rename(original.with_name("moved"))) as archive:
        await archive.set("own.fits", OBJECT="M 3")
    async with opened(copy(original.with_name("moved"), original.with_name("copy"))) as archive:
        with pytest.raises(RootNotClaimed, match="armillary root claim store"):
            await archive.set("own.fits", OBJECT="M 31")
        put(original.with_name("more") / "late.fits", CONTENT)
        ((_, message),) = (await archive.ingest(original.with_name("more"), copy=True)).failed
        assert "armillary root claim store" in message
        assert not (elsewhere / "late.fits").exists()
        assert target_of(elsewhere / "own.fits") == "M 3"
        await claim(archive.context, "store")
        await archive.set("own.fits", OBJECT="M 31")
    assert target_of(elsewhere / "own.fits") == "M 31"


@pytest.mark.parametrize("part", ["private", "postgres"])
async def test_a_copy_that_shares_its_own_state_is_refused(original: Path, part: str) -> None:
    elsewhere = original.with_name("disk")
    (original / part).rename(elsewhere)
    (original / part).symlink_to(elsewhere)
    async with opened(original) as archive:
        before = await id_of(archive)
        await archive.set("own.fits", OBJECT="M 2")
        other = copy(original, original.with_name("copy"))
        with pytest.raises(DirectoryNotClaimed, match=f"root claim store --data {other}"):
            async with opened(other):
                pass
        assert await id_of(archive) == before
        assert set((await archive.verify()).values()) == {""}
    async with opened(other, anywhere=True) as archive:
        assert await id_of(archive) == before
        with pytest.raises(DirectoryNotClaimed):
            await claim(archive.context, (await roots_of(archive.context)).lines[1].root.name)
        await claim(archive.context, "store")
    async with opened(other) as archive:
        assert await id_of(archive) != before
        await archive.set("own.fits", OBJECT="M 31")
    assert target_of(other / "store" / "own.fits") == "M 31"


async def test_a_copy_of_hard_links_is_refused_and_so_is_what_it_was_made_of(original: Path) -> None:
    other = copy(original, original.with_name("copy"), "--link")
    for one in (other, original):
        with pytest.raises(ServerFailed, match="cp -a"):
            async with opened(one):
                pass
    shutil.rmtree(other)
    async with opened(original) as archive:
        await edits_its_own(archive)


@asynccontextmanager
async def external(server: EmbeddedServer) -> AsyncIterator[str]:
    """Make a database on a server that belongs to no directory; yield its address."""
    async with fresh_database(server) as name:
        yield f"postgresql://armillary_owner@/{name}?host={server.dsn.host}"


async def test_of_two_directories_an_external_database_belongs_to_one(
    postgres: EmbeddedServer, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    async with external(postgres) as url:
        async with opened(first, url=url) as archive:
            await fill(archive)
            before = await id_of(archive), await generation(archive)
            await edits_its_own(archive)
        moved = first.rename(tmp_path / "moved")
        async with opened(moved, url=url) as archive:
            assert (await id_of(archive), await generation(archive)) == before
            await edits_its_own(archive)
            copy(moved, second)
            for role in (Role.WORKER, Role.WEB):
                with pytest.raises(DirectoryNotClaimed, match=str(moved)):
                    async with open_context(
                        archive.context.settings.model_copy(update={"data": second}), role
                    ):
                        pass
            async with opened(second, url=url, anywhere=True, application="armillary root") as other:
                with pytest.raises(OthersAtWork, match="armillary test"):
                    await claim(other.context, "store")
            await edits_its_own(archive)
        async with opened(second, url=url, anywhere=True) as other:
            await claim(other.context, "store")
        async with opened(second, url=url) as other:
            assert (await id_of(other), await generation(other)) != before
            assert await states(other) == {
                "store": "editable",
                "inside": "editable",
                "outside": "read-only",
            }
            await edits_its_own(other)
        with pytest.raises(DirectoryNotClaimed, match=str(second)):
            async with opened(moved, url=url):
                pass
        assert target_of(moved / "store" / "own.fits") == "moved"


async def test_an_external_database_without_files_belongs_to_whoever_comes(
    postgres: EmbeddedServer, tmp_path: Path
) -> None:
    async with external(postgres) as url:
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            async with opened(tmp_path / name, url=url) as archive:
                assert await rows(archive, "SELECT path FROM archive_identity") == [(str(tmp_path / name),)]
        path = put(tmp_path / "night" / "own.fits", CONTENT)
        async with opened(tmp_path / "second", url=url) as archive:
            assert (await archive.ingest(path, copy=True)).ingested == 1
        with pytest.raises(DirectoryNotClaimed):
            async with opened(tmp_path / "first", url=url):
                pass
        assert list((tmp_path / "first").iterdir()) == []
