"""A filled database of every earlier revision is upgraded, and its rows mean what they meant."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Level
from armillary.archive.models import Identity
from armillary.base import migrate
from armillary.base.database import Database, Role
from armillary.base.feed.models import Cursor
from armillary.base.postgres.server import EmbeddedServer
from tests.support import filled
from tests.support.archive import Archive, an_archive
from tests.support.debian import needs_debian
from tests.support.feed import told
from tests.support.postgres import Server, fresh_database, source_of

REVISIONS = migrate.revisions()
FROM = [
    *(("postgres", revision) for revision in REVISIONS),
    *(pytest.param("debian", one, marks=needs_debian) for one in (REVISIONS[0], REVISIONS[-2])),
]
"""Servers, and the revisions from which a database is upgraded there."""
FIRST_ROOT = 1
"""That of the files that every revision has; it was opened when there were levels."""


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    """Return the embedded server, unless a test asks for another."""
    found: Server = request.getfixturevalue(getattr(request, "param", "postgres"))
    return found


@pytest.fixture
async def database(server: Server) -> AsyncIterator[Database]:
    """Open an empty database as its owner."""
    async with fresh_database(server, empty=True) as name:
        opened = await Database.connect(source_of(server, Role.OWNER), Role.OWNER, name=name, pool_size=1)
        yield opened
        await opened.close()


def test_each_migration_has_rows_of_its_own_or_says_that_it_needs_none() -> None:
    assert sorted(path.stem for path in filled.DATA.glob("*.sql")) == list(REVISIONS)


async def test_every_table_has_rows_at_the_head(database: Database) -> None:
    await filled.fill(database, REVISIONS[-1])
    assert {table for table, rows in (await filled.rows_of(database)).items() if not rows} == set()


@pytest.mark.parametrize(("server", "revision"), FROM, indirect=["server"])
async def test_rows_mean_the_same_after_the_upgrade(
    server: Server, database: Database, tmp_path: Path, revision: str
) -> None:
    await filled.fill(database, revision)
    before = await filled.rows_of(database)
    await migrate.upgrade(database)
    assert await migrate.current(database) == REVISIONS[-1]
    before = filled.as_the_migrations_leave_them(before, revision)
    after = filled.known_of(await filled.rows_of(database), before)
    assert after == filled.known_of(before, before)
    async with an_archive(server, tmp_path, database_name=database.name) as archive:
        await _check_orders(archive)
        if revision >= "0002":
            assert await filled.catalog(archive) == filled.CATALOG
            level = Level.OPEN if revision >= "0019" else Level.METADATA
            assert await _meaning(archive, FIRST_ROOT) == (level, Identity.UNIQUE)
        if revision >= "0005":
            found = await filled.change_set(archive)
            assert (found["state"], found["files"]["changed"], found["files"]["refused"]) == (
                "completed",
                1,
                1,
            )
            assert found["errors"] == [
                {"file": filled.SECOND, "state": "refused", "error": "Protected keyword: NAXIS"}
            ]
        if revision >= "0006":
            assert await filled.exported(archive) == [
                (filled.FIRST, "header", filled.CATALOG["digests"][1]),
                (filled.SECOND, "bytes", filled.CATALOG["digests"][2]),
            ]


async def _meaning(archive: Archive, root: int) -> tuple[Level, Identity]:
    """Return what strangers are told of the files of a root, and what makes them the same files."""
    async with archive.context.database.begin() as connection:
        (found,) = [one for one in await catalog.list_roots(connection) if one.id == root]
    return found.visibility, found.identity


OLD_RUNS = """
INSERT INTO work_order (kind, key, args, next_args, state, max_attempts, revision, claimed_revision, unique_key,
    lease_owner, lease_until, fence) VALUES
