"""How the archive stands, for those who run it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from armillary.api.http.answers import answered, answers
from armillary.api.http.calls import Ctx
from armillary.api.native.routing import REFUSALS, failures, operators
from armillary.operations.models import Status
from armillary.operations.service import MOST_HOURS, StatusHistory, history_of, status_of

router = APIRouter()


_EXAMPLE = {
    "version": "0.1.0",
    "archive": "6a0f2a37-8a0e-4ac4-9f0e-3f5c0e9b7f52",
    "schema": "0016",
    "schema_known": "0016",
    "postgresql": "16.2",
    "database_bytes": 31457280,
    "at": "2026-01-01T05:00:00Z",
    "totals": {"files": 2, "versions": 3, "bytes": 16811520, "exact": True},
    "queues": [],
    "held": [],
    "oldest": None,
    "workers": [],
    "failures": [],
    "failed": 0,
    "disks": [{"name": "store", "path": "/data/store", "free": 1000000000000, "size": 4000000000000}],
    "destinations": [],
    "unclaimed": [],
    "contested": [],
}


@router.get(
    "/v1/status",
    dependencies=operators,
    responses=answers(Status, _EXAMPLE) | failures(*REFUSALS),
)
async def status(ctx: Ctx) -> JSONResponse:
    """Tell versions, queues, workers, last failures and room on the disks, as `armillary status` does."""
    return answered(await status_of(ctx.context), headers={"Cache-Control": "no-store"})


_HISTORY = {
    "step_s": 60.0,
    "at": ["2026-01-01T05:00:00Z"],
    "workers": [2],
    "waiting": [3],
    "started": [1],
    "held": [0],
    "failed": [0],
    "oldest_waiting_s": [1.5],
    "database_bytes": [31457280],
    "events_per_min": [None],
    "disks": [{"name": "store", "free": [1000000000000], "size": [4000000000000]}],
}


@router.get(
    "/v1/status/history",
    dependencies=operators,
    responses=answers(StatusHistory, _HISTORY) | failures(*REFUSALS),
)
async def history(
    ctx: Ctx, hours: Annotated[float, Query(gt=0, le=MOST_HOURS, allow_inf_nan=False)] = 24.0
) -> JSONResponse:
    """Tell how the archive stood in the last hours, minute by minute, as columns.

    Of a long time, each point tells the worst of several minutes. Where there is a gap, no worker lived.
    """
    async with ctx.context.database.begin() as connection:
        found = await history_of(ctx.context, connection, hours=hours)
    return answered(found, headers={"Cache-Control": "no-store"})
