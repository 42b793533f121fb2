"""Search for frames."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse

from armillary.api.http.calls import Ctx
from armillary.api.native.routing import Word, answers, anybody, failures, storable_words
from armillary.archive import search as frames
from armillary.archive.cursors import BadCursor
from armillary.archive.models import MAX_PAGE
from armillary.archive.search import BadPredicate, Criteria, criteria_of, read_selection
from armillary.archive.selection import MalformedSelector, UnknownSelector
from armillary.archive.totals import Asked, total_of
from armillary.errors import BadRequest

router = APIRouter()


_FRAME = {
    "name": "N20260101S0001.fits",
    "instrument": "GMOS-N",
    "night": "2026-01-01",
    "started_at": "2026-01-01T05:00:00Z",
    "exposure_s": 30.0,
    "qa_state": "Pass",
    "visible": True,
}


async def _asked(
    ctx: Ctx,
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
    selection: Annotated[
        str | None,
        Query(max_length=2000, description="As in the paths of /jsonsummary: GMOS-N/20260101/Pass"),
    ] = None,
) -> Criteria:
    """Return what frames are asked for; all criteria have to hold."""
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
    if selection is None:
        return criteria
    storable_words(selection)
    today, summit = ctx.today, ctx.context.settings.archive.summit
    return replace(criteria, selection=read_selection(selection, today=today, summit=summit))


@router.get(
    "/v1/frames",
    dependencies=anybody,
    responses=answers({"frames": [_FRAME], "cursor": None, "total": 1, "total_is": "exact"})
    | failures(BadRequest, BadCursor, BadPredicate, UnknownSelector, MalformedSelector),
)
async def search(
    ctx: Ctx,
    criteria: Annotated[Criteria, Depends(_asked)],
    total: Annotated[
        Asked, Query(description="Whether to tell how many there are, and how surely")
    ] = Asked.NONE,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    cursor: Word = None,
) -> JSONResponse:
    """Find frames, newest first; `cursor` in the answer leads to the next page.

    All criteria have to hold. `total_is` says whether `total` was counted or estimated: a count that takes too
    long becomes an estimate.
    """
    today, viewer = ctx.today, ctx.principal
    async with ctx.context.database.begin() as connection:
        page = await frames.search(connection, criteria, viewer, today=today, limit=limit, cursor=cursor)
        body: dict[str, Any] = {"frames": [frames.to_json(one) for one in page.frames], "cursor": page.cursor}
        if total is not Asked.NONE:
            exact = total is Asked.EXACT
            found = await total_of(connection, criteria, viewer, today=today, exact=exact)
            body |= {"total": found.total, "total_is": str(found.total_is)}
    return JSONResponse(body)
