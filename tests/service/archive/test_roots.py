"""A copy of an archive reads what it shares with the original, and changes nothing of that until it may."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from astropy.io import fits

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.claims import RootState, claim, roots_of
from armillary.archive.errors import UnknownRoot
from armillary.archive.intake import uploads
from armillary.archive.intake.staging import stage
from armillary.base.store.errors import RootAway, RootNotClaimed
from armillary.base.store.places import NOTE
from armillary.base.work import outcomes
from armillary.base.work.admin import find_orders
from armillary.edits.revert import submit_revert
from armillary.operations.service import recover
from tests.support.archive import ORIGIN, Archive, put
from tests.support.directories import copy, opened
from tests.support.edits import accept_one
from tests.support.headers import a_file
from tests.support.stores import allow_replace

CONTENT = a_file(cards=[("OBJECT", "M 1", "target")])
OTHER = a_file(cards=[("OBJECT", "M 2", "target")])


def target_of(path: Path) -> str:
    return str(fits.getval(path, "OBJECT"))


async def states(archive: Archive) -> dict[str, str]:
    """Return the state of each root by the last part of its path."""
    return {line.root.path.name: str(line.state) for line in (await roots_of(archive.context)).lines}


async def name_of(archive: Archive, directory: str) -> str:
    """Return the name of the root in a directory."""
    lines = (await roots_of(archive.context)).lines
    return {line.root.path.name: line.root.name for line in lines}[directory]


async def upload(archive: Archive, content: bytes, name: str) -> int:
    """Receive bytes as the web side does; return the order."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    staged = await stage(archive.context, chunks(), declared=len(content))
    async with archive.context.database.begin() as connection:
        return await uploads.accept_upload(
            connection, staged, path="", name=name, actor="observer", batch=None
        )


@pytest.fixture
async def original(tmp_path: Path) -> Path:
    """Return the directory of an archive with files of its own, and of a tree that it adopted."""
    for name in ("edited.fits", "uploaded.fits", "other.fits"):
        put(tmp_path / "tree" / name, CONTENT)
    put(tmp_path / "night" / "own.fits", CONTENT)
    async with opened(tmp_path / "original") as archive:
        assert (await archive.ingest(tmp_path / "night", copy=True)).ingested == 1
        assert (await archive.ingest(tmp_path / "tree", in_place=True)).ingested == 3
        await archive.set("edited.fits", OBJECT="before")
        await archive.drain()
    return tmp_path / "original"


async def test_a_copy_changes_nothing_in_a_tree_that_it_shares(original: Path) -> None:
    tree = original.with_name("tree")
    before = {path.name: path.read_bytes() for path in tree.iterdir()}
    async with opened(copy(original, original.with_name("copy"))) as archive:
        name = await name_of(archive, "tree")
        todo = f"armillary root claim {name}"
        assert await states(archive) == {"store": RootState.EDITABLE, "tree": RootState.READ_ONLY}
        with pytest.raises(RootNotClaimed, match=todo):
            await archive.set("edited.fits", OBJECT="after")
        with pytest.raises(RootNotClaimed, match=todo):
            await submit_revert(archive.context, "edited.fits", None, ORIGIN)
        with pytest.raises(RootNotClaimed, match=todo):
            await upload(archive, OTHER, "uploaded.fits")
        async with archive.context.database.begin() as connection:
            root = await catalog.root_by_id(
                connection, (await archive.version("other.fits")).location.root_id
            )
        bytes_of = catalog.store_of(archive.context, root)
        with pytest.raises(RootNotClaimed, match=todo):
            await bytes_of.write("new.fits", OTHER)
        with pytest.raises(RootNotClaimed, match=todo):
            await bytes_of.delete("other.fits")
        with pytest.raises(RootNotClaimed, match=todo):
            await bytes_of.rename("other.fits", "new.fits")
        assert await bytes_of.read("other.fits", 0, 6) == b"SIMPLE"
        assert set((await archive.verify()).values()) == {""}
        await archive.set("own.fits", OBJECT="after")
        assert {path.name: path.read_bytes() for path in tree.iterdir()} == before
    assert target_of(original / "store" / "own.fits") == "M 1"


