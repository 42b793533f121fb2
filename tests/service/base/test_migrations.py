"""The schema goes up, down and up again, and says where it stands, on every server that is supported."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from armillary.base import migrate
from armillary.base.database import Database, Role
from tests.support.debian import needs_debian
from tests.support.postgres import Server, fresh_database, source_of

TABLES = sa.text("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'")


async def tables(database: Database) -> int:
    async with database.begin() as connection:
        return int(await connection.scalar(TABLES) or 0)


@pytest.fixture(params=["postgres", pytest.param("debian", marks=needs_debian)])
def server(request: pytest.FixtureRequest) -> Server:
    """Return the embedded server, then that of Debian."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("revision", ["0001", "base"])
async def test_the_schema_can_be_undone_and_made_again(server: Server, revision: str) -> None:
    async with fresh_database(server, empty=True) as name:
        database = await Database.connect(source_of(server, Role.OWNER), Role.OWNER, name=name, pool_size=1)
        try:
            await migrate.upgrade(database)
            assert await migrate.current(database) == migrate.head()
            whole = await tables(database)
            await migrate.downgrade(database, revision)
            assert await migrate.current(database) == (None if revision == "base" else revision)
            assert await tables(database) < whole
            await migrate.upgrade(database)
            assert await migrate.current(database) == migrate.head()
            assert await tables(database) == whole
        finally:
            await database.close()


@pytest.mark.parametrize("role", [Role.WORKER, Role.WEB])
async def test_the_owner_may_become_the_roles_that_it_made(server: Server, role: Role) -> None:
    async with fresh_database(server, empty=True) as name:
        database = await Database.connect(source_of(server, Role.OWNER), Role.OWNER, name=name, pool_size=1)
        try:
            await migrate.upgrade(database)
            async with database.begin() as connection:
                await connection.exec_driver_sql(f"SET LOCAL ROLE {role}")
                assert (await connection.exec_driver_sql("SELECT current_user")).scalar() == role
        finally:
            await database.close()
