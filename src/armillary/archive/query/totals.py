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
from armillary.archive.query.nights.counts import counted_total
from armillary.archive.query.visibility import hides_files, sees_everything
from armillary.base.database_errors import TooSlow
from armillary.base.patience import patience

MOST_COUNTED = 1_000_000
PATIENCE_MS = 2000
QUICKLY, QUICK_MS = 10_000, 15
"""How many frames a page counts, and how long it may take: whoever looks at it waits for that."""


class Asked(StrEnum):
    """What somebody wants to know of the total."""

    NONE = "none"
    ESTIMATE = "estimate"
    EXACT = "exact"
    QUICK = "quick"
    """Counted as far as that takes some milliseconds."""


class TotalIs(StrEnum):
    """What the number is that was found out."""

    EXACT = "exact"
    ESTIMATE = "estimate"
    AT_LEAST = "at_least"
    """There are more, and nobody counted them."""


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


async def quick_total(
    connection: AsyncConnection,
    terms: Sequence[Term],
    viewer: Principal,
    *,
    today: date,
    most: int = QUICKLY,
    patience_ms: int = QUICK_MS,
) -> Total:
    """Return how many frames fit as far as that is found out in some milliseconds, and never an estimate.

    What is counted by night is told exactly, however much it is. Of anything else up to ``most`` frames are
    counted; if that takes longer than ``patience_ms``, there are at least none. It is the last statement of its
    transaction.
    """
    known = await counted_total(connection, terms, viewer, today=today)
    if known is not None:
        return Total(known, TotalIs.EXACT)
    wanted = conditions(terms, viewer, today, rows=only_needed)
    query = sa.select(frame.c.file_id).select_from(only_needed(wanted)).where(*wanted)
    counted = await _counted(connection, query.limit(few(most + 1)), patience_ms)
    if counted is None or counted > most:
        return Total(min(counted or 0, most), TotalIs.AT_LEAST)
    return Total(counted, TotalIs.EXACT)


async def _counted(connection: AsyncConnection, query: sa.Select[Any], patience_ms: int) -> int | None:
    """Return the number of rows, or None if counting takes too long."""
    try:
        async with patience(connection, patience_ms):
            return int(await connection.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0)
    except TooSlow:
        return None


async def _estimated(connection: AsyncConnection, query: sa.Select[Any]) -> int:
    """Return how many rows the planner expects."""
    (plan,) = await connection.scalar(_Explained(query))
    return int(plan["Plan"]["Plan Rows"])
