"""Bring the schema to a revision, one process at a time."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import asyncpg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from armillary.base import schema
from armillary.base.database import Database
from armillary.base.database_errors import driver_error, is_transient
from armillary.base.revisions import (
    SchemaUnknown,
    current,
    current_of,
    head,
    knows,
    refuse_unknown,
    revisions,
)
from armillary.errors import ArmillaryError, BadRequest

__all__ = [
    "NotOwner",
    "SchemaUnfit",
    "SchemaUnknown",
    "current",
    "differences",
    "downgrade",
    "head",
    "knows",
    "revisions",
    "upgrade",
]

LOCK = 0x41524D494C4C
HEAD, BASE = "head", "base"
SHOWN = 8
"""Differences that a message tells; the rest can be asked for."""
ADVICE = (
    "Nothing was changed. A database of an unreleased version, or one that was changed by hand, cannot be"
    " upgraded: mend the differences by hand as its owner, or restore a backup of a released version."
    " `armillary db check` lists all differences."
)


class SchemaUnfit(ArmillaryError):
    """The database does not have the schema that the migrations of this version make."""

    code, status = "schema_unfit", HTTPStatus.CONFLICT


class NotOwner(ArmillaryError):
    """The user of the database may not change its schema; run `armillary db upgrade` with the DSN of its owner."""

    code, status = "schema_not_owner", HTTPStatus.FORBIDDEN


async def upgrade(database: Database, revision: str = HEAD, *, check: bool = True) -> None:
    """Apply the migrations up to ``revision``; what is applied already is not done again.

    The whole way is one transaction: it succeeds or leaves the schema as it was. ``database`` must be open
    in the owner's role. At the head the schema must be that of this version, unless not to be checked.

    Raises
    ------
    SchemaUnfit
        If it is not, or if a migration cannot be applied to what is there.
    SchemaUnknown
        If the database has a revision that this version does not know.
    NotOwner
        If the role may not change the schema.
    """
    if revision != HEAD and not knows(revision):
        raise BadRequest(
            f"There is no revision '{revision}'; the newest that this version knows is {head()}."
        )

    def act(connection: sa.Connection, config: Config) -> None:
        refuse_unknown(current_of(connection))
        _apply(config, revision)
        if check and revision in (HEAD, head()) and (found := _differences(connection)):
            raise SchemaUnfit(_unfit(found))

    await _run(database, act)


async def downgrade(database: Database, revision: str = BASE) -> None:
    """Undo the migrations down to ``revision``, with the data that only they can hold."""
    await _run(database, lambda _connection, config: command.downgrade(config, revision))


async def differences(database: Database) -> schema.Differences:
    """Return how the schema differs from the one that the migrations of this version make.

    Raises
    ------
    SchemaUnknown
        If the database has a revision that this version does not know.
    """
    async with database.begin() as connection:
        refuse_unknown(await connection.run_sync(current_of))
        return await connection.run_sync(_differences)


def _differences(connection: sa.Connection) -> schema.Differences:
    return schema.compare(schema.expected(), schema.found(connection))


def _apply(config: Config, revision: str) -> None:
    try:
        command.upgrade(config, revision)
    except sa.exc.DBAPIError as error:
        cause = driver_error(error)
        if is_transient(error) or not isinstance(cause, asyncpg.PostgresError):
            raise
        said = cause.args[0]
        if isinstance(cause, asyncpg.InsufficientPrivilegeError):
            hint = cause.hint or "Run `armillary db upgrade` with the DSN of the owner of the schema"
            raise NotOwner(f"The schema cannot be changed: {said}. {hint}.") from error
        applied = config.attributes["applied"]
        where = f"the migration after {applied[-1]}" if applied else "the first migration that is due"
        raise SchemaUnfit(
            f"The schema is not what its revision says: {where} cannot be applied ({said}). {ADVICE}"
        ) from error


def _unfit(found: schema.Differences) -> str:
    lines = found.lines()
    more = f"\n  and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    told = "".join(f"\n  {line}" for line in lines[:SHOWN])
    return f"The schema is not the one that revision {head()} of this version has:{told}{more}\n{ADVICE}"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "armillary:migrations")
    config.set_main_option("path_separator", "os")
    return config


async def _run(database: Database, action: Callable[[sa.Connection, Config], None]) -> None:
    def run(connection: sa.Connection) -> None:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        config = _config()
        config.attributes["connection"] = connection
        action(connection, config)

    async with database.begin() as connection:
        await connection.run_sync(run)
