"""Queues of items and statuses of machines, with the texts and shapes that workers and observatories know."""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Any, ParamSpec, TypeVar
from urllib.parse import unquote

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import State
from starlette.types import Scope as Connection

from armillary.access.models import Scope
from armillary.api.http.body import idempotency_key
from armillary.api.http.calls import Ctx
from armillary.api.http.lanes import Done, Errand, Heard, Lane
from armillary.api.http.presence import is_gone
from armillary.api.photon_ranch.parameters import LONG, Asked, Parameters
from armillary.api.photon_ranch.replies import Refused, as_json, raw
from armillary.api.photon_ranch.rights import Resource, Right, admission, reads
from armillary.base.text import storable
from armillary.errors import ArmillaryError, BadRequest, Conflict, NotFound, RequestTooLarge
from armillary.pipe import service
from armillary.pipe.models import LONGEST_NAME, MOST_SHOWN, Item, Machine, NewItem, Wanted

router = APIRouter()
P = ParamSpec("P")
T = TypeVar("T")
_ITEM = msgspec.json.Encoder()
PRODUCE, CONSUME, ADMIN = Scope.PIPE_PRODUCE, Scope.PIPE_CONSUME, Scope.PIPE_ADMIN
SHOWN = 10
"""Items of a look into a queue, if nobody says how many."""
_IN_QUEUE, _DEQUEUE = "/pipe/queue/", "/dequeue"
CLIPPED = "X-Armillary-Limit"


class _Body(msgspec.Struct):
    """The part of a body that is kept as it was written."""

    payload: msgspec.Raw = msgspec.Raw(b"{}")


def _told(handler: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T | Response]]:
    """Let the message of what a queue refuses be the whole reply, with names as they are."""

    @functools.wraps(handler)
    async def answer(*args: P.args, **kwargs: P.kwargs) -> T | Response:
        try:
            return await handler(*args, **kwargs)
        except Refused:
            raise
        except RequestTooLarge:
            raise
        except (NotFound, Conflict, BadRequest) as error:
            return raw(error.message, error.status)

    return answer


def _named(before: str, behind: str = "") -> Callable[[Request], str]:
    """Return what finds a name in the path, which may hold any character: it is cut out before it is decoded."""

    def name(request: Request) -> str:
        path: str = (request.scope.get("raw_path") or b"").decode("latin-1")
        _, found, rest = path.partition(before)
        cut = found and rest.endswith(behind)
        text = unquote(rest.removesuffix(behind)) if cut else str(request.path_params["name"])
        if not storable(text):
            raise NotFound
        return text

    return name


_queue, _dequeued, _machine = (
    _named(_IN_QUEUE),
    _named(_IN_QUEUE, _DEQUEUE),
    _named("/pipe/status/"),
)


def _on(name: Callable[[Request], str]) -> Resource:
    return lambda request, _: name(request)


def _asked_for(field: str) -> Resource:
    return lambda _, parameters: _text(parameters, field)


def _needs(scope: Scope, resource: Resource, *others: Scope) -> list[Any]:
    return [Depends(Right(scope, resource=resource, others=others))]


@router.post("/pipe/queue", dependencies=_needs(CONSUME, _asked_for("queue_name"), ADMIN))
@_told
async def create(ctx: Ctx, asked: Asked) -> Response:
    """Create a queue."""
    name = _required(asked)
    async with ctx.context.database.begin() as connection:
        await service.queues.create(connection, name)
    return as_json({"message": f"Queue created: {name}"})


@router.post("/pipe/enqueue", dependencies=_needs(PRODUCE, _asked_for("queue_name")))
@_told
async def enqueue(request: Request, asked: Asked) -> Response:
    """Put an item into a queue; answer when it is durable. A key that is repeated gives the first item."""
    exchange: service.Exchange = request.app.state.pipe
    return _item(await exchange.enqueue(_new_item(request, asked)))


@router.get("/pipe/queues", dependencies=reads())
async def list_queues(ctx: Ctx) -> Response:
    """Return how many items wait in each queue."""
    async with ctx.context.database.begin() as connection:
        return as_json(await service.queues.counts(connection))


