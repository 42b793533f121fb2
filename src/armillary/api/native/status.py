"""How the archive stands, for those who run it."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from armillary.access.models import Scope
from armillary.api.native.routing import FAILURES
from armillary.api.policy import Policy
from armillary.context import Context
from armillary.operations.status import status_of, to_json

router = APIRouter()


@router.get("/v1/status", dependencies=[Depends(Policy(Scope.ADMIN))], responses=FAILURES)
async def status(request: Request) -> JSONResponse:
    """Tell versions, queues, workers, last failures and room on the disks, as `armillary status` does."""
    context: Context = request.app.state.context
    return JSONResponse(to_json(await status_of(context)), headers={"Cache-Control": "no-store"})
