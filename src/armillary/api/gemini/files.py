"""``GET /file``: the bytes of one file, in the form that its name asks for."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from armillary.api.gemini.selecting import DOWNLOADERS
from armillary.api.http.bytes import serve_bytes
from armillary.api.http.calls import Ctx
from armillary.api.http.policy import Policy

router = APIRouter()
reader = Policy(None, DOWNLOADERS)
_RESPONSES: dict[int | str, dict[str, Any]] = {
    code: {"description": HTTPStatus(code).phrase} for code in (200, 206, 304, 400, 403, 404, 416, 503)
}


@router.head("/file/{name:path}", dependencies=[Depends(reader)], include_in_schema=False)
@router.get(
    "/file/{name:path}", dependencies=[Depends(reader)], response_class=Response, responses=_RESPONSES
)
async def get_file(request: Request, ctx: Ctx, name: str) -> Response:
    """Send one file: bzip2 if the name ends so, else uncompressed; Range, ETag and digests included."""
    return await serve_bytes(request, ctx, name)
