"""The sticky note of a site."""

from __future__ import annotations

import json
from datetime import datetime

from fastapi import APIRouter, Response

from armillary.access.models import Scope
from armillary.api.http.calls import Ctx
from armillary.api.photon_ranch.parameters import Asked
from armillary.api.photon_ranch.replies import as_json, nothing, raw
from armillary.api.photon_ranch.rights import in_path, needs, reads
from armillary.sites import service

router = APIRouter()
_SITE = in_path("site")


@router.get("/nightlog/{site}", dependencies=reads(_SITE), include_in_schema=False)
async def note(ctx: Ctx, site: str) -> Response:
    """Return the note of a site, or nothing if there is none or it has expired."""
    found = await service.note_of(ctx.context, site)
    if found is None:
        return nothing()
    return as_json(
        {
            "site": found.site,
            "created_timestamp": _seconds(found.created),
            "ttl_timestamp_seconds": _seconds(found.expires),
            "note_data": json.loads(found.text),
        }
    )


@router.post("/nightlog/{site}", dependencies=needs(Scope.NOTE, _SITE, guarded=True), include_in_schema=False)
async def put_note(ctx: Ctx, site: str, asked: Asked) -> Response:
    """Keep a note in the place of the one of before, and enter it into the log."""
    await service.put_note(ctx.context, site, asked.values.get("note_data"), author=ctx.principal.name)
    return raw("Note created successfully")


@router.delete(
    "/nightlog/{site}", dependencies=needs(Scope.NOTE, _SITE, guarded=True), include_in_schema=False
)
async def delete_note(ctx: Ctx, site: str) -> Response:
    """Remove the note of a site, if it has one."""
    await service.delete_note(ctx.context, site)
    return nothing()


def _seconds(instant: datetime) -> float:
    """Return an instant as unix seconds: an integer if it is one."""
    found = instant.timestamp()
    return int(found) if found.is_integer() else found
