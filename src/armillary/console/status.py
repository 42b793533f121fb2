"""The status: whether it works, what to do where it does not, and how the last hours were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.responses import JSONResponse

from armillary.access.models import Scope
from armillary.api.http.answers import answered
from armillary.api.http.calls import Call, Ctx
from armillary.console.charts import COLOURS, Values, chart, file_systems
from armillary.console.rendering import is_part, page, part
from armillary.console.routing import anybody, operators, page_router
from armillary.operations.service import (
    MOST_HOURS,
    StatusHistory,
    advice_on,
    doors_of,
    health_of,
    history_of,
    status_of,
)

router = page_router()
HOURS = (1, 6, 24, 168)
"""The times of which curves are offered; those who write an address may ask for others."""
DEFAULT_HOURS = 6.0
Hours = Annotated[float, Query(gt=0, le=MOST_HOURS, allow_inf_nan=False)]


@router.get("/status", dependencies=anybody)
async def status(request: Request, ctx: Ctx, hours: Hours = DEFAULT_HOURS) -> Response:
    """Show whether the archive works; to administrators all that is known of how it does."""
    values: dict[str, Any] = {
        "health": await health_of(ctx.context, doors=doors_of(request.app.state)),
        "status": None,
        "hours": hours,
        "choices": HOURS,
    }
    if ctx.principal.may(Scope.ADMIN):
        found = await status_of(ctx.context)
        values |= {"status": found, "advice": advice_on(found)}
        if not is_part(request):
            values |= await _drawn(ctx, hours)
    if is_part(request):
        return part(request, "status.html", "now", values)
    return page(request, "status.html", values)


@router.get("/status/curves", dependencies=operators)
async def curves(ctx: Ctx, hours: Hours = DEFAULT_HOURS) -> JSONResponse:
    """Send the curves for the script of the page, as it draws them: columns, and seconds since 1970."""
    found = await _history(ctx, hours)
    charts = [
        {
            "name": one.name,
            "unit": one.unit,
            "lines": [{"name": name, "values": values} for name, values in one.lines],
        }
        for one in _kinds(found)
    ]
    end = ctx.context.clock.now().timestamp()
    told = {"at": [one.timestamp() for one in found.at], "begin": end - hours * 3600, "end": end}
    return answered({**told, "step_s": found.step_s, "charts": charts}, headers={"Cache-Control": "no-store"})


async def _history(ctx: Call, hours: float) -> StatusHistory:
    async with ctx.context.database.begin() as connection:
        return await history_of(ctx.context, connection, hours=hours)


async def _drawn(ctx: Call, hours: float) -> dict[str, Any]:
    """Return the curves as they are drawn without a script."""
    found = await _history(ctx, hours)
    end = ctx.context.clock.now()
    begin = end - timedelta(hours=hours)
    charts = [
        chart(one.name, one.unit, found.at, one.lines, begin=begin, end=end, step_s=found.step_s)
        for one in _kinds(found)
    ]
    return {"charts": charts, "begin": begin, "end": end, "samples": len(found.at)}


@dataclass(frozen=True, slots=True)
class Kind:
    """What one chart shows, and in which unit: a count, a span of seconds, or a size in bytes."""

    name: str
    unit: str
    lines: tuple[tuple[str, Values], ...]


def _kinds(found: StatusHistory) -> list[Kind]:
    """Return what the charts of the page show."""
    orders = ("waiting", found.waiting), ("under way", found.started), ("held", found.held)
    return [
        Kind("Orders", "count", orders),
        Kind("Oldest order that waits", "span", (("age", found.oldest_waiting_s),)),
        Kind("Changes per minute", "count", (("changes", found.events_per_min),)),
        Kind("Workers", "count", (("alive", found.workers),)),
        Kind("Failed orders on record", "count", (("failed", found.failed),)),
        Kind("Free room", "size", tuple(_rooms(found))[:COLOURS]),
        Kind("Database", "size", (("size", found.database_bytes),)),
    ]


def _rooms(found: StatusHistory) -> Iterator[tuple[str, Values]]:
    """Yield the room of each file system, as far back as that of any directory on it is known."""
    rooms = {one.name: one.free for one in found.disks}
    last = [(one.name, one.free[-1], one.size[-1]) for one in found.disks]
    for one in file_systems(last):
        yield (
            one.name,
            max((rooms[name] for name in one.members), key=lambda values: len(values) - values.count(None)),
        )
