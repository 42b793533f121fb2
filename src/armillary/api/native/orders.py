"""Work orders: what waits, runs and ended; watching them; taking them back, or trying them again."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from msgspec import Meta

from armillary.api.http.answers import Answer, answered, answers, streams
from armillary.api.http.calls import Call, Ctx
from armillary.api.http.discretion import without_paths
from armillary.api.http.events import MEDIA_TYPE, Event, stream
from armillary.api.http.values import plain
from armillary.api.native.routing import (
    REFUSALS,
    WRITE_REFUSALS,
    AskedOrder,
    Word,
    auditors,
    failures,
    operators,
    storable_words,
)
from armillary.base.clock import Instant
from armillary.base.work import State, wait_for
from armillary.base.work.admin import OrderView, Standing, list_orders
from armillary.base.work.watching import watch_all, watch_order
from armillary.errors import BadRequest
from armillary.operations import service as operations
from armillary.operations.errors import NotCancellable, NotRetryable, OrderNotFound

router = APIRouter()
MAX_WAIT_S, MAX_PAGE = 60.0, 1000
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
_STANDING = (
    'id: 31\nevent: Started\ndata: {"id": 31, "kind": "update_headers", "state": "Started", "attempts": 1,'
    ' "error": null}\n\n'
)
_EVENTS = streams(MEDIA_TYPE, Standing, _STANDING)


class OrderResponse(Answer):
    """What an order brought."""

    ok: bool
    error: str
    value: Any


class ToldOrder(Answer):
    """A work order as it stands; ``args``, ``response`` and ``steps`` are null for who may not read everything."""

    id: int
    kind: str
    state: State
    file: Annotated[str | None, Meta(description="The file that it is about, if it says so.")]
    key: str | None
    priority: int
    attempts: int
    max_attempts: Annotated[int | None, Meta(description="Null if it is tried until it succeeds.")]
    error: str | None
    error_code: str | None
    step: str | None
    steps: list[dict[str, Any]] | None
    revision: int
    actor: str
    batch: str | None
    request: UUID | None
    item: int | None
    not_before: Instant
    added: Instant
    started: Instant | None
    finished: Instant | None
    expires: Instant | None
    args: dict[str, Any] | None
    response: OrderResponse | None
    worker: str | None
    held: Annotated[bool, Meta(description="Whether it waits for room.")]


class Orders(Answer):
    """A page of work orders, newest first."""

    orders: list[ToldOrder]
    cursor: Annotated[int | None, Meta(description="What leads to the older ones; null on the last page.")]


class CancelledOrder(Answer):
    """An order that was asked not to run, and its state since."""

    order: int
    state: State


@router.get(
    "/v1/orders",
    dependencies=operators,
    responses=answers(Orders, {"orders": [_ORDER], "cursor": None}) | failures(BadRequest, *REFUSALS),
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
    names = None if file is None else operations.names_of(file)
    async with ctx.context.database.begin() as connection:
        found = await list_orders(
            connection, state=state, kind=kind, names=names, before=cursor, limit=limit + 1
        )
    shown = [_told(one) for one in found[:limit]]
    more = shown[-1].id if len(found) > limit else None
    return answered(Orders(orders=shown, cursor=more), headers={"Cache-Control": "no-store"})


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
    responses=answers(ToldOrder, _ORDER) | failures(OrderNotFound, *REFUSALS),
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
    if wait and found.view.finished is None:
        await wait_for(ctx.context.database, ctx.context.signals, [order_id], wait)
        found = await _find(ctx, order_id)
    shown = plain(_told(found.view)) | {"error": found.error, "error_code": found.error_code}
    if not found.whole:
        shown |= {"args": None, "response": None, "steps": None}
    await without_paths(ctx, [shown, shown["response"] or {}], "error")
    return answered(shown, headers={"Cache-Control": "no-store"})


@router.get(
    "/v1/orders/{order_id}/events",
    dependencies=auditors,
    response_class=Response,
    responses=_EVENTS | failures(OrderNotFound, *REFUSALS),
)
async def order_events(request: Request, ctx: Ctx, order_id: Id) -> Response:
    """Watch one work order as server-sent events until it has ended; then the stream ends, too."""
    async with ctx.context.database.begin() as connection:
        found = await operations.known_order(connection, order_id, ctx.principal, ctx.today)
        known, file_id = await operations.discretion_of(connection, found.view, ctx.principal, ctx.today)
    watched = watch_order(ctx.context.database, ctx.context.signals, order_id)

    def told(one: Standing) -> Standing:
        return dataclasses.replace(one, error=known.error(one.error, file_id))

    return stream(request, _events(ctx, watched, None, told), first_id=str(order_id))


@router.post(
    "/v1/orders/{order_id}/cancel",
    dependencies=operators,
    responses=answers(CancelledOrder, {"order": 31, "state": "Failed"})
    | answers(AskedOrder, {"order": 32}, status=202)
    | failures(OrderNotFound, NotCancellable, *WRITE_REFUSALS),
)
async def cancel(ctx: Ctx, order_id: Id) -> JSONResponse:
    """Take an order out of the queue before it begins; one that has begun is refused, unless it makes steps.

    Such an order ends before its next step; until then its state is Started.

    A worker does it. If none has done so within ten seconds, the reply is 202 with the Location of the request.
    """
    return await _asked(ctx, operations.CANCEL, order_id)


@router.post(
    "/v1/orders/{order_id}/retry",
    dependencies=operators,
    responses=answers(AskedOrder, {"order": 33})
    | answers(AskedOrder, {"order": 32}, status=202)
    | failures(OrderNotFound, NotRetryable, *WRITE_REFUSALS),
)
async def retry(ctx: Ctx, order_id: Id) -> JSONResponse:
    """Queue a failed order once more, under a new number; let one that waits for its time run now.

    It goes before the orders of its file that were accepted later; once one of these has been carried out, a
    retry is refused, since the older request would undo the newer one.

    A worker does it. If none has done so within ten seconds, the reply is 202 with the Location of the request.
    """
    return await _asked(ctx, operations.RETRY, order_id)


async def _asked(call: Call, kind: str, order_id: int) -> JSONResponse:
    actor, address = call.principal.name, call.address
    asking, brought = await operations.carry_out(call.context, kind, order_id, actor=actor, address=address)
    if brought is None:
        headers = {"Location": f"/v1/orders/{asking}"}
        return answered(AskedOrder(order=asking), HTTPStatus.ACCEPTED, headers)
    return answered(brought)


async def _find(call: Call, order_id: int) -> operations.KnownOrder:
    async with call.context.database.begin() as connection:
        return await operations.known_order(connection, order_id, call.principal, call.today)


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


def _told(one: OrderView) -> ToldOrder:
    found = one.response
    return ToldOrder(
        id=one.id,
        kind=one.kind,
        state=one.state,
        file=operations.file_of(one.args),
        key=one.key,
        priority=one.priority,
        attempts=one.attempts,
        max_attempts=one.max_attempts or None,
        error=one.error,
        error_code=one.error_code,
        step=one.step,
        steps=plain(one.steps),
        revision=one.revision,
        actor=one.actor,
        batch=one.batch,
        request=one.request_id,
        item=one.item_index,
        not_before=one.not_before,
        added=one.added,
        started=one.started,
        finished=one.finished,
        expires=one.expires,
        args=dict(one.args),
        response=OrderResponse(ok=found.ok, error=found.error, value=found.value) if found else None,
        worker=one.lease_owner,
        held=one.held is not None,
    )
