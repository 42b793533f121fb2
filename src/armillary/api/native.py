"""The native routes: what is here, health, search, and what is known of one file."""

from __future__ import annotations

from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import generate_latest

from armillary import __version__
from armillary.api.policy import Policy, principal_of
from armillary.archive import search as frames
from armillary.archive import service as archive
from armillary.archive.errors import FileNotFound, NoPreview
from armillary.archive.names import storable
from armillary.archive.search import Criteria, criteria_of
from armillary.base.metrics import REGISTRY
from armillary.context import Context

router = APIRouter()
anybody = [Depends(Policy(None, cookies=("gemini_fits_authorization",)))]
FAILURES: dict[int | str, dict[str, Any]] = {
    code: {"description": HTTPStatus(code).phrase} for code in (400, 403, 404, 422)
}
Word = Annotated[str | None, Query(max_length=200)]


@router.get("/", dependencies=anybody, response_class=PlainTextResponse)
async def index() -> str:
    """Say what this is and where things are."""
    return (
        f"Armillary {__version__}: a living FITS archive.\n\n"
        "  /v1/frames            search: name, site, instrument, filter, night, cone, keywords\n"
        "  /file/NAME            the bytes of a file (Range, ETag, digests)\n"
        "  /v1/files/NAME/preview, .../thumbnail\n"
        "  /update_headers       POST header updates (scope edit)\n"
        "  /upload_file/PATH/NAME  POST a file (scope upload)\n"
        "  /v1/health  /v1/metrics  /openapi.json\n"
    )


@router.get("/v1/health", dependencies=anybody)
async def health(request: Request) -> dict[str, str]:
    """Answer when the database answers."""
    context: Context = request.app.state.context
    async with context.database.begin() as connection:
        await connection.execute(sa.text("SELECT 1"))
    return {"status": "ok", "version": __version__}


@router.get("/v1/metrics", dependencies=anybody, response_class=PlainTextResponse)
async def metrics() -> Response:
    """Return the metrics of the web process in the form of Prometheus."""
    return Response(generate_latest(REGISTRY), media_type="text/plain; version=0.0.4")


@router.get("/v1/frames", dependencies=anybody, responses=FAILURES)
async def search(
    request: Request,
    name: Word = None,
    site: Word = None,
    telescope: Word = None,
    instrument: Word = None,
    filter: Word = None,
    object: Word = None,
    program: Word = None,
    observation_id: Word = None,
    data_label: Word = None,
    observation_type: Word = None,
    qa_state: Word = None,
    night: date | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    exposure_min_s: Annotated[float | None, Query(allow_inf_nan=False)] = None,
    exposure_max_s: Annotated[float | None, Query(allow_inf_nan=False)] = None,
    cone: Annotated[str | None, Query(description="RA,DEC,RADIUS in degrees")] = None,
    keyword: Annotated[list[str] | None, Query(description="KEYWORD=VALUE and its kin")] = None,
    limit: Annotated[int, Query(ge=1, le=frames.MAX_PAGE)] = 100,
    cursor: Word = None,
) -> JSONResponse:
    """Find frames, newest first; ``cursor`` in the answer leads to the next page."""
    context: Context = request.app.state.context
    given = Criteria(
        name=name,
        site=site,
        telescope=telescope,
        instrument=instrument,
        filter=filter,
        object=object,
        program=program,
        observation_id=observation_id,
        data_label=data_label,
        observation_type=observation_type,
        qa_state=qa_state,
        night=night,
        since=since,
        until=until,
        exposure_min_s=exposure_min_s,
        exposure_max_s=exposure_max_s,
    )
    criteria = criteria_of(given, cone=cone, keywords=keyword)
    today = context.clock.now().date()
    async with context.database.begin() as connection:
        page = await frames.search(
            connection, criteria, principal_of(request), today=today, limit=limit, cursor=cursor
        )
    return JSONResponse({"frames": [frames.to_json(one) for one in page.frames], "cursor": page.cursor})


@router.get("/v1/files/{name}/{kind}", dependencies=anybody, responses=FAILURES, response_class=Response)
async def picture(request: Request, name: str, kind: str) -> Response:
    """Return preview or thumbnail of a file that the caller may see."""
    context: Context = request.app.state.context
    if kind not in ("preview", "thumbnail"):
        raise NoPreview(f"There is no '{kind}'; ask for preview or thumbnail.")
    if not storable(name):
        raise FileNotFound(f"No file named {name!r} is in the archive.")
    async with context.database.begin() as connection:
        served = await archive.version_to_serve(
            connection, archive.logical_name(name), principal_of(request), now=context.clock.now()
        )
        made = await archive.get_product(connection, served.version.id, kind)
    if made is None:
        raise NoPreview
    headers = {"ETag": f'"{made.sha256}"', "Cache-Control": "private, max-age=3600"}
    return Response(made.content, media_type=made.media_type, headers=headers)
