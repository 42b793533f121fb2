"""A backup is one instant of a running archive, and comes back as that; whatever is damaged is told apart."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from armillary.access.models import Scope
from armillary.access.service import authenticate, create_token
from armillary.archive import service, uploads
from armillary.archive.staging import stage
from armillary.base.database import Role
from armillary.base.postgres import dumps
from armillary.base.postgres.server import EmbeddedServer
from armillary.context import Context, open_context
from armillary.errors import BadRequest
from armillary.operations.backup import Report, back_up
from armillary.operations.restore import NotEmpty, restore
from armillary.operations.vault import BackupBusy, BackupDamaged, NoBackup, Vault
from armillary.settings import DatabaseSettings, Settings
from tests.support.archive import Archive, put, sha256
from tests.support.clock import FakeClock
from tests.support.headers import a_file
from tests.support.postgres import fresh_database, server_account

CONTENT = a_file(cards=[("OBJECT", "M 1", "target"), ("FILTER", "r", "colour")], extensions=2)
OTHER = a_file(cards=[("OBJECT", "M 2", "target")])
NAMES = ("plain.fits", "spliced.fits", "zipped.fits")
LONG = {f"KEY{number}": number for number in range(80)}
Step = Callable[[], Awaitable[Any]]


@pytest.fixture
async def night(archive: Archive) -> Archive:
    """Fill the store with a file of each container, each of them edited once."""
    folder = archive.directory / "night"
    put(folder / "plain.fits", CONTENT)
    put(folder / "spliced.fits.bz2", bz2.compress(CONTENT))
    put(folder / "zipped.fits.gz", gzip.compress(CONTENT, mtime=0))
    assert (await archive.ingest(folder, copy=True)).ingested == 3
    for name in NAMES:
        await archive.set(name, OBJECT="M 31")
    return archive


def target(archive: Archive) -> Path:
    return archive.directory / "backups"


async def make(archive: Archive, **options: Any) -> Report:
    """Make a backup; each comes a second after the last."""
    return await back_up(_later(archive), target(archive), **options)


def _later(archive: Archive) -> Context:
    clock = FakeClock()
    clock.advance(len(Vault(target(archive)).backups()))
    return replace(archive.context, clock=clock)


def settings_of(archive: Archive, name: str = "restored") -> Settings:
    return Settings(data=archive.directory / name, database=DatabaseSettings(account=server_account()))


@asynccontextmanager
async def empty_database(archive: Archive, directory: str = "restored") -> AsyncIterator[Settings]:
    """Make an empty database on a server that runs already; yield settings that name it."""
    server = archive.context.database.source
    assert isinstance(server, EmbeddedServer)
    async with fresh_database(server, empty=True) as name:
        url = f"postgresql://armillary_owner@/{name}?host={server.dsn.host}"
        yield Settings(data=archive.directory / directory, database=DatabaseSettings(url=url))


@asynccontextmanager
async def restored(archive: Archive, stamp: str | None = None) -> AsyncIterator[Archive]:
    """Restore the backup and open it."""
    async with empty_database(archive) as settings:
        await restore(target(archive), settings, stamp=stamp)
        async with open_context(settings, Role.WORKER) as context:
            yield Archive(context, archive.directory)


def after_the_dump(monkeypatch: pytest.MonkeyPatch, step: Step) -> None:
    """Let something happen between the instant of the database and the copying of files."""
    dump = dumps.dump

    async def dump_and_step(*args: Any, **options: Any) -> None:
        await dump(*args, **options)
        await step()

    monkeypatch.setattr(dumps, "dump", dump_and_step)


async def same(archive: Archive, before: dict[str, str], copy: Archive) -> None:
    """Expect the files of a restored archive as they were, in its own eyes and byte for byte."""
    for name, digest in before.items():
        path = await copy.path(name)
        assert path.is_relative_to(copy.context.settings.data)
        assert sha256(path) == digest, name
    assert set((await copy.verify()).values()) == {""}


async def digests(archive: Archive) -> dict[str, str]:
    return {name: sha256(await archive.path(name)) for name in NAMES}


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
            assert (await authenticate(connection, secret)).name == "ann"
        assert [one.outcome for one in (await copy.history("plain.fits")).edits] == ["changed"]


async def test_edits_can_be_taken_back_byte_for_byte_after_a_restore(night: Archive) -> None:
    originals = {
        "plain.fits": CONTENT,
        "spliced.fits": bz2.compress(CONTENT),
        "zipped.fits": gzip.compress(CONTENT, mtime=0),
    }
    await make(night)
    async with restored(night) as copy:
        for name, content in originals.items():
            await copy.revert(name)
            assert sha256(await copy.path(name)) == hashlib.sha256(content).hexdigest(), name
        await copy.set("plain.fits", OBJECT="M 33")
        await copy.drain()
        assert set((await copy.verify()).values()) == {""}


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


async def _upload(archive: Archive, content: bytes, name: str) -> int:
    async def chunks() -> AsyncIterator[bytes]:
        yield content

    context = archive.context
    staged = await stage(context, chunks(), declared=len(content))
    async with context.database.begin() as connection:
        return await uploads.accept_upload(
            connection, staged, path="", name=name, actor="observer", batch=None
        )


async def test_uploads_during_the_backup_do_not_reach_it(
    night: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night.context.database.begin() as connection:
        await service.store_root(connection, night.context)
    path = (await night.version("plain.fits")).location.path
    before = await digests(night)

    async def replace() -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield OTHER

        staged = await stage(night.context, chunks(), declared=len(OTHER))
        async with night.context.database.begin() as connection:
            order = await uploads.accept_upload(
                connection, staged, path=path, name="plain.fits", actor="observer", batch=None
            )
        await night.finish([order])

    after_the_dump(monkeypatch, replace)
    report = await make(night)
    assert (report.newer, report.missing) == ([], [])
    async with restored(night) as copy:
        await same(night, before, copy)


@pytest.mark.parametrize("arrives", [False, True], ids=["still waiting", "arriving meanwhile"])
async def test_an_upload_that_waits_is_done_after_the_restore(
    night: Archive, monkeypatch: pytest.MonkeyPatch, arrives: bool
) -> None:
    order = await _upload(night, OTHER, "late.fits")
    if arrives:

        async def arrive() -> None:
            await night.finish([order])

        after_the_dump(monkeypatch, arrive)
    await make(night)
    async with restored(night) as copy:
        await copy.drain()
        assert (await copy.path("late.fits")).read_bytes() == OTHER
        assert set((await copy.verify()).values()) == {""}


async def test_an_ingest_that_waits_is_done_after_the_restore(night: Archive) -> None:
    put(night.directory / "more" / "late.fits", OTHER)
    await night.submit(night.directory / "more", copy=True)
    await make(night)
    async with restored(night) as copy:
        await copy.drain()
        assert (await copy.path("late.fits")).read_bytes() == OTHER


async def test_an_edit_that_was_under_way_is_done_after_the_restore(night: Archive) -> None:
    async with night.context.database.begin() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO work_order (kind, key, args, state, attempts, lease_owner, lease_until, started)"
            " SELECT kind, key, args, 'Started', 1, 'worker-1-5-ab', now() + interval '1 day', now()"
            " FROM work_order WHERE kind = 'update_headers' AND key LIKE '%plain.fits' LIMIT 1"
        )
    await make(night)
    async with restored(night) as copy:
        await copy.drain()
        assert await copy.unfinished() == 0
        assert set((await copy.verify()).values()) == {""}


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


async def test_a_damaged_file_is_named_and_nothing_is_restored(night: Archive) -> None:
    await make(night)
    largest = max((target(night) / "objects").glob("??/*"), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.write_bytes(data)
    with pytest.raises(BackupDamaged, match=largest.name):
        await restore(target(night), settings_of(night))
    assert not (night.directory / "restored").exists()
    assert [path.name for path in night.directory.glob(".*restoring*")] == []


@pytest.mark.parametrize("name", ["database.dump", "files.jsonl"])
async def test_a_damaged_dump_or_list_is_refused(night: Archive, name: str) -> None:
    await make(night)
    path = Vault(target(night)).find(None) / name
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(BackupDamaged, match=name):
        await restore(target(night), settings_of(night))


async def test_a_missing_object_is_named(night: Archive) -> None:
    await make(night)
    gone = next((target(night) / "objects").glob("??/*"))
    gone.unlink()
    with pytest.raises(BackupDamaged, match=f"{gone.name} is missing"):
        await restore(target(night), settings_of(night))


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


async def test_a_directory_that_holds_something_is_not_restored_into(night: Archive) -> None:
    await make(night)
    put(night.directory / "restored" / "precious.txt", b"mine")
    with pytest.raises(NotEmpty, match="not empty"):
        await restore(target(night), settings_of(night))
    assert (night.directory / "restored" / "precious.txt").read_bytes() == b"mine"


async def test_an_embedded_database_comes_back_in_the_new_directory(night: Archive) -> None:
    before = await digests(night)
    await make(night)
    settings = settings_of(night)
    await restore(target(night), settings)
    async with open_context(settings, Role.WORKER) as context:
        await same(night, before, Archive(context, night.directory))


async def test_the_feed_of_changes_begins_anew(night: Archive) -> None:
    """A client may know changes that were made after the backup, under numbers that are used again."""
    query = "SELECT max(number), (SELECT max(generation) FROM change) FROM change_generation"

    async def generations(archive: Archive) -> tuple[int, int]:
        async with archive.context.database.begin() as connection:
            return tuple((await connection.exec_driver_sql(query)).one())

    assert await generations(night) == (1, 1)
    await make(night)
    async with restored(night) as copy:
        assert await generations(copy) == (2, 1)
        await copy.set("plain.fits", FILTER="g")
        assert await generations(copy) == (2, 2)


async def test_a_database_that_holds_tables_is_not_restored_into(night: Archive) -> None:
    await make(night)
    async with empty_database(night) as settings:
        await restore(target(night), settings)
        again = settings.model_copy(update={"data": night.directory / "again"})
        with pytest.raises(NotEmpty, match="holds tables"):
            await restore(target(night), again)
        assert not again.data.exists()


async def test_an_unknown_backup_is_refused_with_those_there_are(night: Archive) -> None:
    report = await make(night)
    with pytest.raises(NoBackup, match=report.stamp):
        await restore(target(night), settings_of(night), stamp="20200101T000000Z")
    with pytest.raises(NoBackup):
        await restore(night.directory / "nowhere", settings_of(night))


async def test_a_file_that_is_gone_is_told(night: Archive) -> None:
    gone = await night.path("plain.fits")
    gone.unlink()
    monkey = pytest.MonkeyPatch()
    monkey.setattr("armillary.operations.capture.PAUSES_S", ())
    try:
        report = await make(night)
    finally:
        monkey.undo()
    assert report.missing == [str(gone)]
    async with empty_database(night) as settings:
        assert (await restore(target(night), settings)).missing == [str(gone)]


async def test_a_file_changed_outside_comes_back_as_it_is_and_is_taken_in(
    night: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("armillary.operations.capture.PAUSES_S", ())
    path = await night.path("plain.fits")
    path.write_bytes(OTHER)
    os.utime(path, ns=(1, 1))
    report = await make(night)
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


async def test_settings_come_back_unless_they_lead_to_the_lost_database(night: Archive) -> None:
    saved = night.context.settings.data / "armillary.toml"
    saved.write_text("[work]\nworkers = 3\n")
    await make(night)
    async with empty_database(night, "one") as settings:
        report = await restore(target(night), settings)
    assert report.settings == ""
    assert (night.directory / "one" / "armillary.toml").read_text() == saved.read_text()
    saved.write_text('[database]\nurl = "postgresql://elsewhere/armillary"\n')
    await make(night)
    async with empty_database(night, "two") as settings:
        report = await restore(target(night), settings)
    assert "armillary.toml.saved" in report.settings
    assert not (night.directory / "two" / "armillary.toml").exists()


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
