"""``POST /upload_file``: raw bytes of one file, staged, then moved into the store by a worker."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from armillary.access.models import Scope
from armillary.api.gemini.errors import MagicCookieMissing, as_json
from armillary.api.http.calls import Ctx
from armillary.api.http.carriers import Carriers
from armillary.api.http.policy import Policy
from armillary.archive.intake import service as intake
from armillary.base.text import has_controls
from armillary.errors import BadRequest

router = APIRouter()
may_upload = Policy(Scope.UPLOAD, Carriers(("gemini_fits_upload_auth",)), refusal=MagicCookieMissing)
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post(
    "/upload_file/{target:path}",
    dependencies=[Depends(may_upload)],
    openapi_extra=_BODY,
    response_class=JSONResponse,
    responses={code: {"description": HTTPStatus(code).phrase} for code in (200, 400, 403, 413, 507)},
)
async def upload_file(
    request: Request, ctx: Ctx, target: str, batch: Annotated[str | None, Query(max_length=200)] = None
) -> Response:
    """Take a file in under PATH/NAME; the reply tells what was received."""
    if batch is not None and has_controls(batch):
        raise BadRequest(f"{batch!r} is no name of a batch: it holds characters that cannot be kept.")
    path, _, name = target.strip("/").rpartition("/")
    declared = request.headers.get("content-length", "")
    staged, _ = await intake.receive_upload(
        ctx.context,
        request.stream(),
        path=path,
        name=name,
        declared=int(declared) if declared.isdigit() else None,
        actor=ctx.principal.name,
        batch=batch,
    )
    stored_path = "" if path == intake.PROCESSED_CALIBRATION else path
    return as_json([{"filename": name, "path": stored_path, "size": staged.size, "md5": staged.md5}])
