"""A backup is one instant of a running archive, whatever goes on meanwhile."""

from __future__ import annotations

import bz2
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from armillary.access.models import Scope
from armillary.access.service import authenticate, create_token
from armillary.archive.catalog import service as catalog
from armillary.errors import BadRequest
from armillary.operations.backup import back_up
from armillary.operations.restore import restore
from armillary.operations.vault import BackupBusy, NoBackup, Vault
from armillary.settings import DatabaseSettings, Settings
from tests.support.archive import ORIGIN, Archive, put
from tests.support.backups import (
    CONTENT,
    LONG,
    NAMES,
    OTHER,
    after_the_dump,
    digests,
    empty_database,
    make,
    restored,
    same,
    settings_of,
    target,
    upload,
)
from tests.support.clock import FakeClock
from tests.support.directories import copy, opened
from tests.support.edits import accept_one
from tests.support.interruptions import interrupt
from tests.support.night import gemini_file
from tests.support.postgres import server_account


async def test_everything_comes_back(night: Archive) -> None:
    before = await digests(night)
    async with night.context.database.begin() as connection:
        now = night.context.clock.now()
        secret = await create_token(connection, "ann", {Scope.EDIT}, now=now)
    report = await make(night)
    assert (report.newer, report.missing) == ([], [])
    async with restored(night) as copy:
        await same(night, before, copy)
        for name in NAMES:
            assert (await copy.version(name)).file_sha256 == before[name]
        async with copy.context.database.begin() as connection:
            bearer = await authenticate(connection, secret)
        assert bearer is not None
        assert bearer.name == "ann"
        assert [one.outcome for one in (await copy.history("plain.fits")).edits] == ["changed"]


@pytest.mark.parametrize("cards", [{"OBJECT": "M 33"}, LONG], ids=["in place", "with growth"])
async def test_edits_during_the_backup_do_not_reach_it(
    night: Archive, monkeypatch: pytest.MonkeyPatch, cards: dict[str, Any]
) -> None:
    before = await digests(night)

    async def edit() -> None:
        for name in NAMES:
            await night.set(name, **cards)
            await night.set(name, FILTER="g")

    after_the_dump(monkeypatch, edit)
    report = await make(night)
    assert (report.newer, report.missing) == ([], [])
    assert await digests(night) != before
    async with restored(night) as copy:
        await same(night, before, copy)
        for name in NAMES:
            assert (await copy.version(name)).headers()[0].find(b"M 31") > 0
            await copy.revert(name)


@pytest.mark.parametrize("name", NAMES)
async def test_bytes_that_are_ahead_of_the_record_do_not_reach_the_backup(
    night: Archive, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = await digests(night)

    async def edit_and_begin_to_edit() -> None:
        await night.set(name, OBJECT="M 33")
        await accept_one(night.context, {"generic": {"OBJECT": "M 42"}}, name, ORIGIN)
        await interrupt(night, "live")

    after_the_dump(monkeypatch, edit_and_begin_to_edit)
    report = await make(night)
    assert (report.newer, report.missing) == ([], [])
    async with restored(night) as copy:
        await same(night, before, copy)


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "ahead"])
async def test_the_first_edit_of_a_large_compressed_file_does_not_reach_the_backup(
    night: Archive, monkeypatch: pytest.MonkeyPatch, recorded: bool
) -> None:
    """It gives the header a bzip2 block of its own, so only the recipe leads back to the bytes."""
    put(night.directory / "more" / "large.fits.bz2", bz2.compress(gemini_file(kb=600)))
    assert (await night.ingest(night.directory / "more", copy=True)).ingested == 1
    before = await digests(night)

    async def edit() -> None:
        await accept_one(night.context, {"generic": {"OBJECT": "M 42"}}, "large.fits", ORIGIN)
        if recorded:
            await night.drain()
        else:
            await interrupt(night, "live")

    after_the_dump(monkeypatch, edit)
    report = await make(night)
    assert (report.newer, report.missing) == ([], [])
    async with restored(night) as copy:
        await same(night, before, copy)


