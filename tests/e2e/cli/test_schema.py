"""`armillary db`: the schema is upgraded and compared, and what does not fit is told in a few lines."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from armillary.base import migrate
from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from tests.support.command import Commands
from tests.support.postgres import server_account


def change_by_hand(data: Path, *statements: str) -> None:
    """Run statements as the owner of the embedded database."""

    async def body() -> None:
        server = await EmbeddedServer.acquire(data / "postgres", account=server_account())
        try:
            database = await Database.connect(server, Role.OWNER, pool_size=1)
            async with database.begin() as connection:
                for statement in statements:
                    await connection.exec_driver_sql(statement)
            await database.close()
        finally:
            await server.release()

    asyncio.run(body())


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Commands]:
    """Return commands on a directory whose database stays up between them."""
    data = tmp_path / "data"
    server = asyncio.run(EmbeddedServer.acquire(data / "postgres", account=server_account()))
    yield Commands(data)
    asyncio.run(server.release())


def test_a_schema_that_differs_is_told_and_not_called_up_to_date(command: Commands) -> None:
    said = command.run("db", "check", code=1)
    assert (
        f"error: The schema is at no revision, not at {migrate.head()}; run `armillary db upgrade`."
        in said.err
    )
    assert command.run("db", "upgrade").err == "schema is at head\n"
    assert command.run("db", "check").err == f"schema is at {migrate.head()}, as this version makes it\n"
    change_by_hand(
        command.data,
        "ALTER TABLE frame DROP COLUMN airmass",
        *(f"ALTER TABLE frame ADD COLUMN mine_{number} integer" for number in range(20)),
    )
    told = command.run("db", "upgrade", code=1).err
    assert told.startswith(
        f"error: The schema is not the one that revision {migrate.head()} of this version has:\n"
    )
    assert "\n  missing: column frame.airmass\n" in told
    assert "\n  and 13 more\n" in told
    assert "`armillary db check` lists all differences." in told
    checked = command.run("db", "check", code=1)
    assert checked.out.splitlines()[0] == "missing: column frame.airmass"
    assert len(checked.out.splitlines()) == 21
    assert (
        f"error: The schema is at {migrate.head()} and differs from that of this version in 21 points"
        in checked.err
    )


def test_a_newer_schema_and_an_unknown_revision_are_refused(command: Commands) -> None:
    command.run("db", "upgrade", "--revision", "0001")
    assert (
        "error: There is no revision 'newest'"
        in command.run("db", "upgrade", "--revision", "newest", code=1).err
    )
    change_by_hand(command.data, "UPDATE alembic_version SET version_num = '9999'")
    for words in (("db", "upgrade"), ("db", "check"), ("search",)):
        said = command.run(*words, code=1)
        assert "error: The schema of the database is at revision 9999, which this version" in said.err
