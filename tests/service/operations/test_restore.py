"""A backup comes back as the archive that it was; whatever is damaged or in the way is told apart."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json

import pytest

from armillary.base import dumps, migrate
from armillary.base.database import Database, Role
from armillary.base.store.errors import RootNotClaimed
from armillary.context import open_context
from armillary.operations.restore import NotEmpty, restore
from armillary.operations.snapshot import viewing
from armillary.operations.vault import DUMP, MANIFEST, BackupDamaged, NoBackup, Vault
from tests.service.archive.test_nights import at_odds
from tests.support.archive import Archive, put, sha256
from tests.support.backups import (
    CONTENT,
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


async def test_counts_of_nights_are_right_after_a_restore(night: Archive) -> None:
    await make(night)
    async with restored(night) as copy:
        await copy.set("plain.fits", **{"DATE-OBS": "2026-02-02"})
        async with copy.context.database.begin() as connection:
            assert await at_odds(connection) == 0


@pytest.mark.parametrize("arrives", [False, True], ids=["still waiting", "arriving meanwhile"])
async def test_an_upload_that_waits_is_done_after_the_restore(
    night: Archive, monkeypatch: pytest.MonkeyPatch, arrives: bool
) -> None:
    order = await upload(night, OTHER, "late.fits")
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
    query = "SELECT max(number), (SELECT max(generation) FROM feed_entry) FROM feed_generation"

    async def generations(archive: Archive) -> tuple[int, int]:
        async with archive.context.database.begin() as connection:
            return tuple((await connection.exec_driver_sql(query)).one())

    assert await generations(night) == (1, 1)
    await make(night)
    async with restored(night) as copy:
        number, latest = await generations(copy)
        assert (number > 1, latest) == (True, 1)
        await copy.set("plain.fits", FILTER="g")
        assert await generations(copy) == (number, number)


async def test_adopted_trees_are_used_where_they_stand(night: Archive) -> None:
    """Those in the directory of the lost archive are its own; it may not be lost at all."""
    outside = put(night.directory / "outside" / "out.fits", CONTENT)
    inside = put(night.context.settings.data / "inside" / "in.fits", CONTENT)
    await night.ingest(outside.parent, inside.parent)
    report = await make(night)
    assert set(report.left) == {str(outside.parent), str(inside.parent)}
    async with restored(night) as copy:
        await copy.set("out.fits", OBJECT="M 33")
        assert outside.read_bytes() != CONTENT
        assert await copy.path("in.fits") == inside
        with pytest.raises(RootNotClaimed, match="armillary root claim inside-"):
            await copy.set("in.fits", OBJECT="M 33")
        assert inside.read_bytes() == CONTENT


async def test_adopted_trees_that_were_copied_are_the_restored_archive_s_own(night: Archive) -> None:
    outside = put(night.directory / "outside" / "out.fits", CONTENT)
    await night.ingest(outside.parent)
    await make(night, with_adopted=True)
    async with restored(night) as copy:
        await copy.set("out.fits", OBJECT="M 33")
        place = await copy.path("out.fits")
        assert place.is_relative_to(copy.context.settings.data / "adopted")
        assert place.read_bytes() != CONTENT
    assert outside.read_bytes() == CONTENT


async def test_a_backup_of_an_older_schema_is_brought_to_ours(night: Archive) -> None:
    await make(night)
    database = night.context.database
    owner = await Database.connect(database.source, Role.OWNER, name=database.name, pool_size=1)
    try:
        await migrate.downgrade(owner, "0010")
    finally:
        await owner.close()
    directory = Vault(target(night)).find(None)
    (directory / DUMP).unlink()
    async with viewing(night.context) as view:
        await dumps.dump(database.source, directory / DUMP, snapshot=view.name, name=database.name)
    manifest = json.loads((directory / MANIFEST).read_text())
    manifest["schema"] = "0010"
    del manifest["archive"]
    manifest["sums"][DUMP] = hashlib.sha256((directory / DUMP).read_bytes()).hexdigest()
    (directory / MANIFEST).write_text(json.dumps(manifest))
    async with restored(night) as copy:
        await copy.revert("plain.fits")
        assert (await copy.path("plain.fits")).read_bytes() == CONTENT
        assert set((await copy.verify()).values()) == {""}


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
