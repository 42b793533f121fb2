"""The schema goes up, down and up again, and says where it stands."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from armillary.base import migrate
from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from tests.support.postgres import fresh_database

TABLES = sa.text("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'")


async def tables(database: Database) -> int:
    async with database.begin() as connection:
        return int(await connection.scalar(TABLES) or 0)


@pytest.mark.parametrize("revision", ["0001", "base"])
async def test_the_schema_can_be_undone_and_made_again(postgres: EmbeddedServer, revision: str) -> None:
    async with fresh_database(postgres) as name:
        database = await Database.connect(postgres, Role.OWNER, name=name, pool_size=1)
        try:
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