async def test_what_was_accepted_before_waits_for_the_claim_and_is_done_then(original: Path) -> None:
    """The copy may be all that is left of an archive, so that nothing of it may be lost."""
    tree = original.with_name("tree")
    async with opened(original) as archive:
        edit = (
            await accept_one(archive.context, {"generic": [["OBJECT", "after"]]}, "other.fits", ORIGIN)
        ).order_ids[0]
        waiting = [
            edit,
            await submit_revert(archive.context, "edited.fits", None, ORIGIN),
            await upload(archive, OTHER, "uploaded.fits"),
        ]
    async with opened(copy(original, original.with_name("copy"))) as archive:
        await archive.drain()
        name = await name_of(archive, "tree")
        async with archive.context.database.begin() as connection:
            found = await find_orders(connection, waiting)
        for order in found.values():
            assert f"armillary root claim {name}" in (order.error or ""), order
            assert (order.state, order.attempts) == ("Queued", 0)
        assert [target_of(tree / one) for one in ("other.fits", "edited.fits", "uploaded.fits")] == [
            "M 1",
            "before",
            "M 1",
        ]
        await claim(archive.context, name)
        await archive.drain()
        async with archive.context.database.begin() as connection:
            ended = await outcomes(connection, waiting)
        assert [ended[order].response.error for order in waiting] == ["", "", ""]
        assert [target_of(tree / one) for one in ("other.fits", "edited.fits", "uploaded.fits")] == [
            "after",
            "M 1",
            "M 2",
        ]
        assert set((await archive.verify()).values()) == {""}
        assert await states(archive) == {"store": RootState.EDITABLE, "tree": RootState.EDITABLE}


async def test_of_two_running_archives_the_one_that_claimed_a_tree_last_changes_it(original: Path) -> None:
    tree, todo = original.with_name("tree"), "armillary root claim "
    other = copy(original, original.with_name("copy"))
    async with opened(original) as first, opened(other) as second:
        name = await name_of(first, "tree")
        await first.set("edited.fits", OBJECT="first")
        await claim(second.context, name)
        async with first.context.database.begin() as connection:
            root = await catalog.root_by_id(connection, (await first.version("other.fits")).location.root_id)
        bytes_of = catalog.store_of(first.context, root)
        for change in (
            lambda: bytes_of.write("new.fits", OTHER),
            lambda: bytes_of.delete("other.fits"),
            lambda: bytes_of.rename("other.fits", "new.fits"),
        ):
            with pytest.raises(RootNotClaimed, match=todo + name):
                await change()
        accepted = await accept_one(first.context, {"generic": [["OBJECT", "first"]]}, "other.fits", ORIGIN)
        await first.drain()
        async with first.context.database.begin() as connection:
            (order,) = (await find_orders(connection, accepted.order_ids)).values()
        assert (order.state, order.attempts, todo + name in (order.error or "")) == ("Queued", 0, True)
        await second.ingest(tree)
        await second.set("edited.fits", OBJECT="second")
        assert target_of(tree / "edited.fits") == "second"

        assert (await states(first))["tree"] == RootState.EDITABLE
        await recover(first.context)
        assert (await states(first))["tree"] == RootState.READ_ONLY
        with pytest.raises(RootNotClaimed, match=todo + name):
            await first.set("edited.fits", OBJECT="first")

        await claim(first.context, name)
        await first.ingest(tree)
        await first.drain()
        assert target_of(tree / "other.fits") == "first"
        with pytest.raises(RootNotClaimed, match=todo + name):
            await catalog.store_of(second.context, root).delete("other.fits")
        await recover(second.context)
        assert (await states(second))["tree"] == RootState.READ_ONLY


async def test_a_claim_that_came_while_bytes_were_made_ready_keeps_them_from_going_live(
    original: Path,
) -> None:
    tree = original.with_name("tree")
    other = copy(original, original.with_name("copy"))
    before = (tree / "other.fits").read_bytes()
    async with opened(original) as first, opened(other) as second:
        async with first.context.database.begin() as connection:
            root = await catalog.root_by_id(connection, (await first.version("other.fits")).location.root_id)
        bytes_of = catalog.store_of(first.context, root)

        async def slowly() -> AsyncIterator[bytes]:
            await claim(second.context, root.name)
            yield OTHER

        with pytest.raises(RootNotClaimed):
            await bytes_of.replace("other.fits", slowly(), None, allow_replace)
    assert (tree / "other.fits").read_bytes() == before


