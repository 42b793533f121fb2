"""``/download``: the files that a selection finds, or that a form names, as one tar stream."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import HTTP
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse

from armillary.api.gemini.selecting import FAILURES, anybody, lister_of, reports, selection_of
from armillary.api.http.body import read_body
from armillary.api.http.calls import Call, Ctx
from armillary.archive.download.service import bundle, choose
from armillary.archive.query.models import Among, Selection
from armillary.base.text import storable
from armillary.errors import BadRequest
from armillary.fits.containers import logical_name

router = APIRouter()
MEDIA_TYPE = "application/x-tar"
MAX_FORM = 1 << 20
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {"files": {"type": "array", "items": {"type": "string"}}},
                }
            }
        },
    }
}


@router.get("/download", dependencies=anybody, include_in_schema=False)
@router.get("/download/{selection:path}", dependencies=anybody, response_class=Response, responses=FAILURES)
async def download(request: Request, ctx: Ctx) -> Response:
    """Send the present files that a selection finds as a tar file; what is withheld is listed in it."""
    return await _send(ctx, selection_of(request, ctx, "download"), asked=request.url.path)


@router.post("/download/", dependencies=anybody, include_in_schema=False)
@router.post(
    "/download",
    dependencies=anybody,
    openapi_extra=_FORM,
    response_class=Response,
    responses={**FAILURES, 413: {"description": HTTPStatus(413).phrase}},
)
async def download_named(request: Request, ctx: Ctx) -> Response:
    """Send the files that a form names in its fields ``files`` as a tar file."""
    names = _named(await read_body(request, MAX_FORM), request.headers.get("content-type", ""))
    if not all(map(storable, names)):
        raise BadRequest("A name in 'files' holds characters that no file name has.")
    wanted = tuple(dict.fromkeys(name if "/" in name else logical_name(name) for name in names))
    if not wanted:
        return _nothing()
    return await _send(ctx, Selection(terms=(Among("name", wanted),)), asked="marked files")


def _named(body: bytes, content_type: str) -> list[str]:
    """Return the values of the fields ``files``; one field may hold several names, with commas between them."""
    if content_type.startswith("multipart/form-data"):
        message = message_from_bytes(
            b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n" + body, policy=HTTP
        )
        parts = [part for part in message.walk() if not part.is_multipart()]
        fields = [part for part in parts if part.get_param("name", header="content-disposition") == "files"]
        values = [bytes(part.get_payload(decode=True) or b"").decode("utf-8", "replace") for part in fields]
    else:
        try:
            values = parse_qs(body.decode("utf-8", "replace"), max_num_fields=100_000).get("files", [])
        except ValueError as error:
            raise BadRequest(f"The form cannot be read: {error}.") from None
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


async def _send(call: Call, selection: Selection, *, asked: str) -> Response:
    context = call.context
    limit = context.settings.archive.max_bundle
    async with context.database.begin() as connection:
        members = await choose(connection, selection, lister_of(call))
    if not members:
        return _nothing(reports(selection))
    if len(members) > limit:
        return PlainTextResponse(
            f"More than {limit} files were selected, which is more than one download may hold. "
            "Add a date, a program or an observation to the selection and download in parts.\n",
            headers=reports(selection),
        )
    name = f"armillary-{context.clock.now():%Y%m%d-%H%M%S}.tar"
    headers = {**reports(selection), "Content-Disposition": f'attachment; filename="{name}"'}
    chunks = bundle(context, members, call.principal, asked=asked)
    return StreamingResponse(chunks, headers=headers, media_type=MEDIA_TYPE)


def _nothing(headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(
        "No files to download: no file was marked, or none that is here fits the selection.\n",
        headers=headers,
    )
