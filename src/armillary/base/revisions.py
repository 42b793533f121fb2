"""Which revisions of the schema there are, and which of them a database has.

Every process looks at its start, so this knows nothing of what carries migrations out, which takes longer to
load than all the rest of the database's code.
"""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from importlib import resources

import sqlalchemy as sa

from armillary.base.database import Database
from armillary.errors import ArmillaryError

_EXISTS = sa.text("SELECT to_regclass('alembic_version') IS NOT NULL")
_CURRENT = sa.text("SELECT version_num FROM alembic_version")


class SchemaUnknown(ArmillaryError):
    """The schema of the database is newer than this version of the program; install the newer version."""

    code, status = "schema_unknown", HTTPStatus.SERVICE_UNAVAILABLE


@cache
def revisions() -> tuple[str, ...]:
    """Return all revisions that this version of the program knows, oldest first."""
    files = resources.files("armillary.migrations").joinpath("versions").iterdir()
    return tuple(sorted(one.name.partition("_")[0] for one in files if one.name[:4].isdecimal()))


def head() -> str:
    """Return the newest revision that this version of the program knows."""
    return revisions()[-1]


def knows(revision: str) -> bool:
    """Tell whether this version of the program knows a revision."""
    return revision in revisions()


def refuse_unknown(revision: str | None) -> None:
    """Raise SchemaUnknown for a revision that only a newer version of the program knows."""
    if revision is not None and not knows(revision):
        raise SchemaUnknown(
            f"The schema of the database is at revision {revision}, which this version of the program does not"
            f" know: its own is {head()}. Install the version that made it, or a newer one."
        )


async def current(database: Database) -> str | None:
    """Return the revision of the schema; none for an empty database."""
    async with database.begin() as connection:
        return await connection.run_sync(current_of)


def current_of(connection: sa.Connection) -> str | None:
    """Return the same inside a transaction."""
    if not connection.scalar(_EXISTS):
        return None
    found: str | None = connection.scalar(_CURRENT)
    return found