@router.post("/pipe/queue/{name:path}/dequeue", dependencies=_needs(CONSUME, _on(_dequeued)))
@_told
async def dequeue(request: Request, asked: Asked) -> Response:
    """Take the oldest item out of a queue, for good; 404 if there is none."""
    exchange: service.Exchange = request.app.state.pipe
    name, receive = _dequeued(request), request.receive
    item = await exchange.dequeue(Wanted(name, lambda: is_gone(receive)))
    return raw(f"Queue is empty: {name}", HTTPStatus.NOT_FOUND) if item is None else _item(item)


@router.get("/pipe/queue/{name:path}", dependencies=reads(_on(_queue)))
@_told
async def peek(request: Request, ctx: Ctx, asked: Asked) -> Response:
    """Show the next items of a queue, oldest first, and leave them there."""
    limit = asked.integer("limit", default=SHOWN, least=1)
    async with ctx.context.database.begin() as connection:
        items = await service.queues.peek(connection, _queue(request), limit)
    headers = {CLIPPED: str(MOST_SHOWN)} if limit > MOST_SHOWN else None
    return Response(msgspec.json.encode(items), headers=headers, media_type="application/json")


@router.delete("/pipe/queue/{name:path}", dependencies=_needs(ADMIN, _on(_queue)))
@_told
async def delete(request: Request, ctx: Ctx) -> Response:
    """Delete a queue and all its items."""
    name = _queue(request)
    async with ctx.context.database.begin() as connection:
        await service.queues.delete(connection, name)
    return as_json({"message": f"Queue deleted: {name}"})


@router.post("/pipe/status", dependencies=_needs(CONSUME, _asked_for("pipe_id")))
@_told
async def tell_status(ctx: Ctx, asked: Asked) -> Response:
    """Record what a machine says of itself, in place of all that it said before."""
    name, status = _text(asked, "pipe_id"), asked.given("status")
    if not name or status in (None, ""):
        raise Refused("Missing required fields: pipe_id and status")
    details = asked.values.get("details", {})
    async with ctx.context.database.begin() as connection:
        said = await service.machines.tell(
            connection,
            name,
            status=service.payload_of(_json(status)).raw,
            details=service.payload_of(_json(details)).raw,
            now=ctx.context.clock.now(),
        )
    return _machine_told(said)


@router.get("/pipe/status/{name:path}", dependencies=reads(_on(_machine)))
@_told
async def status(request: Request, ctx: Ctx) -> Response:
    """Return what a machine said last."""
    async with ctx.context.database.begin() as connection:
        return _machine_told(await service.machines.find(connection, _machine(request)))


@router.get("/pipe/statuses", dependencies=reads())
async def statuses(ctx: Ctx) -> Response:
    """Return what every machine said last."""
    async with ctx.context.database.begin() as connection:
        return _machine_told(await service.machines.list_all(connection))


@router.delete("/pipe/status/{name:path}", dependencies=_needs(CONSUME, _on(_machine), ADMIN))
@_told
async def forget_status(request: Request, ctx: Ctx) -> Response:
    """Forget a machine."""
    name = _machine(request)
    async with ctx.context.database.begin() as connection:
        await service.machines.forget(connection, name)
    return as_json({"message": f"Status deleted for PIPE: {name}"})


def _route(handler: object) -> APIRoute:
    (found,) = [one for one in router.routes if isinstance(one, APIRoute) and one.endpoint is handler]
    return found


class _Sent(msgspec.Struct, forbid_unknown_fields=True):
    """A body that producers send all night; anything else is for the route to judge."""

    queue_name: str
    payload: msgspec.Raw = msgspec.Raw(b"{}")
    sender: str = ""


_SENT = msgspec.json.Decoder(_Sent)


def _new_errand(heard: Heard) -> Errand | None:
    if len(heard.body) > heard.state.context.settings.photon_ranch.max_body or LONG.search(heard.body):
        return None
    try:
        sent = _SENT.decode(heard.body)
        if not (sent.queue_name and _is_name(sent.queue_name) and _is_name(sent.sender)):
            return None
        new = _item_of(sent.queue_name, sent.sender, bytes(sent.payload), heard.state)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ArmillaryError):
        return None
    exchange: service.Exchange = heard.state.pipe
    return Errand(new.queue, lambda: _enqueued(exchange, new))


