"""All frames that a search finds, page after page: none is kept, and no connection while a client reads."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import date

from armillary.access.models import Principal
from armillary.archive.models import MAX_PAGE
from armillary.archive.query.models import Term
from armillary.archive.query.service import Page, search
from armillary.base.database import Database


async def walk(
    database: Database,
    terms: Sequence[Term],
    viewer: Principal,
    *,
    today: date,
    cursor: str | None = None,
    most: int | None = None,
) -> AsyncGenerator[Page, None]:
    """Yield pages of the frames of which all terms hold, ``most`` frames in all if that is given.

    What the cursor of the last page leads to was left out.
    """
    left = most
    while left is None or left > 0:
        limit = MAX_PAGE if left is None else min(left, MAX_PAGE)
        async with database.begin() as connection:
            page = await search(connection, terms, viewer, today=today, limit=limit, cursor=cursor)
        yield page
        cursor = page.cursor
        if cursor is None:
            return
        left = None if left is None else left - len(page.frames)
