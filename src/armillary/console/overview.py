"""The overview: what came last."""

from __future__ import annotations

from fastapi import Request, Response

from armillary.api.http.calls import Ctx
from armillary.archive.query import service as query
from armillary.console.rendering import page_or_part
from armillary.console.routing import anybody, page_router

router = page_router()
LATEST = 24


@router.get("/", dependencies=anybody)
async def overview(request: Request, ctx: Ctx) -> Response:
    """Show the latest frames, which fill up while files come in."""
    async with ctx.context.database.begin() as connection:
        found = await query.search(connection, (), ctx.principal, today=ctx.today, limit=LATEST, cursor=None)
    return page_or_part(request, "overview.html", "latest", {"frames": found.frames})
