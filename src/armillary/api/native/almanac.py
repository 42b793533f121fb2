"""The almanac of sites: a night, a year, and the schedule that a site would compute for itself."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from armillary.api.http.answers import answered, answers, sends
from armillary.api.http.calls import Ctx
from armillary.api.native.routing import anybody, failures
from armillary.errors import BadRequest
from armillary.sites.almanac import service
from armillary.sites.almanac.documents import NightEvents, Schedule, YearEvents
from armillary.sites.almanac.errors import BadInstant, PlaceMissing, UnknownZone
from armillary.sites.errors import BadSiteName, UnknownSite
from armillary.sky.errors import OutsideEphemeris

router = APIRouter()
_FAILURES = failures(BadSiteName, UnknownSite, PlaceMissing, UnknownZone, OutsideEphemeris)
Site = Annotated[str, Query(max_length=100, description="Name of the site.")]


class Form(StrEnum):
    """How a table is written."""

    JSON = "json"
    CSV = "csv"


_EVENT = {
    "name": "Sun Set",
    "tai_jd": 2459063.620683998,
    "utc": "2020-08-02T02:53:10.097Z",
    "unix": 1596336790.097,
    "reason": None,
}
_ALMANAC: dict[str, Any] = {
    "sun": {
        "transit": "2020-08-01T20:02:17.781Z",
        "set": "2020-08-02T02:56:11.941Z",
        "civil_dusk": "2020-08-02T03:23:28.869Z",
        "nautical_dusk": "2020-08-02T03:56:25.577Z",
        "astronomical_dusk": "2020-08-02T04:31:22.159Z",
        "antitransit": "2020-08-02T08:02:15.472Z",
        "astronomical_dawn": "2020-08-02T11:33:28.643Z",
        "nautical_dawn": "2020-08-02T12:08:25.353Z",
        "civil_dawn": "2020-08-02T12:41:22.237Z",
        "rise": "2020-08-02T13:08:39.367Z",
        "altitude_deg": -0.8333,
        "missing": {},
    },
    "moon": {
        "rise": "2020-08-02T01:53:45.795Z",
        "transit": "2020-08-02T06:55:15.910Z",
        "set": "2020-08-02T11:58:31.147Z",
        "illumination": 0.9803,
        "phase_deg": 163.97,
        "phase": "full moon",
        "altitude_deg": -0.5667,
    },
}
_BOUNDS = {"night": "2020-08-01", "start": "2020-08-01T19:00:00Z", "end": "2020-08-02T19:00:00Z"}
_NIGHT = {"site": "saf", **_BOUNDS, "events": [_EVENT], "almanac": _ALMANAC}
_ROW = {**_BOUNDS, "events": {"Sun Set": "2020-08-02T02:53:10.097Z"}, "missing": {}}
_YEAR = {"site": "saf", "year": 2020, "zone": "America/Los_Angeles", "nights": [_ROW]}
_SCHEDULE = {
    "site": "saf",
    "scale": "UTC Dublin Julian Day (JD - 2415020)",
    "computed_at": "2020-08-01T19:30:00Z",
    "schedule": {"Sun Set": 44043.62483675576, "day_directory": "20200801"},
}


@router.get(
    "/v1/events",
    dependencies=anybody,
    responses=answers(NightEvents, _NIGHT)
    | failures(BadSiteName, BadInstant, BadRequest, OutsideEphemeris, UnknownSite, PlaceMissing, UnknownZone),
)
async def night(
    ctx: Ctx,
    site: Site,
    when: Annotated[
        str | None, Query(max_length=100, description="Seconds since 1970 or an ISO date; now unless told.")
    ] = None,
    night: Annotated[date | None, Query(description="The date of an evening, instead of `when`.")] = None,
) -> JSONResponse:
    """Tell the events of a night of a site, and what an almanac prints of it.

    A night runs from 12:00 to 12:00 of local civil time. An event that does not occur has a reason instead of a
    time. `tai_jd` is a Julian date in TAI.
    """
    if when is not None and night is not None:
        raise BadRequest("Give `when` or `night`, not both.")
    instant = ctx.context.clock.now() if when is None else service.read_instant(when)
    async with ctx.context.database.look() as connection:
        place = await service.find_place(connection, site)
    if night is not None:
        instant = service.start_of_night(place, night)
    return answered(await service.night_events(place, instant))


@router.get(
    "/v1/events/year",
    dependencies=anybody,
    responses=answers(
        YearEvents, _YEAR, media=sends("text/csv", example="night,start,end,Eve Bias Dark,...\n")
    )
    | _FAILURES,
)
async def year(
    ctx: Ctx,
    site: Site,
    year: Annotated[int | None, Query(description="The year of the evenings; this one unless told.")] = None,
    form: Annotated[Form, Query(alias="format", description="`csv` for a table.")] = Form.JSON,
) -> Response:
    """Tell the events of all nights of a year, night by night, in UTC to the millisecond."""
    async with ctx.context.database.look() as connection:
        place = await service.find_place(connection, site)
    found = await service.year_events(place, ctx.today.year if year is None else year)
    if form is Form.CSV:
        return PlainTextResponse(service.as_csv(found), media_type="text/csv")
    return answered(found)


@router.get(
    "/v1/{site}/site-schedule",
    dependencies=anybody,
    responses=answers(Schedule, _SCHEDULE) | _FAILURES,
)
async def schedule(ctx: Ctx, site: str) -> JSONResponse:
    """Tell the schedule that a site would compute for itself, for sites whose configuration has none.

    It begins now and goes by other rules than `/v1/events`: the scale is named in the answer.
    """
    async with ctx.context.database.look() as connection:
        place = await service.find_place(connection, site)
    return answered(await service.site_schedule(place, ctx.context.clock.now()))