async def test_a_note_that_cannot_be_read_bars_a_tree_until_it_is_claimed(original: Path) -> None:
    note = original.with_name("tree") / NOTE
    note.write_text("[]")
    async with opened(original) as archive:
        await recover(archive.context)
        with pytest.raises(RootNotClaimed):
            await archive.set("other.fits", OBJECT="after")
        await claim(archive.context, await name_of(archive, "tree"))
        await archive.set("other.fits", OBJECT="after")
        assert str(original) in note.read_text()
        assert oct(note.stat().st_mode & 0o777) == "0o644"
    # A directory that is moved is the same archive.
    async with opened(original.rename(original.with_name("moved"))) as archive:
        await archive.set("other.fits", OBJECT="moved")


async def test_a_tree_that_is_away_cannot_be_claimed(original: Path) -> None:
    """Nobody could be told."""
    tree = original.with_name("tree")
    async with opened(copy(original, original.with_name("copy"))) as archive:
        name = await name_of(archive, "tree")
        tree.rename(tree.with_name("unmounted"))
        with pytest.raises(RootAway, match="Mount its disk"):
            await claim(archive.context, name)
        tree.with_name("unmounted").rename(tree)
        assert (await states(archive))["tree"] == RootState.READ_ONLY


async def test_files_of_a_shared_tree_are_taken_in_all_the_same(original: Path) -> None:
    tree = original.with_name("tree")
    async with opened(copy(original, original.with_name("copy"))) as archive:
        put(tree / "late.fits", OTHER)
        assert (await archive.ingest(tree)).ingested == 1
        assert await archive.find(object="M 2") == ["late.fits"]


async def test_an_unknown_root_is_refused_with_the_nearest_name(original: Path) -> None:
    async with opened(original) as archive:
        with pytest.raises(UnknownRoot, match="Did you mean 'store'"):
            await claim(archive.context, "stor")


async def test_a_tree_that_is_away_is_not_made_and_comes_back(original: Path) -> None:
    """It may be the place where a disk is to be mounted."""
    tree = original.with_name("tree")
    tree.rename(tree.with_name("unmounted"))
    async with opened(original) as archive:
        assert await states(archive) == {"store": RootState.EDITABLE, "tree": RootState.AWAY}
        async with archive.context.database.begin() as connection:
            root = await catalog.root_by_id(
                connection, (await archive.version("other.fits")).location.root_id
            )
        with pytest.raises(RootAway, match="armillary root list"):
            await catalog.store_of(archive.context, root).head("other.fits")
        assert "mount its disk" in (await archive.verify("other.fits"))["other.fits"]
        assert not tree.exists()
        tree.with_name("unmounted").rename(tree)
        await archive.set("other.fits", OBJECT="after")
        assert target_of(tree / "other.fits") == "after"


async def test_a_store_on_a_disk_that_is_not_mounted_is_not_made_elsewhere(original: Path) -> None:
    disk = original.with_name("disk")
    (original / "store").rename(disk)
    (original / "store").symlink_to(disk)
    disk.rename(disk.with_name("unmounted"))
    put(original.with_name("more") / "late.fits", OTHER)
    async with opened(original) as archive:
        ((_, message),) = (await archive.ingest(original.with_name("more"), copy=True)).failed
        assert "mount its disk" in message
        assert not disk.exists()
        disk.with_name("unmounted").rename(disk)
        assert (await archive.ingest(original.with_name("more"), copy=True)).ingested == 1
        assert (disk / "late.fits").read_bytes() == OTHER


async def test_a_name_that_is_taken_gets_a_number(archive: Archive) -> None:
    """It is made of a path, and another directory may have stood there before this archive was moved."""
    async with archive.context.database.begin() as connection:
        roots = [
            await catalog.ensure_root(connection, "tree", archive.directory / place, in_place=False)
            for place in ("one", "two", "one", "three")
        ]
    assert [root.name for root in roots] == ["tree", "tree-2", "tree", "tree-3"]
    assert [root.path.name for root in roots] == ["one", "two", "one", "three"]


async def test_an_unknown_number_of_a_root_is_an_error_with_words(archive: Archive) -> None:
    async with archive.context.database.begin() as connection:
        with pytest.raises(UnknownRoot, match="armillary root list"):
            await catalog.root_by_id(connection, 4711)
