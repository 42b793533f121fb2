"""Words that the search page offers while somebody writes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from armillary.api.http.calls import Call, Ctx
from armillary.archive.query import service as query
from armillary.archive.query.service import OFFERED
from armillary.console.rendering import part
from armillary.console.routing import anybody, page_router

router = page_router()


@router.get("/frames/words", dependencies=anybody)
async def words(
    request: Request, ctx: Ctx, selection: Annotated[str, Query(max_length=2000)] = ""
) -> Response:
    """Offer what may come next in a selection."""
    found = query.completions(selection, await _values(ctx))
    return part(request, "completion.html", "words", {"words": found})


@router.get("/frames/values", dependencies=anybody)
async def values(request: Request, ctx: Ctx) -> Response:
    """Offer values for fields of the form: those that the newest frames have."""
    found = await _values(ctx)
    return part(request, "completion.html", "values", {"fields": OFFERED, "offered": found})


async def _values(call: Call) -> query.Values:
    async with call.context.database.begin() as connection:
        return await query.recent_values(connection, call.principal, today=call.today)
