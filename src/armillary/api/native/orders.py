"""Work orders: what waits, runs and ended; watching them; taking them back, or trying them again."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from armillary.access.models import Scope
from armillary.api.http import events as streams
from armillary.api.http.calls import Call, Ctx
from armillary.api.http.discretion import without_paths
from armillary.api.http.events import Event, stream
from armillary.api.http.values import plain
from armillary.api.native.routing import (
    REFUSALS,
    Documented,
    Word,
    answers,
    auditors,
    failures,
    operators,
    storable_words,
)
from armillary.base.work import State, wait_for
from armillary.base.work.admin import OrderView, Standing, list_orders
from armillary.base.work.watching import watch_all, watch_order
from armillary.edits.service import Discretion
from armillary.fits.containers import logical_name
from armillary.operations import service as operations
from armillary.operations.errors import NotCancellable, NotRetryable, OrderNotFound

router = APIRouter()
PATIENCE_S, MAX_WAIT_S, MAX_PAGE = 10.0, 60.0, 1000
CONTAINERS = ("", ".bz2", ".gz")
Id = Annotated[int, Path(ge=1, lt=1 << 63)]
_ORDER = {
    "id": 31,
    "kind": "update_headers",
    "state": "Completed",
    "file": "N20260101S0001.fits",
    "key": "1:20260101/N20260101S0001.fits",
    "priority": 0,
    "attempts": 1,
    "max_attempts": None,
    "error": None,
    "error_code": None,
    "step": None,
    "steps": None,
    "revision": 1,
    "actor": "observer",
    "batch": None,
    "request": "c6fe19b3-b461-447d-b243-049bfce50845",
    "item": 0,
    "not_before": "2026-01-01T05:00:00Z",
    "added": "2026-01-01T05:00:00Z",
    "started": "2026-01-01T05:00:00Z",
    "finished": "2026-01-01T05:00:01Z",
    "expires": "2026-01-08T05:00:01Z",
    "args": {"name": "N20260101S0001.fits"},
    "response": {"ok": True, "error": "", "value": {"changed": True}},
    "worker": None,
    "held": False,
}
_STANDING = 'id: 31\nevent: Started\ndata: {"id": 31, "kind": "update_headers", "state": "Started"}\n\n'

_EVENTS: Documented = {
    200: {"description": "OK", "content": {streams.MEDIA_TYPE: {"example": _STANDING}}},
}


@router.get(
    "/v1/orders",
    dependencies=operators,
    responses=answers({"orders": [_ORDER], "cursor": None}) | failures(*REFUSALS),
)
async def orders(
    ctx: Ctx,
    state: State | None = None,
    kind: Word = None,
    file: Word = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    cursor: Annotated[int | None, Query(ge=1, lt=1 << 63)] = None,
) -> JSONResponse:
    """List work orders, newest first, those that ended as long as they are kept; `file` is a logical name."""
    storable_words(kind, file)
    names = None if file is None else [logical_name(file) + suffix for suffix in CONTAINERS]
    async with ctx.context.database.begin() as connection:
        found = await list_orders(
            connection, state=state, kind=kind, names=names, before=cursor, limit=limit + 1
        )
    shown = [_to_json(one) for one in found[:limit]]
    more = shown[-1]["id"] if len(found) > limit else None
    return JSONResponse({"orders": shown, "cursor": more}, headers={"Cache-Control": "no-store"})


@router.get(
    "/v1/orders/events",
    dependencies=operators,
    response_class=Response,
    responses=_EVENTS | failures(*REFUSALS),
)
async def events(request: Request, ctx: Ctx, kind: Word = None) -> Response:
    """Watch all work as server-sent events: what is unfinished now, then every change that is seen.

    A client that comes again is told anew what is unfinished. States that last less than half a second may be
    skipped, ends are not.
    """
    watched = watch_all(ctx.context.database, ctx.context.signals)
    return stream(request, _events(ctx, watched, kind), first_id="0")


@router.get(
    "/v1/orders/{order_id}",
    dependencies=auditors,
    responses=answers(_ORDER) | failures(OrderNotFound, *REFUSALS),
)
async def order(
    ctx: Ctx,
    order_id: Id,
    wait: Annotated[
        float, Query(ge=0, le=MAX_WAIT_S, allow_inf_nan=False, description="Seconds to wait for the end.")
    ] = 0,
) -> JSONResponse:
    """Tell how a work order stands, after waiting for its end if asked.

    Arguments and response are for tokens that may read everything: they may tell a position, and so may errors.
    """
    found = await _find(ctx, order_id)
    if wait and found.finished is None:
        await wait_for(ctx.context.database, ctx.context.signals, [order_id], wait)
        found = await _find(ctx, order_id)
    shown = _to_json(found)
    await without_paths(ctx, [shown, shown["response"] or {}], "error")
    if not ctx.principal.may(Scope.READ):
        known, file_id = await _discretion(ctx, found)
        shown |= {"args": None, "response": None, "steps": None}
        shown |= {
            "error": known.error(shown["error"], file_id),
            "error_code": known.code(shown["error_code"], file_id),
        }
    return JSONResponse(shown, headers={"Cache-Control": "no-store"})


@router.get(
    "/v1/orders/{order_id}/events",
    dependencies=auditors,
    response_class=Response,
    responses=_EVENTS | failures(OrderNotFound, *REFUSALS),
)
async def order_events(request: Request, ctx: Ctx, order_id: Id) -> Response:
    """Watch one work order as server-sent events until it has ended; then the stream ends, too."""
    known, file_id = await _discretion(ctx, await _find(ctx, order_id))
    watched = watch_order(ctx.context.database, ctx.context.signals, order_id)

    def told(one: Standing) -> Standing:
        return dataclasses.replace(one, error=known.error(one.error, file_id))

    return stream(request, _events(ctx, watched, None, told), first_id=str(order_id))


@router.post(
    "/v1/orders/{order_id}/cancel",
    dependencies=operators,
    responses=answers({"order": 31, "state": "Failed"})
    | answers({"order": 32}, status=202)
    | failures(OrderNotFound, NotCancellable, *REFUSALS),
)
async def cancel(ctx: Ctx, order_id: Id) -> JSONResponse:
    """Take an order out of the queue before it begins; one that has begun is refused, unless it makes steps.

    Such an order ends before its next step; until then its state is Started.

    A worker does it. Should none come by in ten seconds, the answer is 202 and leads to the order that asks.
    """
    return await _asked(ctx, operations.CANCEL, order_id)


@router.post(
    "/v1/orders/{order_id}/retry",
    dependencies=operators,
    responses=answers({"order": 33})
    | answers({"order": 32}, status=202)
    | failures(OrderNotFound, NotRetryable, *REFUSALS),
)
async def retry(ctx: Ctx, order_id: Id) -> JSONResponse:
    """Queue a failed order once more, under a new number; let one that waits for its time run now.

    It goes before the orders of its file that were accepted later; once one of these has been carried out, a
    retry is refused, since the older request would undo the newer one.

    A worker does it. Should none come by in ten seconds, the answer is 202 and leads to the order that asks.
    """
    return await _asked(ctx, operations.RETRY, order_id)


async def _asked(call: Call, kind: str, order_id: int) -> JSONResponse:
    async with call.context.database.begin() as connection:
        actor, address = call.principal.name, call.address
        asking = await operations.ask_for(connection, kind, order_id, actor=actor, address=address)
    ended = (await wait_for(call.context.database, call.context.signals, [asking], PATIENCE_S)).get(asking)
    if ended is None:
        headers = {"Location": f"/v1/orders/{asking}"}
        return JSONResponse({"order": asking}, HTTPStatus.ACCEPTED, headers)
    if not ended.response.ok:
        raise (NotCancellable if kind == operations.CANCEL else NotRetryable)(ended.response.error)
    return JSONResponse(ended.response.value)


async def _find(call: Call, order_id: int) -> OrderView:
    async with call.context.database.begin() as connection:
        return await operations.find_order(connection, order_id)


async def _discretion(call: Call, found: OrderView) -> tuple[Discretion, int | None]:
    """Return what may be told of an order, and the file that it edits."""
    known = Discretion(call.principal, call.today)
    file_id = found.args.get("file_id")
    if not isinstance(file_id, int):
        return known, None
    async with call.context.database.begin() as connection:
        await known.look_at(connection, [file_id])
    return known, file_id


def _whole(one: Standing) -> Standing:
    return one


async def _events(
    call: Call,
    watched: AsyncGenerator[list[Standing], None],
    kind: str | None,
    told: Callable[[Standing], Standing] = _whole,
) -> AsyncGenerator[Iterable[Event], None]:
    async with aclosing(watched):
        async for changed in watched:
            wanted = [dataclasses.asdict(told(one)) for one in changed if kind is None or one.kind == kind]
            await without_paths(call, wanted, "error")
            yield [(str(one["id"]), str(one["state"]), one) for one in wanted]


def _to_json(one: OrderView) -> dict[str, Any]:
    found = one.response
    response = {"ok": found.ok, "error": found.error, "value": found.value} if found else None
    shown: dict[str, Any] = plain(
        {
            "id": one.id,
            "kind": one.kind,
            "state": str(one.state),
            "file": one.args.get("name") or one.args.get("filename"),
            "key": one.key,
            "priority": one.priority,
            "attempts": one.attempts,
            "max_attempts": one.max_attempts or None,
            "error": one.error,
            "error_code": one.error_code,
            "step": one.step,
            "steps": one.steps,
            "revision": one.revision,
            "actor": one.actor,
            "batch": one.batch,
            "request": str(one.request_id) if one.request_id else None,
            "item": one.item_index,
            "not_before": one.not_before,
            "added": one.added,
            "started": one.started,
            "finished": one.finished,
            "expires": one.expires,
            "args": one.args,
            "response": response,
            "worker": one.lease_owner,
            "held": one.held is not None,
        }
    )
    return shown
