"""Thumbnails and previews for pages: where there is none that may be seen, a drawing that says why."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from armillary.api.http.calls import Call, Ctx
from armillary.api.http.products import serve_product
from armillary.archive.download.service import version_to_serve
from armillary.archive.errors import FileEmbargoed, NoPreview
from armillary.console.assets import find
from armillary.console.routing import anybody

router = APIRouter()


@router.get("/thumbnails/{name:path}", dependencies=anybody)
async def thumbnail(request: Request, ctx: Ctx, name: str) -> Response:
    """Send the thumbnail of a file, or a drawing in its place.

    An answer of 404 for each would fill the console of the browser with errors that are none.
    """
    return await _picture(request, ctx, name, "thumbnail")


@router.get("/previews/{name:path}", dependencies=anybody)
async def preview(request: Request, ctx: Ctx, name: str) -> Response:
    """Send the preview of a file, or a drawing in its place."""
    return await _picture(request, ctx, name, "preview")


async def _picture(request: Request, ctx: Call, name: str, kind: str) -> Response:
    try:
        async with ctx.context.database.begin() as connection:
            served = await version_to_serve(connection, name, ctx.principal, now=ctx.context.clock.now())
        return await serve_product(request, ctx, served.version, kind)
    except FileEmbargoed:
        return _drawing("embargoed.svg")
    except NoPreview:
        return _drawing("unpictured.svg")


def _drawing(name: str) -> Response:
    found = find(name)
    return Response(found.content, media_type=found.media_type, headers={"Cache-Control": "no-cache"})
