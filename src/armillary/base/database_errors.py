"""What the errors of the database mean: whether they pass, what was undone, and what people are told of them."""

from __future__ import annotations

from http import HTTPStatus

import asyncpg
import sqlalchemy as sa

from armillary.errors import ArmillaryError, Unavailable

DOWN = "The database is down, since its disk is full. Make room there."
TRANSIENT_CLASSES = frozenset({"08", "40", "53", "57", "58"})
"""SQLSTATE classes: connection, rollback, resources, operator intervention, system error."""
TRANSIENT_STATES = frozenset({"55P03", "25P03", "25P04"})
"""A lock not available in time; a session ended because it idled in a transaction, or took too long."""
INTERNAL = "XX"
"""The SQLSTATE class of what PostgreSQL itself did not foresee."""
NOT_TRANSIENT = frozenset({"57014", "57P04"})
"""A cancelled statement; a dropped database."""
REFUSED_CLASSES = frozenset({"28", "3D", "42"})
"""SQLSTATE classes at the opening of a connection: no such user or password, no such database, no right to it."""


class TooSlow(Unavailable):
    """The query took too long. Narrow it by date, id or file name, or retry when the database is less busy."""

    code = "too_slow"


class DatabaseFull(Unavailable):
    """The database cannot write, since its disk is full; nothing was changed. Make room there and try again."""

    code, waits = "database_full", True


class DatabaseRefused(ArmillaryError):
    """The database does not let this user in; check the user, password and name of the database in the DSN."""

    code, status = "database_refused", HTTPStatus.SERVICE_UNAVAILABLE


class DatabaseUnreachable(Unavailable):
    """The database cannot be reached; see that it runs, and check host and port of the DSN."""

    code = "database_unreachable"


def is_transient(error: BaseException) -> bool:
    """Tell whether the same statement may succeed later without anybody changing anything."""
    if isinstance(error, ArmillaryError):
        return error.transient
    if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
        return True
    if isinstance(error, sa.exc.TimeoutError):
        return True
    cause = driver_error(error)
    if isinstance(cause, asyncpg.PostgresError):
        state = cause.sqlstate or ""
        if state[:2] == INTERNAL and _severity(cause) in ("FATAL", "PANIC"):
            # The session failed and not the statement: of a full disk, for one, when it began.
            return True
        return state not in NOT_TRANSIENT and (state[:2] in TRANSIENT_CLASSES or state in TRANSIENT_STATES)
    return isinstance(
        cause, OSError | asyncpg.InterfaceError | asyncpg.InternalClientError
    ) and not isinstance(cause, ValueError)


def is_full(error: BaseException) -> bool:
    """Tell whether the database has no room left to write.

    A session that is to begin reports it in an internal error, since it cannot write the cache that every
    session reads at its start.
    """
    cause = driver_error(error)
    if isinstance(cause, DatabaseFull | asyncpg.DiskFullError):
        return True
    return isinstance(cause, asyncpg.InternalServerError) and "init file" in str(cause)


def is_undone(error: BaseException) -> bool:
    """Tell whether the server itself said that the transaction failed, so that it is undone for certain.

    An error of class FATAL or PANIC ends the session, as a lost connection does: the commit may have been made.
    """
    cause = driver_error(error)
    return isinstance(cause, asyncpg.PostgresError) and _severity(cause) == "ERROR"


def told(error: BaseException) -> str | None:
    """Return what to tell of a failure of the database, None if it is another one.

    The driver's own text is for the log: it holds statements, and the values that were to be stored.
    """
    if is_full(error):
        return DatabaseFull().message
    if not isinstance(error, sa.exc.SQLAlchemyError | asyncpg.PostgresError | asyncpg.InterfaceError):
        return None
    if is_transient(error):
        return "The database was away, or too busy."
    return f"The database refused this ({type(driver_error(error)).__name__}); the log tells more."


def reason_of(error: BaseException) -> str:
    """Return what the log is to say of an error; of one of the database what the server said, and no statement."""
    return str(driver_error(error))


def driver_error(error: BaseException) -> BaseException:
    """Return what asyncpg raised, below our wrappers and those of SQLAlchemy."""
    if isinstance(error, DatabaseFull | TooSlow) and error.__cause__ is not None:
        return driver_error(error.__cause__)
    if isinstance(error, sa.exc.DBAPIError) and error.orig is not None:
        return error.orig.__cause__ or error.orig
    return error


def _severity(error: asyncpg.PostgresError) -> str:
    # The one of the two that no server translates.
    return str(getattr(error, "severity_en", None) or getattr(error, "severity", ""))
