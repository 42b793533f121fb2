"""How many frames there are of which a page is shown: counted, or estimated, and which of the two is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ClauseElement, Executable

from armillary.access.models import Principal
from armillary.archive.catalog.tables import few, frame
from armillary.archive.query.conditions import conditions, only_needed
from armillary.archive.query.models import InCone, Latest, Term
from armillary.archive.query.visibility import hides_files, sees_everything

MOST_COUNTED = 1_000_000
PATIENCE_MS = 2000
CANCELLED = "57014"


class Asked(StrEnum):
    """What somebody wants to know of the total."""

    NONE = "none"
    ESTIMATE = "estimate"
    EXACT = "exact"


class TotalIs(StrEnum):
    """What the number is that was found out."""

    EXACT = "exact"
    ESTIMATE = "estimate"


@dataclass(frozen=True, slots=True)
class Total:
    """A number of frames and what it is worth."""

    total: int
    total_is: TotalIs


class _Explained(Executable, ClauseElement):
    """The plan of a query instead of its rows."""

    inherit_cache = False

    def __init__(self, query: sa.Select[Any]) -> None:
        self.query = query


@compiles(_Explained)
def _explain(element: _Explained, compiler: Any, **options: Any) -> str:
    return "EXPLAIN (FORMAT JSON) " + str(compiler.process(element.query, **options))


async def total_of(
    connection: AsyncConnection,
    terms: Sequence[Term],
    viewer: Principal,
    *,
    today: date,
    exact: bool,
    most: int = MOST_COUNTED,
    patience_ms: int = PATIENCE_MS,
) -> Total:
    """Return how many frames fit, those left out of which the viewer may not know that they do.

    A count that would exceed ``most`` frames or ``patience_ms`` is given up for an estimate; it is the last
    statement of its transaction. Of circles, and of the latest frames of groups, nobody can estimate anything, so
    they are counted. So it is where files are hidden from the viewer: the planner knows how many there are of a
    program, and would tell.
    """
    is_hiding = not sees_everything(viewer) and await hides_files(connection)
    # Where none is hidden, an index alone can tell the number.
    wanted = conditions(terms, viewer, today, rows=only_needed, all_known=not is_hiding)
    query = sa.select(frame.c.file_id).select_from(only_needed(wanted)).where(*wanted)
    counted = None
    if exact or is_hiding or any(isinstance(term, InCone | Latest) for term in terms):
        # One more than may be counted tells whether there are more, and nothing is counted beyond it.
        counted = await _counted(connection, query.limit(few(most + 1)), patience_ms)
        if counted is not None and counted <= most:
            return Total(counted, TotalIs.EXACT)
    # An estimate below what has been counted is known to be wrong.
    return Total(max(await _estimated(connection, query), counted or 0), TotalIs.ESTIMATE)


async def _counted(connection: AsyncConnection, query: sa.Select[Any], patience_ms: int) -> int | None:
    """Return the number of rows, or None if counting takes too long."""
    patience = sa.func.set_config("statement_timeout", str(patience_ms), True)
    try:
        # A statement that runs out of time would end the whole transaction, in which the estimate is to be made.
        async with connection.begin_nested():
            await connection.execute(sa.select(patience))
            return int(await connection.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0)
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != CANCELLED:
            raise
        return None


async def _estimated(connection: AsyncConnection, query: sa.Select[Any]) -> int:
    """Return how many rows the planner expects."""
    (plan,) = await connection.scalar(_Explained(query))
    return int(plan["Plan"]["Plan Rows"])
