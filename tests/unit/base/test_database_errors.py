"""What the database says is told in words of ours, and a commit is called undone only if the server says so."""

from __future__ import annotations

import asyncpg
import pytest
import sqlalchemy as sa

from armillary.base.database_errors import (
    DatabaseFull,
    TooSlow,
    is_full,
    is_transient,
    is_undone,
    reason_of,
    told,
)

SECRET = "INSERT INTO token (secret) VALUES ('s3cret')"


def said(kind: type[asyncpg.PostgresError], text: str, severity: str = "ERROR") -> asyncpg.PostgresError:
    """Return an error as the driver makes it from what the server sends."""
    error = kind(text)
    error.severity_en = severity
    return error


def wrapped(error: BaseException) -> sa.exc.DBAPIError:
    """Return it as SQLAlchemy raises it, with statement and values."""
    adapted = Exception(str(error))
    adapted.__cause__ = error
    return sa.exc.DBAPIError(SECRET, None, adapted)


FULL = said(asyncpg.DiskFullError, "could not extend file")
STOPPED = said(asyncpg.DiskFullError, "could not write to file", "PANIC")
NO_START = said(asyncpg.InternalServerError, "could not write init file", "FATAL")
BROKEN = said(asyncpg.InternalServerError, "cache lookup failed")
DOUBLE = said(asyncpg.UniqueViolationError, SECRET)
ENDED = said(asyncpg.AdminShutdownError, "terminating connection", "FATAL")


@pytest.mark.parametrize(
    ("error", "full", "transient", "undone"),
    [
        (FULL, True, True, True),
        (STOPPED, True, True, False),
        (NO_START, True, True, False),
        (BROKEN, False, False, True),
        (DOUBLE, False, False, True),
        (ENDED, False, True, False),
        (ConnectionResetError(), False, True, False),
        (ZeroDivisionError(), False, False, False),
    ],
)
def test_errors_are_told_apart(error: Exception, full: bool, transient: bool, undone: bool) -> None:
    for one in (error, wrapped(error)):
        assert (is_full(one), is_undone(one)) == (full, undone)
    assert is_transient(error) == transient


def test_an_error_of_ours_is_what_it_was_made_of() -> None:
    for kind in (DatabaseFull, TooSlow):
        for cause, undone in ((FULL, True), (STOPPED, False)):
            error = kind()
            error.__cause__ = wrapped(cause)
            assert is_undone(error) == undone
    assert not is_undone(DatabaseFull())


@pytest.mark.parametrize("error", [FULL, NO_START, DOUBLE, ENDED, BROKEN])
def test_neither_statement_nor_text_of_the_driver_is_told(error: Exception) -> None:
    for one in (error, wrapped(error)):
        text = told(one)
        assert text is not None
        assert str(error) not in text
        assert "INSERT" not in text
    assert told(ZeroDivisionError("secret")) is None
    # The log gets what the server said, and no values.
    assert reason_of(wrapped(error)) == str(error)
