"""Search for frames."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from armillary.api.native.routing import FAILURES, Word, anybody
from armillary.api.policy import principal_of
from armillary.archive import search as frames
from armillary.archive.search import Criteria, criteria_of
from armillary.context import Context

router = APIRouter()


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
