"""Previews, pictures and movies."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from armillary.api.http.answers import sends
from armillary.api.http.calls import Call, Ctx
from armillary.api.native.routing import anybody, failures
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Product
from armillary.archive.download.service import version_to_serve
from armillary.archive.errors import FileAmbiguous, FileEmbargoed, FileNotFound, NoPreview
from armillary.archive.products import service as products

router = APIRouter()


def _sends(media_type: str) -> dict[str, Any]:
    return {
        "dependencies": anybody,
        "responses": sends(media_type, binary=True)
        | failures(FileNotFound, FileAmbiguous, FileEmbargoed, NoPreview),
        "response_class": Response,
    }


@router.get("/v1/files/{name:path}/preview", **_sends("image/jpeg"))
async def preview(ctx: Ctx, name: str) -> Response:
    """Return the preview of a file that the caller may see."""
    return await _picture(ctx, name, "preview")


@router.get("/v1/files/{name:path}/thumbnail", **_sends("image/jpeg"))
async def thumbnail(ctx: Ctx, name: str) -> Response:
    """Return the thumbnail of a file that the caller may see."""
    return await _picture(ctx, name, "thumbnail")


@router.get("/v1/files/{name:path}/image", **_sends("image/jpeg"))
async def image(ctx: Ctx, name: str) -> Response:
    """Return the full-size picture of a cube that the caller may see."""
    return await _picture(ctx, name, products.IMAGE)


@router.get("/v1/files/{name:path}/thumbnail_png", **_sends("image/png"))
async def thumbnail_png(ctx: Ctx, name: str) -> Response:
    """Return the PNG thumbnail of a cube that the caller may see."""
    return await _picture(ctx, name, products.THUMBNAIL)


@router.get("/v1/files/{name:path}/video", **_sends("video/webm"))
async def video(ctx: Ctx, name: str) -> Response:
    """Return the movie of a cube that the caller may see."""
    return await _picture(ctx, name, products.VIDEO)


async def _picture(ctx: Call, name: str, kind: str) -> Response:
    async with ctx.context.database.begin() as connection:
        served = await version_to_serve(connection, name, ctx.principal, now=ctx.context.clock.now())
        made = await catalog.get_product(connection, served.version.id, kind)
    if made is None:
        raise NoPreview
    if made.reason is not None:
        raise NoPreview(f"There is no {kind} of '{served.version.name}': {made.reason}")
    headers = {"ETag": f'"{made.sha256}"', "Cache-Control": "private, max-age=3600"}
    return Response(await _content(ctx, made), media_type=made.media_type, headers=headers)


async def _content(ctx: Call, made: Product) -> bytes:
    try:
        return await products.fetch(ctx.context, made)
    except NoPreview:
        async with ctx.context.database.begin() as connection:
            await products.ask_again(connection, products.OF_KIND[made.kind].name, made.version_id)
        raise
