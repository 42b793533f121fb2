"""Objects by addresses that this interface gave out: whoever has one may fetch the object until it ends."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.api.http.bytes import Find, serve_found
from armillary.api.http.calls import Call, Ctx
from armillary.api.photon_ranch.replies import Refused
from armillary.api.photon_ranch.rights import anybody
from armillary.api.photon_ranch.urls import HYPHENATED, OBJECTS, is_address
from armillary.archive.catalog import service as catalog
from armillary.archive.download.service import Served, signed_version
from armillary.archive.errors import FileNotFound
from armillary.archive.images import service as images
from armillary.archive.products import service as products
from armillary.base.signing import signing_key
from armillary.errors import Unavailable

router = APIRouter()
Text = Annotated[str, Query(max_length=300)]
BUILD_S = 60.0
"""Seconds that a transfer waits for its conversion to begin."""
MEDIA = ("application/x-bzip2", "application/fits")


@router.api_route(
    f"/{OBJECTS}/{{key:path}}", methods=["GET", "HEAD"], dependencies=anybody(), include_in_schema=False
)
@router.api_route(
    f"/{HYPHENATED}/{{key:path}}", methods=["GET", "HEAD"], dependencies=anybody(), include_in_schema=False
)
async def fetch(
    request: Request, ctx: Ctx, key: str, expires: Text = "", signature: Text = "", form: Text = ""
) -> Response:
    """Send an object; ranges and entity tags are understood."""
    async with ctx.context.database.begin() as connection:
        secret = await signing_key(connection, "urls")
    if not is_address(secret, key, form, expires, signature, ctx.context.clock.now()):
        raise Refused("The address is not valid, or not any more; ask for another one.", HTTPStatus.FORBIDDEN)
    path, _, filename = key.rpartition("/")

    async def find(connection: AsyncConnection) -> Served:
        roots = {root.name: root for root in await catalog.list_roots(connection)}
        if catalog.IMAGES not in roots:
            raise FileNotFound(f"No file named '{filename}' is in the archive any more.")
        return await signed_version(connection, roots[catalog.IMAGES], path, filename)

    if form in products.OF_KIND:
        return await _converted(ctx, find, filename, form)
    return await serve_found(request, ctx, form or filename, find)


async def _converted(call: Call, find: Find, filename: str, kind: str) -> Response:
    """Send what an object was converted to; who asks while that is under way waits for it."""
    async with call.context.database.begin() as connection:
        served = await find(connection)
    made = await products.awaited(call.context, kind, served.version.id, timeout_s=BUILD_S)
    if made is None:
        raise Unavailable("The object is still being converted; ask again in a moment.")
    if made.reason is not None:
        raise Refused(f"The object cannot be converted: {made.reason}", HTTPStatus.UNPROCESSABLE_ENTITY)
    content = await products.fetch(call.context, made)
    name = await _name(call, served, filename, kind)
    headers = {"ETag": f'"{made.sha256}"', "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=MEDIA[kind == products.UNPACKED], headers=headers)


async def _name(call: Call, served: Served, filename: str, kind: str) -> str:
    """Return what a converted object is called: by its filter and stretch, or as its source without packing."""
    stem = filename.partition(".")[0]
    if kind == products.UNPACKED:
        return f"{stem}.fits"
    async with call.context.database.begin() as connection:
        used = await images.filter_of(connection, served.version.location.key)
    plain = "".join(one for one in used or "" if one.isascii() and (one.isalnum() or one in "_-.+"))
    return f"{plain or 'none'}-{kind.partition('-')[2]}-{stem}.tif.bz2"