async def test_reverts_during_the_backup_do_not_reach_it(
    night: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await digests(night)

    async def revert() -> None:
        for name in NAMES:
            await night.revert(name)

    after_the_dump(monkeypatch, revert)
    report = await make(night)
    assert (report.newer, report.missing) == ([], [])
    async with restored(night) as copy:
        await same(night, before, copy)


async def test_uploads_during_the_backup_do_not_reach_it(
    night: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night.context.database.begin() as connection:
        await catalog.store_root(connection, night.context)
    path = (await night.version("plain.fits")).location.path
    before = await digests(night)

    async def replace() -> None:
        await night.finish([await upload(night, OTHER, "plain.fits", path=path)])

    after_the_dump(monkeypatch, replace)
    report = await make(night)
    assert (report.newer, report.missing) == ([], [])
    async with restored(night) as copy:
        await same(night, before, copy)


async def test_a_second_backup_copies_what_is_new(night: Archive) -> None:
    first = await make(night)
    objects = {path: path.stat().st_mtime_ns for path in (target(night) / "objects").glob("??/*")}
    again = await make(night)
    assert {path: path.stat().st_mtime_ns for path in (target(night) / "objects").glob("??/*")} == objects
    assert again.skipped == len(NAMES)
    assert (again.files, again.bytes) == (first.files, first.bytes)
    await night.set("plain.fits", FILTER="g")
    third = await make(night)
    assert third.skipped == len(NAMES) - 1
    assert len(list((target(night) / "objects").glob("??/*"))) == len(objects) + 1


async def test_an_earlier_backup_stays_what_it_was(night: Archive) -> None:
    before = await digests(night)
    first = await make(night)
    for name in NAMES:
        await night.set(name, FILTER="z")
    await make(night)
    async with restored(night, first.stamp) as copy:
        await same(night, before, copy)


async def test_old_backups_go_and_the_kept_ones_lose_nothing(night: Archive) -> None:
    for filter_ in ("g", "z"):
        await make(night)
        await night.set("plain.fits", FILTER=filter_)
    before = await digests(night)
    report = await make(night, keep=1)
    assert report.pruned == 2
    vault = Vault(target(night))
    assert vault.backups() == [report.stamp]
    async with restored(night) as copy:
        await same(night, before, copy)


async def test_a_backup_that_broke_off_is_none_and_goes(
    night: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full() -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        after_the_dump(patch, full)
        with pytest.raises(OSError, match="No space"):
            await make(night)
    with pytest.raises(NoBackup):
        await restore(target(night), settings_of(night))
    killed = target(night) / "backups" / "20250101T000000Z"
    killed.mkdir(parents=True)
    await make(night)
    assert not killed.exists()


async def test_a_file_that_is_gone_is_told(night: Archive) -> None:
    gone = await night.path("plain.fits")
    gone.unlink()
    report = await make(night, pauses_s=())
    assert report.missing == [str(gone)]
    async with empty_database(night) as settings:
        assert (await restore(target(night), settings)).missing == [str(gone)]


async def test_a_file_changed_outside_comes_back_as_it_is_and_is_taken_in(night: Archive) -> None:
    path = await night.path("plain.fits")
    path.write_bytes(OTHER)
    os.utime(path, ns=(1, 1))
    report = await make(night, pauses_s=())
    assert report.newer == [str(path)]
    async with restored(night) as copy:
        await copy.drain()
        assert (await copy.path("plain.fits")).read_bytes() == OTHER
        assert set((await copy.verify()).values()) == {""}


async def test_adopted_trees_are_left_unless_asked_for(night: Archive) -> None:
    tree = night.directory / "tree"
    put(tree / "theirs.fits", OTHER)
    await night.ingest(tree)
    left = await make(night)
    assert str(tree) in left.left
    async with restored(night) as copy:
        assert await copy.path("theirs.fits") == tree / "theirs.fits"
        assert set((await copy.verify()).values()) == {""}


async def test_adopted_trees_come_back_inside_if_they_were_copied(night: Archive) -> None:
    tree = night.directory / "tree"
    put(tree / "deep" / "theirs.fits", OTHER)
    await night.ingest(tree)
    report = await make(night, with_adopted=True)
    assert report.left == []
    async with restored(night) as copy:
        path = await copy.path("theirs.fits")
        assert path.is_relative_to(copy.context.settings.data)
        assert path.read_bytes() == OTHER
        await copy.set("theirs.fits", OBJECT="M 5")
        assert set((await copy.verify()).values()) == {""}
    assert (tree / "deep" / "theirs.fits").read_bytes() == OTHER


async def test_two_backups_at_once_do_not_mix(night: Archive) -> None:
    with Vault(target(night)).writing(), pytest.raises(BackupBusy):
        await make(night)


async def test_a_backup_does_not_lie_inside_what_it_saves(night: Archive) -> None:
    with pytest.raises(BadRequest, match="another disk"):
        await back_up(night.context, night.context.settings.data / "backups")


async def test_others_cannot_look_into_a_backup(night: Archive) -> None:
    await make(night)
    assert target(night).stat().st_mode & 0o077 == 0
    manifest = json.loads((Vault(target(night)).find(None) / "manifest.json").read_text())
    assert manifest["counts"]["file"] == len(NAMES)


async def test_a_copy_and_its_original_may_share_a_vault(tmp_path: Path) -> None:
    """Undo recipes are named by numbers of orders, which both count on from the same one."""
    content = bz2.compress(CONTENT)
    put(tmp_path / "night" / "x.fits.bz2", content)
    async with opened(tmp_path / "original") as archive:
        await archive.ingest(tmp_path / "night", copy=True)
    other = copy(tmp_path / "original", tmp_path / "copy")
    for number, data in enumerate((tmp_path / "original", other)):
        async with opened(data) as archive:
            await archive.set("x.fits", OBJECT=f"target {number}")
            await archive.set("x.fits", FILTER=f"f{number}")
            # Later than the backup of the other one, however quick that was.
            clock = FakeClock()
            clock.advance(number)
            context = replace(archive.context, clock=clock)
            await back_up(context, tmp_path / "backups")
    settings = Settings(data=tmp_path / "restored", database=DatabaseSettings(account=server_account()))
    await restore(tmp_path / "backups", settings)
    async with opened(tmp_path / "restored") as archive:
        await archive.revert("x.fits")
        await archive.revert("x.fits")
        assert (await archive.path("x.fits")).read_bytes() == content
