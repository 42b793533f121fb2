"""The overview: what came last, how many frames the last nights have, what runs now, and how to begin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from fastapi import Query, Request, Response

from armillary.access.models import Principal, Scope
from armillary.api.http.calls import Call, Ctx
from armillary.archive.query import service as query
from armillary.archive.query.service import Part
from armillary.base.work import State
from armillary.base.work.admin import OrderView, list_orders
from armillary.console.charts import file_systems, night_bars
from armillary.console.rendering import is_part, page, part
from armillary.console.routing import anybody, page_router
from armillary.edits.changesets import service as changesets
from armillary.edits.changesets.models import RESTING
from armillary.edits.service import Discretion
from armillary.exports import service as exports
from armillary.operations.service import disks_of, doors_of, file_of, health_of

router = page_router()
LATEST, NIGHTS, RUNNING = 24, 10, 5
FEW = 100
"""Frames with which an archive is new: how to begin is shown unfolded."""
BY = (Part.INSTRUMENT, Part.OBSERVATION_TYPE, Part.SITE)
VARY = {"Vary": "Accept, HX-Request, HX-Target"}
_Part = Callable[[Request, Call, Part], Awaitable[dict[str, Any]]]


@router.get("/", dependencies=anybody)
async def overview(request: Request, ctx: Ctx, by: Annotated[Part, Query()] = Part.INSTRUMENT) -> Response:
    """Show the latest frames, the last nights and what runs, all of which fill up while the page is open."""
    wanted = request.headers.get("hx-target", "latest")
    if is_part(request) and wanted in PARTS:
        return part(request, "overview.html", wanted, await PARTS[wanted](request, ctx, by), headers=VARY)
    values: dict[str, Any] = {"total": await _total(ctx), "few": FEW, "parts_of_nights": BY}
    for look in PARTS.values():
        values |= await look(request, ctx, by)
    return page(request, "overview.html", values, headers=VARY)


async def _total(ctx: Call) -> int:
    """Return how many frames there are, which is read from all counts: too much for each frame that comes."""
    async with ctx.context.database.begin() as connection:
        return await query.counted_total(connection, (), ctx.principal, today=ctx.today) or 0


async def _latest(_request: Request, ctx: Call, _by: Part) -> dict[str, Any]:
    async with ctx.context.database.begin() as connection:
        found = await query.search(connection, (), ctx.principal, today=ctx.today, limit=LATEST, cursor=None)
    return {"frames": found.frames}


async def _nights(_request: Request, ctx: Call, by: Part) -> dict[str, Any]:
    async with ctx.context.database.begin() as connection:
        found = await query.count_nights(
            connection, (), ctx.principal, today=ctx.today, newest=NIGHTS, by=[by]
        )
    return {"bars": night_bars(found), "by": by}


async def _now(request: Request, ctx: Call, _by: Part) -> dict[str, Any]:
    """Return what everybody may know of the work, and what those may know who may list it."""
    health = await health_of(ctx.context, doors=doors_of(request.app.state))
    values: dict[str, Any] = {"health": health, "orders": [], "sets": [], "exports": [], "disks": ()}
    async with ctx.context.database.begin() as connection:
        if _is_operator(ctx.principal):
            orders = await list_orders(connection, state=State.STARTED, limit=RUNNING)
            values["orders"] = [_order(one) for one in orders]
            values["exports"] = [one for one in await exports.destinations(connection) if one.waiting]
            disks = await disks_of(ctx.context, connection)
            values["disks"] = file_systems((one.name, one.free, one.size) for one in disks)
        if ctx.principal.may(Scope.EDIT):
            known = Discretion(ctx.principal, ctx.today)
            sets = await changesets.overview(connection, before=None, count=4 * RUNNING, known=known)
            values["sets"] = [one for one in sets if one.state not in RESTING and not one.dry_run][:RUNNING]
    return values


def _is_operator(who: Principal) -> bool:
    return who.may(Scope.ADMIN)


def _order(one: OrderView) -> dict[str, Any]:
    return {"id": one.id, "kind": one.kind, "file": file_of(one.args) or one.key or "", "step": one.step}


PARTS: Mapping[str, _Part] = {"latest": _latest, "nights": _nights, "now": _now}
"""What the parts of the page show, by the ids of the elements that ask for them anew."""
