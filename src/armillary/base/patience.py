"""Statements that are given up when they take too long for whoever waits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database_errors import TooSlow

CANCELLED = "57014"


@asynccontextmanager
async def patience(connection: AsyncConnection, patience_ms: int) -> AsyncIterator[None]:
    """Give up a statement of the block that takes longer than ``patience_ms``; the transaction goes on.

    Raises
    ------
    TooSlow
        If one does.
    """
    timeout = sa.func.set_config("statement_timeout", str(patience_ms), True)
    try:
        # A statement that runs out of time would end the whole transaction.
        async with connection.begin_nested():
            await connection.execute(sa.select(timeout))
            yield
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != CANCELLED:
            raise
        raise TooSlow from None
