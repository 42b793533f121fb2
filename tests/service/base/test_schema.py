"""A database that does not have the schema of this version is told so, and what differs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from armillary.base import dumps, migrate, schema
from armillary.base.database import Database, Role
from armillary.base.migrate import NotOwner, SchemaUnfit, SchemaUnknown
from armillary.base.postgres.server import EmbeddedServer
from armillary.errors import BadRequest
from tests.support.debian import needs_debian
from tests.support.postgres import Server, fresh_database, source_of


@pytest.fixture(params=["postgres", pytest.param("debian", marks=needs_debian)])
def server(request: pytest.FixtureRequest) -> Server:
    """Return the embedded server, then that of Debian."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def database(server: Server) -> AsyncIterator[Database]:
    """Open an empty database as its owner."""
    async with fresh_database(server, empty=True) as name:
        opened = await Database.connect(source_of(server, Role.OWNER), Role.OWNER, name=name, pool_size=1)
        yield opened
        await opened.close()


@pytest.fixture
async def upgraded(postgres: EmbeddedServer) -> AsyncIterator[Database]:
    """Open a database of this version as its owner."""
    async with fresh_database(postgres) as name:
        opened = await Database.connect(postgres, Role.OWNER, name=name, pool_size=1)
        yield opened
        await opened.close()


async def run(database: Database, *statements: str) -> None:
    """Change a schema by hand."""
    async with database.begin() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)


async def test_what_the_migrations_make_is_what_is_written_down(database: Database) -> None:
    await migrate.upgrade(database, check=False)
    async with database.begin() as connection:
        found = await connection.run_sync(schema.found)
    assert schema.write(found) == schema.write(schema.expected()), "run python scripts/schema.py"
    assert len(found) > 400


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("ALTER TABLE frame DROP COLUMN airmass", "missing: column frame.airmass"),
        ("DROP TABLE feed_consumer", "missing: table feed_consumer"),
        ("DROP INDEX frame_by_filter", "missing: index frame.frame_by_filter"),
        ("DROP TRIGGER change_standing ON version", "missing: trigger version.change_standing"),
        ("DROP FUNCTION work_order_merge(jsonb)", "missing: function work_order_merge(jsonb)"),
        ("ALTER TABLE edit DROP CONSTRAINT edit_of_order", "missing: constraint edit.edit_of_order"),
        ("REVOKE SELECT ON version FROM armillary_web", "missing: grant armillary_web SELECT on version"),
        ("REVOKE INSERT (args) ON work_order FROM armillary_web",
         "missing: grant armillary_web INSERT on work_order.args"),
        ("ALTER TABLE frame ALTER airmass TYPE real", "different: column frame.airmass"),
        ("ALTER TABLE file ALTER name TYPE text COLLATE \"default\"", "different: column file.name"),
        ("ALTER TABLE edit ALTER why DROP DEFAULT", "different: column edit.why"),
        ("ALTER TABLE edit ALTER why DROP NOT NULL", "different: column edit.why"),
        ("DROP INDEX version_by_file;\nCREATE INDEX version_by_file ON version (file_id)",
         "different: index version.version_by_file"),
        ("ALTER TABLE version DISABLE TRIGGER change_standing", "different: trigger version.change_standing"),
        ("CREATE OR REPLACE FUNCTION export_note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
         "different: function export_note()"),
        ("ALTER TABLE product DROP CONSTRAINT product_is_somewhere, ADD CONSTRAINT product_is_somewhere"
         " CHECK (key IS NOT NULL)", "different: constraint product.product_is_somewhere"),
        ("ALTER TABLE frame ADD COLUMN mine integer NOT NULL", "not expected: column frame.mine"),
        ("ALTER TABLE frame ADD CONSTRAINT mine CHECK (false) NOT VALID", "not expected: constraint frame.mine"),
        ("CREATE UNIQUE INDEX mine ON frame (night)", "not expected: unique index frame.mine"),
        ("CREATE TRIGGER mine AFTER INSERT ON edit FOR EACH ROW EXECUTE FUNCTION export_note()",
         "not expected: trigger edit.mine"),
    ],
)  # fmt: skip
async def test_what_differs_is_told_by_name(owner: Database, statement: str, told: str) -> None:
    async with owner.engine.connect() as connection, connection.begin() as transaction:
        for one in statement.split(";\n"):
            await connection.exec_driver_sql(one)
        found = schema.compare(schema.expected(), await connection.run_sync(schema.found))
        # The next test finds the database as it was.
        await transaction.rollback()
    assert told in found.lines()
    assert len(found.lines()) <= 3


