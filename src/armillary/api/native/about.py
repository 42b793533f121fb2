"""What is here, whether it works, and how much it does."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from armillary import __version__
from armillary.api.http.answers import answered, answers, sends
from armillary.api.http.calls import Ctx
from armillary.api.native.routing import anybody, failures
from armillary.base.database_errors import DatabaseFull
from armillary.operations.errors import DatabaseAway
from armillary.operations.service import MEDIA_TYPE, Health, doors_of, exposition, health_of

router = APIRouter()
FRESH_S = 1.0
"""However many look at the metrics, the database is asked once in that time."""


@router.get("/", dependencies=anybody, response_class=PlainTextResponse)
async def index() -> str:
    """Say what this is and where things are."""
    return (
        f"Armillary {__version__}: a living FITS archive.\n\n"
        "  /v1/frames            search: name, site, instrument, filter, night, cone, keywords, selection\n"
        "  /v1/files/NAME        versions, headers, diff, edits, content, preview, thumbnail\n"
        "  /v1/edits             who edited what, and why; POST .../NAME/edits to edit (scope edit)\n"
        "  /v1/changes           everything that happened since a cursor, also as server-sent events\n"
        "  /v1/orders            background work: list, watch, cancel, retry (scope admin)\n"
        "  /file/NAME            the bytes of a file (Range, ETag, digests)\n"
        "  /update_headers       POST header updates (scope edit)\n"
        "  /upload_file/PATH/NAME  POST a file (scope upload)\n"
        "  /v1/health  /v1/metrics  /openapi.json\n"
    )


@router.get(
    "/v1/health",
    dependencies=anybody,
    responses=answers(
        Health,
        {
            "status": "ok",
            "accepts_edits": True,
            "accepts_uploads": True,
            "reasons": [],
            "workers": 2,
            "waiting": 0,
            "started": 1,
            "held": 0,
            "oldest_waiting_s": None,
            "version": __version__,
        },
    )
    | failures(DatabaseAway, DatabaseFull),
)
async def health(request: Request) -> JSONResponse:
    """Tell whether the archive works: `refusing` while nothing can be written, `degraded` while work waits.

    It is `refusing` if edits or uploads cannot be accepted, since the database or the disk of the staging area is
    full or read-only; `degraded` without a living worker, or while accepted work waits for room; 503 without the
    database. `reasons` says which it is.
    """
    state = request.app.state
    found = await health_of(state.context, doors=doors_of(state))
    return answered(found, headers={"Cache-Control": "no-store"})


@router.get(
    "/v1/metrics",
    dependencies=anybody,
    response_class=PlainTextResponse,
    responses=sends("text/plain", example='armillary_queue_orders{kind="ingest",state="Queued"} 1.0\n')
    | failures(),
)
async def metrics(request: Request, ctx: Ctx) -> Response:
    """Return the metrics of the web process, the workers and the archive in the form of Prometheus."""
    state = request.app.state
    then, text = getattr(state, "exposition", (0.0, b""))
    if not text or time.monotonic() - then > FRESH_S:
        text = await exposition(ctx.context)
        state.exposition = time.monotonic(), text
    return Response(text, media_type=MEDIA_TYPE)
