"""Previews and thumbnails."""

from __future__ import annotations

from fastapi import APIRouter, Response

from armillary.api.http.answers import sends
from armillary.api.http.calls import Call, Ctx
from armillary.api.native.routing import anybody, failures
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Product
from armillary.archive.download.service import version_to_serve
from armillary.archive.errors import FileAmbiguous, FileEmbargoed, FileNotFound, NoPreview
from armillary.archive.products import service as products
from armillary.base.text import storable
from armillary.fits.containers import logical_name

router = APIRouter()


@router.get(
    "/v1/files/{name}/{kind}",
    dependencies=anybody,
    responses=sends("image/jpeg", binary=True)
    | failures(FileNotFound, FileAmbiguous, FileEmbargoed, NoPreview),
    response_class=Response,
)
async def picture(ctx: Ctx, name: str, kind: str) -> Response:
    """Return preview or thumbnail of a file that the caller may see."""
    if kind not in products.OF_KIND:
        raise NoPreview(f"There is no '{kind}'; ask for {' or '.join(products.OF_KIND)}.")
    if not storable(name):
        raise FileNotFound(f"No file named {name!r} is in the archive.")
    async with ctx.context.database.begin() as connection:
        served = await version_to_serve(
            connection, logical_name(name), ctx.principal, now=ctx.context.clock.now()
        )
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