async def test_an_upgrade_of_a_head_that_is_none_says_so(upgraded: Database) -> None:
    await run(upgraded, "ALTER TABLE frame DROP COLUMN airmass", "ALTER TABLE file ADD COLUMN mine integer")
    lines = ["missing: column frame.airmass", "not expected: column file.mine"]
    assert (await migrate.differences(upgraded)).lines() == lines
    with pytest.raises(SchemaUnfit) as raised:
        await migrate.upgrade(upgraded)
    assert [line.strip() for line in raised.value.message.splitlines()[1:3]] == lines
    assert "armillary db check" in raised.value.message


async def test_what_a_site_adds_for_itself_is_no_difference(upgraded: Database) -> None:
    await run(
        upgraded,
        "CREATE TABLE mine (id integer PRIMARY KEY, file bigint REFERENCES file)",
        "CREATE INDEX mine_by_object ON frame (object)",
        "CREATE FUNCTION mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE VIEW nights AS SELECT DISTINCT night FROM frame",
        "GRANT SELECT ON frame TO PUBLIC",
        "ALTER TABLE version SET (autovacuum_vacuum_scale_factor = 0.1)",
    )
    assert (await migrate.differences(upgraded)).lines() == []
    await migrate.upgrade(upgraded)


async def test_an_upgrade_that_does_not_end_at_the_schema_changes_nothing(database: Database) -> None:
    await migrate.upgrade(database, "0004")
    await run(database, "ALTER TABLE frame RENAME airmass TO airmasses")
    with pytest.raises(SchemaUnfit, match=r"missing: column frame\.airmass"):
        await migrate.upgrade(database)
    assert await migrate.current(database) == "0004"
    await run(database, "ALTER TABLE frame RENAME airmasses TO airmass")
    await migrate.upgrade(database)
    assert await migrate.current(database) == migrate.head()


async def test_a_migration_that_finds_something_else_says_which_one(database: Database) -> None:
    await migrate.upgrade(database, "0004")
    # What a later migration makes was once part of an earlier one.
    await run(database, "CREATE TABLE export_destination (name text PRIMARY KEY)")
    with pytest.raises(SchemaUnfit, match=r"the migration after 0005 .*export_destination.* already exists"):
        await migrate.upgrade(database)
    assert await migrate.current(database) == "0004"


async def test_revisions_that_this_version_does_not_know_are_refused(upgraded: Database) -> None:
    with pytest.raises(BadRequest, match="no revision 'latest'"):
        await migrate.upgrade(upgraded, "latest")
    await run(upgraded, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaUnknown, match="revision 9999"):
        await migrate.upgrade(upgraded)
    with pytest.raises(SchemaUnknown, match="revision 9999"):
        await migrate.differences(upgraded)


async def test_who_may_not_change_the_schema_is_told_so(server: Server, database: Database) -> None:
    await migrate.upgrade(database, "0009")
    stranger = await Database.connect(
        source_of(server, Role.WORKER), Role.WORKER, name=database.name, pool_size=1
    )
    try:
        with pytest.raises(NotOwner, match="permission denied"):
            await migrate.upgrade(stranger)
    finally:
        await stranger.close()


async def test_a_dump_brings_the_schema_back_as_it_was(
    postgres: EmbeddedServer, upgraded: Database, tmp_path: Path
) -> None:
    async with upgraded.begin() as connection:
        snapshot = (await connection.exec_driver_sql("SELECT pg_export_snapshot()")).scalar()
        target = tmp_path / "dump"
        await dumps.dump(postgres, target, snapshot=snapshot, name=upgraded.name)
    async with fresh_database(postgres, empty=True) as name:
        await dumps.load(postgres, target, name=name)
        loaded = await Database.connect(postgres, Role.OWNER, name=name, pool_size=1)
        try:
            assert (await migrate.differences(loaded)).lines() == []
        finally:
            await loaded.close()
