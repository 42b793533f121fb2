"""One work order: why it stands as it does, its steps; cancelling it, and trying it again."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from itertools import groupby
from typing import Annotated, Any

from fastapi import Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from armillary.api.http.calls import Call, Ctx
from armillary.api.http.discretion import without_paths
from armillary.api.http.values import plain
from armillary.base.work.admin import waited_for
from armillary.console.reasons import shown
from armillary.console.rendering import is_part, page_or_part, part
from armillary.console.routing import auditors, operators, origin_of, page_router
from armillary.console.sessions import refuse_other_sites
from armillary.operations import service as operations

router = page_router()
WORK = "/work"
"""The page that leads to orders, which the bar on top marks."""
Id = Annotated[int, Path(ge=1, lt=1 << 63)]
Asked = Annotated[int | None, Query(ge=1, lt=1 << 63)]


@router.get("/orders", dependencies=auditors)
async def look_up(request: Request, number: Annotated[int, Query(ge=1, lt=1 << 63)]) -> Response:
    """Lead to the order of a number."""
    return RedirectResponse(f"/orders/{number}", HTTPStatus.SEE_OTHER)


@router.get("/orders/{order_id}", dependencies=auditors)
async def order(request: Request, ctx: Ctx, order_id: Id, asked: Asked = None) -> Response:
    """Show a work order; ``asked`` is the order that asks for something to be done with it."""
    values = await _values(ctx, order_id) | {"asked": asked, "origin": origin_of(request), "place": WORK}
    return page_or_part(request, "order.html", "order", values)


@router.post("/orders/{order_id}/cancel", dependencies=operators)
async def cancel(request: Request, ctx: Ctx, order_id: Id) -> Response:
    """Take an order out of the queue, or let it end before its next step."""
    return await _carry_out(request, ctx, operations.CANCEL, order_id)


@router.post("/orders/{order_id}/retry", dependencies=operators)
async def retry(request: Request, ctx: Ctx, order_id: Id) -> Response:
    """Queue a failed order once more, or let one that waits for its time run now."""
    return await _carry_out(request, ctx, operations.RETRY, order_id)


async def _carry_out(request: Request, call: Call, kind: str, order_id: int) -> Response:
    refuse_other_sites(request)
    actor, address = call.principal.name, call.address
    asking, brought = await operations.carry_out(call.context, kind, order_id, actor=actor, address=address)
    # A retry of a failed order has a number of its own, which leads on.
    now_at = brought.get("order") if isinstance(brought, dict) else None
    if is_part(request):
        values = await _values(call, order_id)
        again = now_at if isinstance(now_at, int) and now_at != order_id else None
        asked = asking if brought is None else None
        return part(request, "work/row.html", "row", values | {"again": again, "asked": asked})
    where = f"/orders/{now_at or order_id}" + (f"?asked={asking}" if brought is None else "")
    return RedirectResponse(where, HTTPStatus.SEE_OTHER)


async def _values(call: Call, order_id: int) -> dict[str, Any]:
    """Return what is told of an order, without the directories of the server."""
    async with call.context.database.begin() as connection:
        found = await operations.known_order(connection, order_id, call.principal, call.today)
        behind = (await waited_for(connection, [order_id])).get(order_id)
    view = found.view
    response = view.response
    told: dict[str, Any] = {
        "error": found.error,
        "args": plain(dict(view.args)) if found.whole else None,
        "steps": plain(view.steps) if found.whole else None,
        "value": plain(response.value) if found.whole and response is not None else None,
    }
    await without_paths(call, [told], *told)
    now = call.context.clock.now()
    one = shown(view, told["error"], found.error_code, behind=behind, now=now)
    steps = _together(told.pop("steps") or ())
    return {"order": one, "told": told, "steps": steps, "whole": found.whole}


def _together(steps: Sequence[dict[str, Any]]) -> list[tuple[dict[str, Any], int]]:
    """Return steps, those that follow each other and say the same as one with their number."""
    alike = groupby(steps, lambda one: (one["name"], one.get("outcome"), one.get("why")))
    return [(some[0], len(some)) for some in (list(run) for _, run in alike)]
