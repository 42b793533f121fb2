"""How the archive stands, for those who run it."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from armillary.api.http.calls import Ctx
from armillary.api.native.routing import REFUSALS, answers, failures, operators
from armillary.operations.service import status_of, status_to_json

router = APIRouter()


_EXAMPLE = {
    "version": "0.1.0",
    "schema": "0008",
    "at": "2026-01-01T05:00:00Z",
    "totals": {"files": 2, "versions": 3, "bytes": 16811520, "exact": True},
    "queues": [],
    "workers": [],
    "failures": [],
    "disks": [],
    "destinations": [],
}


@router.get(
    "/v1/status",
    dependencies=operators,
    responses=answers(_EXAMPLE) | failures(*REFUSALS),
)
async def status(ctx: Ctx) -> JSONResponse:
    """Tell versions, queues, workers, last failures and room on the disks, as `armillary status` does."""
    return JSONResponse(status_to_json(await status_of(ctx.context)), headers={"Cache-Control": "no-store"})
