"""Previews, pictures and movies."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from armillary.api.http.answers import sends
from armillary.api.http.calls import Call, Ctx
from armillary.api.http.products import serve_product
from armillary.api.native.routing import anybody, failures
from armillary.archive.download.service import version_to_serve
from armillary.archive.errors import FileAmbiguous, FileEmbargoed, FileNotFound, NoPreview
from armillary.archive.products import service as products

router = APIRouter()


def _sends(media_type: str) -> dict[str, Any]:
    whole = sends(media_type, binary=True)
    return {
        "dependencies": anybody,
        "responses": whole
        | {
            206: {**whole[200], "description": "A range of it"},
            304: {"description": "The client has it"},
            416: {"description": "The range begins behind the end"},
        }
        | failures(FileNotFound, FileAmbiguous, FileEmbargoed, NoPreview),
        "response_class": Response,
    }


@router.get("/v1/files/{name:path}/preview", **_sends("image/jpeg"))
async def preview(request: Request, ctx: Ctx, name: str) -> Response:
    """Return the preview of a file that the caller may see."""
    return await _picture(request, ctx, name, "preview")


@router.get("/v1/files/{name:path}/thumbnail", **_sends("image/jpeg"))
async def thumbnail(request: Request, ctx: Ctx, name: str) -> Response:
    """Return the thumbnail of a file that the caller may see."""
    return await _picture(request, ctx, name, "thumbnail")


@router.get("/v1/files/{name:path}/image", **_sends("image/jpeg"))
async def image(request: Request, ctx: Ctx, name: str) -> Response:
    """Return the full-size picture of a cube that the caller may see."""
    return await _picture(request, ctx, name, products.IMAGE)


@router.get("/v1/files/{name:path}/thumbnail_png", **_sends("image/png"))
async def thumbnail_png(request: Request, ctx: Ctx, name: str) -> Response:
    """Return the PNG thumbnail of a cube that the caller may see."""
    return await _picture(request, ctx, name, products.THUMBNAIL)


@router.get("/v1/files/{name:path}/video", **_sends("video/webm"))
async def video(request: Request, ctx: Ctx, name: str) -> Response:
    """Return the movie of a cube that the caller may see."""
    return await _picture(request, ctx, name, products.VIDEO)


async def _picture(request: Request, ctx: Call, name: str, kind: str) -> Response:
    async with ctx.context.database.begin() as connection:
        served = await version_to_serve(connection, name, ctx.principal, now=ctx.context.clock.now())
    return await serve_product(request, ctx, served.version, kind)
