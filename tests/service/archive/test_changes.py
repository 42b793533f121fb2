"""The feed of changes tells each of them once, in an order that nothing is added to afterwards."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from armillary.archive.changes import service as changes
from armillary.archive.intake.presence import mark_gone
from armillary.archive.models import SMALL
from armillary.base.database import Database, Role
from armillary.base.feed.errors import BadFeedCursor, FeedCursorGone
from armillary.base.feed.generations import notice_restore
from armillary.base.feed.models import BEGINNING, Cursor
from armillary.base.feed.store import AFTER
from armillary.base.postgres.server import EmbeddedServer
from tests.support.archive import Archive, put
from tests.support.feed import now, told, unsettled
from tests.support.night import gemini_file

WRITERS, TRANSACTIONS = 6, 15
COPY = """
INSERT INTO version (file_id, root_id, path, filename, container, present, canonical, file_size, data_size,
    file_crc, data_crc, mtime_ns, identity, lastmod, entrytime, layout, headers, origin)
SELECT file_id, root_id, path, filename, container, false, false, file_size, data_size,
    file_crc, data_crc, mtime_ns, identity, lastmod, entrytime, layout, headers, origin
FROM version, generate_series(1, $1) WHERE canonical
RETURNING id
"""
"""More versions of the only file."""


async def kinds(archive: Archive, after: str | None = None) -> list[str]:
    return [str(one.kind) for one in await told(archive, after)]


async def test_the_life_of_a_file_is_told(archive: Archive) -> None:
    # The digests of small plain files come with their intake.
    path = put(archive.directory / "night" / "a.fits", gemini_file(kb=2 * SMALL >> 10))
    await archive.ingest(path.parent)
    await archive.drain()
    first, digests = await told(archive)
    assert (first.kind, digests.kind) == ("added", "digests")
    version = await archive.version("a.fits")
    for one in (first, digests):
        assert one.values["name"] == one.values["filename"] == "a.fits"
        assert (one.values["version"], one.values["data_md5"]) == (version.id, version.data_md5)
        assert (one.values["present"], one.values["canonical"], one.values["edits"]) == (True, True, [])
    before = await now(archive)
    await archive.set("a.fits", OBJECT="M31")
    (edit,) = await archive.edits("a.fits")
    old, new = (await told(archive, before))[:2]
    assert (old.kind, old.values["version"]) == ("superseded", version.id)
    assert (old.values["present"], old.values["canonical"]) == (False, False)
    assert (new.kind, new.values["origin"], new.values["edits"]) == ("changed", "edit", [edit])
    assert (new.values["present"], new.values["canonical"]) == (True, True)
    assert new.values["previous"] == version.id
    await archive.drain()
    before = await now(archive)
    path.unlink()
    put(path.parent / "other.fits", b"x")
    present = (await archive.version("a.fits")).presence()
    await mark_gone(archive.context, [present])
    (gone,) = await told(archive, before)
    assert (gone.kind, gone.values["present"], gone.values["canonical"]) == ("absent", False, True)


async def test_what_is_rolled_back_or_tells_nothing_new_is_not_told(archive: Archive) -> None:
    await archive.ingest(put(archive.directory / "a.fits"))
    await archive.drain()
    before = await now(archive)
    async with archive.context.database.begin() as connection:
        await connection.exec_driver_sql(COPY, (3,))
        await connection.rollback()
    async with archive.context.database.begin() as connection:
        await connection.exec_driver_sql("UPDATE version SET mtime_ns = mtime_ns + 1, present = present")
    assert await kinds(archive, before) == []
    for _ in range(2):
        await archive.set("a.fits", OBJECT="x")
    assert (await kinds(archive, before)).count("changed") == 1


async def test_a_transaction_that_changes_no_version_delays_nothing(archive: Archive) -> None:
    await archive.ingest(put(archive.directory / "a.fits"))
    await archive.drain()
    before = await now(archive)
    async with archive.context.database.begin() as long:
        await long.exec_driver_sql("UPDATE version SET mtime_ns = mtime_ns RETURNING pg_current_xact_id()")
        async with archive.context.database.begin() as connection:
            ids = set((await connection.exec_driver_sql(COPY, (3,))).scalars())
        assert {one.values["version"] for one in await told(archive, before, at_once=True)} == ids
        assert not await unsettled(archive)


async def test_changes_wait_for_older_transactions_and_lose_nothing(archive: Archive) -> None:
    await archive.ingest(put(archive.directory / "a.fits"))
    await archive.drain()
    before = await now(archive)
    database = archive.context.database
    async with database.begin() as slow:
        early = set((await slow.exec_driver_sql(COPY, (2,))).scalars())
        async with database.begin() as quick:
            late = set((await quick.exec_driver_sql(COPY, (3,))).scalars())
        async with database.begin() as connection:
            start = await changes.position(connection, before)
            found = await changes.changes_after(connection, start, 100)
        assert (found.entries, found.unsettled, found.cursor.token) == ([], True, before)
        assert await now(archive, at_once=True) == before
        waiting = asyncio.create_task(changes.next_changes(archive.context, start, limit=100, wait_s=30))
        await asyncio.sleep(0.05)
        assert not waiting.done()
    # The end of the slow transaction wakes those who wait.
    assert (await waiting).entries
    ids = [one.values["version"] for one in await told(archive, before)]
    assert (set(ids[:2]), set(ids[2:])) == (early, late)


async def test_writers_that_commit_out_of_order_are_read_exactly_once(archive: Archive) -> None:
    await archive.ingest(put(archive.directory / "a.fits"))
    await archive.drain()
    chance, database = random.Random(7), archive.context.database
    pauses = [[chance.uniform(0, 0.02) for _ in range(TRANSACTIONS)] for _ in range(WRITERS)]
    expected: set[int] = set()
    cursor = await now(archive)

    async def write(own: list[float]) -> None:
        connection = await database.dedicated()
        try:
            for pause in own:
                transaction = connection.transaction()
                await transaction.start()
                ids = [row["id"] for row in await connection.fetch(COPY, 1 + int(pause * 500))]
                await asyncio.sleep(pause)
                if pause < 0.004:
                    await transaction.rollback()
                else:
                    await transaction.commit()
                    expected.update(ids)
        finally:
            await connection.close()

    writing = asyncio.gather(*map(write, pauses))
    seen: list[int] = []
    done = False
    while not done:
        done = writing.done() and not await unsettled(archive)
        for one in await told(archive, cursor, limit=7, at_once=True):
            seen.append(one.values["version"])
            cursor, done = one.cursor.token, False
        await asyncio.sleep(0)
    await writing
    assert len(expected) > 300
    assert len(seen) == len(set(seen))
    assert set(seen) == expected
    everything = await told(archive)
    assert [one.cursor for one in everything] == sorted(one.cursor for one in everything)


@pytest.mark.parametrize(
    ("ending", "last"),
    [
        ("UPDATE version SET present = false, canonical = false WHERE id = $1", "superseded"),
        ("DELETE FROM version WHERE id = $1", "forgotten"),
    ],
)
async def test_changes_of_one_version_are_told_as_they_happened_whoever_began_first(
    archive: Archive, ending: str, last: str
) -> None:
    """Digests of a transaction that began later, and an end of the version by one that began earlier."""
    await archive.ingest(put(archive.directory / "a.fits"))
    await archive.drain()
    database, version = archive.context.database, (await archive.version("a.fits")).id
    early, late = await database.dedicated(), await database.dedicated()
    try:
        if last == "forgotten":
            version = await early.fetchval(COPY, 1)
        before = await now(archive)
        async with early.transaction():
            copied = await early.fetchval(COPY, 1)
            await late.execute("UPDATE version SET data_md5 = 'abc' WHERE id = $1", version)
            await early.execute(ending, version)
            assert await told(archive, before, at_once=True) == []
    finally:
        await early.close()
        await late.close()
    first, digests, end = await told(archive, before)
    assert (str(first.kind), first.values["version"]) == ("changed", copied)
    assert (str(digests.kind), str(end.kind)) == ("digests", last)
    assert (digests.values["version"], end.values["version"]) == (version, version)
    assert end.values["present"] is False
    assert digests.cursor < end.cursor
    assert await told(archive, digests.cursor.token) == [end]


async def test_a_restored_dump_begins_a_generation_that_comes_later(archive: Archive) -> None:
    await archive.ingest(put(archive.directory / "a.fits", gemini_file(kb=2 * SMALL >> 10)))
    await archive.drain()
    database = archive.context.database
    assert not await notice_restore(database)
    owner = await Database.connect(database.source, Role.OWNER, name=database.name, pool_size=1)
    try:
        async with owner.begin() as connection:
            # As on a server that counted further before the dump was made.
            await connection.exec_driver_sql(
                "UPDATE feed_entry SET xid = (xid::text::bigint + 1000000000)::text::xid8"
            )
    finally:
        await owner.close()
    assert await notice_restore(database)
    assert not await notice_restore(database)
    old = await told(archive, at_once=True)
    assert [one.kind for one in old] == ["added", "digests"]
    cursor = await now(archive)
    assert cursor == old[-1].cursor.token
    await archive.set("a.fits", OBJECT="M31")
    new = await told(archive, cursor)
    assert [str(one.kind) for one in new][:2] == ["superseded", "changed"]
    assert all(one.cursor > old[-1].cursor and one.cursor.generation == 2 for one in new)
    lost = Cursor(1, old[-1].cursor.number + 5, old[-1].cursor.id + 9)
    with pytest.raises(FeedCursorGone):
        await told(archive, lost.token)


async def test_a_sequence_that_is_behind_begins_a_generation(archive: Archive) -> None:
    """As of a dump whose rows came back, and whose sequences did not."""
    await archive.ingest(put(archive.directory / "a.fits"))
    await archive.drain()
    database, old = archive.context.database, await told(archive)
    owner = await Database.connect(database.source, Role.OWNER, name=database.name, pool_size=1)
    async with owner.begin() as connection:
        await connection.exec_driver_sql("SELECT setval('feed_number', 1)")
    await owner.close()
    assert await notice_restore(database)
    assert not await notice_restore(database)
    await archive.set("a.fits", OBJECT="M31")
    new = await told(archive, old[-1].cursor.token)
    assert [str(one.kind) for one in new][:2] == ["superseded", "changed"]
    assert new[0].cursor.number == old[0].cursor.number


async def test_cursors_are_what_the_feed_gave_or_refused(archive: Archive) -> None:
    assert await told(archive, BEGINNING.token) == await told(archive, "") == []
    for bad in ("x", "MS4y", "é", "a" * 300, "LTEuMi4z", "MDEuMi4z", Cursor(1, 1 << 63, 1).token, "now "):
        with pytest.raises(BadFeedCursor):
            await told(archive, bad)
    with pytest.raises(FeedCursorGone):
        await told(archive, Cursor(1, 5, 5).token)
    page = await changes.next_changes(archive.context, BEGINNING, limit=1, wait_s=0.05)
    assert (page.entries, page.cursor, page.more) == ([], BEGINNING, False)


async def test_pages_lead_through_everything(archive: Archive) -> None:
    await archive.ingest(*(put(archive.directory / f"{number}.fits") for number in range(14)))
    await archive.drain()
    whole, cursor, seen = await told(archive), "", []
    async with archive.context.database.begin() as connection:
        more = True
        while more:
            start = await changes.position(connection, cursor)
            page = await changes.changes_after(connection, start, 3)
            seen += page.entries
            cursor, more = page.cursor.token, page.more
    assert seen == whole
    assert len(whole) == 14


async def test_the_web_reads_the_feed_and_writes_nothing_there(
    archive: Archive, postgres: EmbeddedServer
) -> None:
    web = await Database.connect(postgres, Role.WEB, name=archive.context.database.name, pool_size=1)
    try:
        async with web.begin() as connection:
            assert await changes.position(connection, "now") == BEGINNING
        for statement in (
            "INSERT INTO feed_entry (topic, generation, number, key, payload) VALUES (1, 1, 1, '1', '{}')",
            "SELECT feed_append('versions', '{1}', ARRAY['{}'::jsonb])",
            "SELECT nextval('feed_number')",
            "DELETE FROM feed_entry",
            "UPDATE feed_topic SET horizon_number = 7",
            "INSERT INTO feed_consumer (topic, name, generation, number, id) VALUES (1, 'x', 0, 0, 0)",
            "INSERT INTO feed_generation VALUES (7)",
        ):
            with pytest.raises(DBAPIError, match="permission denied"):
                async with web.begin() as connection:
                    await connection.exec_driver_sql(statement)
    finally:
        await web.close()


async def test_each_change_is_found_by_its_place_in_the_index(archive: Archive, tmp_path: Path) -> None:
    await archive.ingest(put(archive.directory / "a.fits"))
    async with archive.context.database.begin() as connection:
        await connection.exec_driver_sql(COPY, (3000,))
        await connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
        query = AFTER
        for place, value in enumerate(("'versions'", "1000000", "1", "5", "5", "100"), 1):
            query = query.replace(f"${place}", value)
        plan = "\n".join((await connection.exec_driver_sql(f"EXPLAIN {query}")).scalars())
    assert "feed_entry_pk" in plan
    assert "Seq Scan on feed_entry" not in plan
