"""The calendar of the embargo: what becomes public when."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from armillary.api.http.answers import answered, answers, sends
from armillary.api.http.calls import Call, Ctx
from armillary.api.native.routing import Word, anybody, failures, storable_words
from armillary.archive.query import service as query
from armillary.archive.query.service import ICALENDAR, MOST_RELEASES, Releases
from armillary.errors import BadRequest

router = APIRouter()
Since = Annotated[date | None, Query(alias="from", description="First day, today unless told.")]
Until = Annotated[date | None, Query(description="Last day.")]
Limit = Annotated[int, Query(ge=1, le=MOST_RELEASES)]
_RELEASE = {"day": "2027-01-01", "instrument": "GMOS-N", "program": "GN-2026A-Q-10", "frames": 12}
_EXAMPLE = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Armillary//Releases//EN\r\nEND:VCALENDAR\r\n"


@router.get(
    "/v1/embargo/calendar",
    dependencies=anybody,
    responses=answers(Releases, {"releases": [_RELEASE], "more": False}) | failures(BadRequest),
)
async def calendar(
    ctx: Ctx,
    since: Since = None,
    until: Until = None,
    instrument: Word = None,
    program: Word = None,
    limit: Limit = 1000,
) -> JSONResponse:
    """Count the present frames that become public, by day, instrument and program, earliest day first.

    Frames that the caller may not know of are not counted.
    """
    return answered(await _found(ctx, since, until, instrument, program, limit))


@router.get(
    "/v1/embargo/calendar.ics",
    dependencies=anybody,
    responses=sends(ICALENDAR, example=_EXAMPLE) | failures(BadRequest),
    response_class=PlainTextResponse,
)
async def icalendar(
    ctx: Ctx,
    since: Since = None,
    until: Until = None,
    instrument: Word = None,
    program: Word = None,
    limit: Limit = MOST_RELEASES,
) -> Response:
    """Return the same as a calendar to subscribe to, with one event each day."""
    found = await _found(ctx, since, until, instrument, program, limit)
    text = query.as_icalendar(found.releases, stamp=ctx.context.clock.now())
    return PlainTextResponse(text, media_type=ICALENDAR)


async def _found(
    ctx: Call,
    since: date | None,
    until: date | None,
    instrument: str | None,
    program: str | None,
    limit: int,
) -> Releases:
    storable_words(instrument, program)
    async with ctx.context.database.begin() as connection:
        return await query.list_releases(
            connection,
            ctx.principal,
            today=ctx.today,
            since=since or ctx.today,
            until=until,
            instrument=instrument,
            program=program,
            limit=limit,
        )
