"""A product of a version as an answer: entity tag, ranges, and why there is none."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import Request, Response

from armillary.api.http.calls import Call
from armillary.api.http.conditional import Unsatisfiable, byte_range, not_modified
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Product, Version
from armillary.archive.errors import NoPreview
from armillary.archive.products import service as products

_NEVER = datetime.fromtimestamp(0, UTC)
"""Products have no time of change: only their entity tag tells whether one is the same."""


async def serve_product(request: Request, call: Call, version: Version, kind: str) -> Response:
    """Send a product of a version that the caller may have; who may is for the route to decide.

    Raises
    ------
    NoPreview
        If there is none: the reason is told, or it is being made again.
    """
    async with call.context.database.begin() as connection:
        made = await catalog.get_product(connection, version.id, kind)
    if made is None:
        raise NoPreview
    if made.reason is not None:
        raise NoPreview(f"There is no {kind} of '{version.name}': {made.reason}")
    etag = f'"{made.sha256}"'
    headers = {"ETag": etag, "Cache-Control": "private, max-age=3600", "Accept-Ranges": "bytes"}
    known = request.headers.get("if-none-match")
    if known is not None and not_modified(etag, _NEVER, if_none_match=known, if_modified_since=None):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return _part(request, await _content(call, made), made, headers)


def _part(request: Request, content: bytes, made: Product, headers: dict[str, str]) -> Response:
    """Return what is asked for of the bytes; players of movies ask for pieces."""
    size, asked = len(content), request.headers
    try:
        wanted = byte_range(
            asked.get("range"), size, etag=headers["ETag"], modified=_NEVER, if_range=asked.get("if-range")
        )
    except Unsatisfiable:
        unsatisfied = {**headers, "Content-Range": f"bytes */{size}"}
        return Response(status_code=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=unsatisfied)
    if wanted is None:
        return Response(content, media_type=made.media_type, headers=headers)
    start, stop = wanted
    headers = {**headers, "Content-Range": f"bytes {start}-{stop - 1}/{size}"}
    return Response(content[start:stop], HTTPStatus.PARTIAL_CONTENT, headers, made.media_type)


async def _content(call: Call, made: Product) -> bytes:
    try:
        return await products.fetch(call.context, made)
    except NoPreview:
        async with call.context.database.begin() as connection:
            await products.ask_again(connection, products.OF_KIND[made.kind].name, made.version_id)
        raise
