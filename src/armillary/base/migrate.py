"""Bring the schema to a revision, one process at a time."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from armillary.base.database import Database

LOCK = 0x41524D494C4C


async def upgrade(database: Database, revision: str = "head") -> None:
    """Apply the migrations up to ``revision``; nothing happens if they are applied already.

    The whole way is one transaction: it succeeds or leaves the schema as it was. ``database`` must be open
    in the owner's role.
    """
    await _run(database, lambda config: command.upgrade(config, revision))


async def downgrade(database: Database, revision: str = "base") -> None:
    """Undo the migrations down to ``revision``, with the data that only they can hold."""
    await _run(database, lambda config: command.downgrade(config, revision))


async def current(database: Database) -> str | None:
    """Return the revision of the schema; none for an empty database."""
    async with database.begin() as connection:
        return await connection.run_sync(lambda c: MigrationContext.configure(c).get_current_revision())


def head() -> str:
    """Return the newest revision that this version of the program knows."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    if newest is None:
        raise LookupError("the package has no migrations")
    return newest


def knows(revision: str) -> bool:
    """Tell whether this version of the program knows a revision."""
    return any(
        script.revision == revision for script in ScriptDirectory.from_config(_config()).walk_revisions()
    )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "armillary:migrations")
    config.set_main_option("path_separator", "os")
    return config


async def _run(database: Database, action: Callable[[Config], None]) -> None:
    def run(connection: sa.Connection) -> None:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        config = _config()
        config.attributes["connection"] = connection
        action(config)

    async with database.begin() as connection:
        await connection.run_sync(run)