('again', 'k', '{"a": 1}', '{"b": 2}', 'Started', 1000000, 3, 1, 'again:k', 'worker-1-99-aaaa', now(), 1),
('once', 'l', '{"a": 1}', NULL, 'Started', NULL, 2, 2, 'once:l', 'worker-1-99-aaaa', now(), 1),
('alone', NULL, '{"a": 1}', NULL, 'Queued', 7, 1, 0, 'alone:m', NULL, NULL, 0)
"""
RUNS = "kind, key, args, state, max_attempts, revision, unique_key"


async def test_what_was_submitted_again_during_a_run_waits_behind_it_after_the_upgrade(
    database: Database,
) -> None:
    await migrate.upgrade(database, "0013")
    async with database.raw() as connection:
        await connection.execute(OLD_RUNS)
    await migrate.upgrade(database)
    async with database.raw() as connection:
        found = [tuple(row) for row in await connection.fetch(f"SELECT {RUNS} FROM work_order ORDER BY id")]
    assert found == [
        ("again", "k", {"a": 1}, "Started", 0, 1, "again:k"),
        ("once", "l", {"a": 1}, "Started", None, 2, "once:l"),
        ("alone", "alone:m", {"a": 1}, "Queued", 7, 1, "alone:m"),
        ("again", "k", {"b": 2}, "Queued", 0, 3, "again:k"),
    ]
    await migrate.downgrade(database, "0013")
    async with database.raw() as connection:
        query = f"SELECT {RUNS}, next_args, claimed_revision FROM work_order ORDER BY id"
        found = [tuple(row) for row in await connection.fetch(query)]
    assert found == [
        ("again", "k", {"a": 1}, "Started", 1000000, 3, "again:k", {"b": 2}, 1),
        ("once", "l", {"a": 1}, "Started", None, 2, "once:l", None, 2),
        ("alone", "alone:m", {"a": 1}, "Queued", 7, 1, "alone:m", None, 0),
    ]


CHANGES = """
SELECT generation, xid::text::bigint, id, noted, file_id, version_id, kind, present, canonical FROM change
ORDER BY 1, 2, 3
"""


async def _rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    async with database.raw() as connection:
        return [tuple(row) for row in await connection.fetch(query)]


async def test_cursors_that_clients_keep_are_good_in_the_feed_of_topics_and_back(
    postgres: EmbeddedServer, database: Database, tmp_path: Path
) -> None:
    await filled.fill(database, "0015")
    before = await _rows(database, CHANGES)
    (horizon,) = await _rows(database, "SELECT generation, xid::text::bigint, id FROM change_horizon")
    await migrate.upgrade(database)
    async with an_archive(postgres, tmp_path, database_name=database.name) as archive:
        whole = await told(archive)
        assert [one.cursor.position for one in whole] == [row[:3] for row in before]
        for at, row in enumerate(before):
            assert await told(archive, Cursor(*row[:3]).token) == whole[at + 1 :]
        assert await told(archive, Cursor(*horizon).token) == whole
        async with archive.context.database.begin() as connection:
            await connection.exec_driver_sql("UPDATE version SET data_md5 = 'news' WHERE id = 3")
        (news,) = await told(archive, whole[-1].cursor.token)
        assert news.cursor > whole[-1].cursor
        assert news.cursor.number > max(row[1] for row in before)
    await migrate.downgrade(database, "0015")
    after = await _rows(database, CHANGES)
    assert after[:-1] == before
    assert (after[-1][:3], after[-1][5:]) == (news.cursor.position, (3, "digests", True, True))
    assert await _rows(database, "SELECT generation, xid::text::bigint, id FROM change_horizon") == [horizon]


async def test_a_limited_scope_becomes_no_wider_on_the_way_back(database: Database) -> None:
    await filled.fill(database, "0019")
    await migrate.downgrade(database, "0018")
    tokens = await _rows(database, "SELECT name, scopes FROM token ORDER BY name")
    assert tokens == [("keeper", ["read"]), ("observer", ["edit", "read"])]
    assert {reply for (reply,) in await _rows(database, "SELECT reply FROM update_request")} == {""}
    await migrate.upgrade(database)


SECOND_PLACE = """
INSERT INTO version (file_id, root_id, path, filename, container, present, canonical, file_size, data_size,
    file_crc, data_crc, mtime_ns, identity, lastmod, entrytime, layout, headers, origin)
SELECT file_id, root_id, 'again', filename, container, true, false, file_size, data_size,
    file_crc, data_crc + {other}, mtime_ns, identity, lastmod, entrytime, layout, headers, origin
FROM version WHERE id = {id}
"""


async def test_names_keep_their_meaning_and_those_of_several_contents_are_noted(database: Database) -> None:
    await filled.fill(database, "0019")
    async with database.raw() as connection:
        await connection.execute(SECOND_PLACE.format(other=1, id=2))
        await connection.execute(SECOND_PLACE.format(other=0, id=3))
    await migrate.upgrade(database)
    assert await _rows(database, "SELECT DISTINCT identity FROM root") == [("unique",)]
    files = "SELECT name, directory, root_id, contested FROM file ORDER BY name"
    assert await _rows(database, files) == [(filled.FIRST, "", 0, False), (filled.SECOND, "", 0, True)]


async def test_several_files_of_one_name_are_in_the_way_of_an_earlier_release(database: Database) -> None:
    await filled.fill(database, "0020")
    async with database.raw() as connection:
        await connection.execute(
            "INSERT INTO file (id, name, directory, root_id) OVERRIDING SYSTEM VALUE"
            " VALUES (9, 'Light_001.fits', 'night2', 2)"
        )
    with pytest.raises(Exception, match="several files have the same name"):
        await migrate.downgrade(database, "0019")
    async with database.raw() as connection:
        await connection.execute("DELETE FROM file WHERE directory = 'night2'")
    await migrate.downgrade(database, "0019")
    assert ("Light_001.fits",) in await _rows(database, "SELECT name FROM file")
    await migrate.upgrade(database)


async def test_nothing_that_was_hidden_or_single_becomes_wider_on_the_way_back(database: Database) -> None:
    await filled.fill(database, "0023")
    await migrate.downgrade(database, "0019")
    assert ("saf", []) in await _rows(database, "SELECT name, scopes FROM token")
    assert ("secret", None) in await _rows(database, "SELECT name, visibility FROM root")
    assert await _rows(database, "SELECT 1 FROM access_grant WHERE principal = 'saf'") == []
    await migrate.upgrade(database)


async def _check_orders(archive: Archive) -> None:
    """See that orders which waited are done, and that those which ended say how."""
    ended = await archive.run([7, 20, 21, 22])
    states = {order: str(outcome.state) for order, outcome in ended.items()}
    assert states == {7: "Completed", 20: "Completed", 21: "Completed", 22: "Failed"}
    assert ended[7].response.value["changes"][0]["new"] == "M 31"  # type: ignore[call-overload, index]
    assert ended[20].response.value == {"said": "long ago"}
    assert ended[21].response.value == [1, None, "ü"]
    assert ended[22].response.error == "There is no file gone.fits."