def _wanted_errand(name: str, heard: Heard) -> Errand | None:
    if heard.body:
        return None
    exchange: service.Exchange = heard.state.pipe
    receive = heard.receive
    return Errand(name, lambda: _dequeued_from(exchange, Wanted(name, lambda: is_gone(receive))))


@_told
async def _enqueued(exchange: service.Exchange, new: NewItem) -> bytes:
    return _ITEM.encode(await exchange.enqueue(new))


@_told
async def _dequeued_from(exchange: service.Exchange, wanted: Wanted) -> Done:
    item = await exchange.dequeue(wanted)
    if item is None:
        return raw(f"Queue is empty: {wanted.queue}", HTTPStatus.NOT_FOUND)
    return _ITEM.encode(item)


def lane(scope: Connection) -> Lane | None:
    """Return the lane of the two requests that producers and workers send all night."""
    path: str = scope["path"]
    if path == "/pipe/enqueue":
        return Lane(_new_errand, admission(_route(enqueue)))
    in_queue = path.removeprefix(_IN_QUEUE)
    name = in_queue.removesuffix(_DEQUEUE)
    if in_queue != path and name not in ("", in_queue):
        return Lane(partial(_wanted_errand, name), admission(_route(dequeue)))
    return None


def _required(asked: Parameters) -> str:
    name = service.name_of(asked.given("queue_name"))
    if not name:
        raise Refused("Missing required field: queue_name")
    return name


def _new_item(request: Request, asked: Parameters) -> NewItem:
    """Return the item that a request brings.

    Raises
    ------
    Refused
        If its queue is not named, or its key is no text of 1 to 200 characters.
    BadRequest
        If the payload or a name cannot be stored.
    """
    name, sender = _required(asked), _text(asked, "sender")
    key = idempotency_key(request)
    if key is None and asked.given("idempotency_key") is not None:
        key = _text(asked, "idempotency_key")
        if not 0 < len(key) <= 200:
            raise Refused("Field idempotency_key should have 1 to 200 characters.")
    return _item_of(name, sender, _payload(request, asked), request.app.state, key)


def _item_of(name: str, sender: str, payload: bytes, state: State, key: str | None = None) -> NewItem:
    most = state.context.settings.pipe.max_payload
    if len(payload) > most:
        raise RequestTooLarge(f"The payload of {len(payload)} bytes is over the limit of {most}.")
    return NewItem(name, sender or "unknown", service.payload_of(payload), key)


def _payload(request: Request, asked: Parameters) -> bytes:
    """Return the very bytes of a payload in the body, or the JSON of one in the query string."""
    if request.scope["query_string"] and (text := request.query_params.get("payload")) is not None:
        try:
            msgspec.json.decode(text)
        except msgspec.MsgspecError:
            return msgspec.json.encode(text)
        return text.encode()
    if "payload" not in asked.body:
        return b"{}"
    try:
        return bytes(msgspec.json.decode(asked.written, type=_Body).payload)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        # JSON in another encoding, or with halves of surrogate pairs.
        return _json(asked.body["payload"])


def _text(asked: Parameters, field: str) -> str:
    """Return a name as text, empty if there is none."""
    value = asked.given(field)
    if value is None:
        return ""
    if isinstance(value, dict | list) or not _is_name(str(value)):
        raise Refused(
            f"Field {field} should be a text of at most {LONGEST_NAME} characters that can be shown."
        )
    return str(value)


def _is_name(text: str) -> bool:
    return len(text) <= LONGEST_NAME and service.is_shown(text)


def _json(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode(errors="backslashreplace")


def _item(item: Item) -> Response:
    return Response(_ITEM.encode(item), media_type="application/json")


def _machine_told(told: Machine | list[Machine]) -> Response:
    return Response(_ITEM.encode(told), media_type="application/json")
