"""Announcements of headers: pages and streams of them, and consumers that take each once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Query, WebSocket
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.websockets import WebSocketDisconnect

from armillary.access.models import Scope
from armillary.api.http.answers import Answer, answered, answers
from armillary.api.http.body import documented, parsed
from armillary.api.http.calls import Ctx
from armillary.api.http.policy import Policy
from armillary.api.native.exposed import HASH, OBJECT, operators, readers
from armillary.api.native.routing import REFUSALS, WRITE_REFUSALS, Word, failures, storable_words
from armillary.archive.query.service import as_utc
from armillary.base.feed.errors import BadFeedCursor, FeedCursorGone
from armillary.base.feed.models import Cursor
from armillary.context import Context
from armillary.errors import ArmillaryError, BadRequest
from armillary.headers import service
from armillary.headers.delivery.models import Consumer, Page, Taken
from armillary.headers.errors import BadConsumerStart, UnknownHeaderConsumer

router = APIRouter()
MAX_WAIT_S, SEND_S, MAX_MESSAGE = 60.0, 30.0, 1_000_000
AGAIN_FIRST_S, AGAIN_LAST_S = 5.0, 60.0
"""After which time a consumer on a WebSocket is told again what it has not taken; it doubles."""
Name = Annotated[
    str,
    Path(
        min_length=1,
        max_length=100,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Name of a consumer.",
    ),
]
_CURSOR = "MC4xMi4zNA"
_CONSUMER = {
    "name": "pixels",
    "instruments": ["spec1"],
    "cursor": _CURSOR,
    "registered": "2026-01-01T05:00:00Z",
    "seen": "2026-01-01T05:00:00Z",
    "pending": 0,
}
_CREATED = {
    "type": "HeaderCreated",
    "instrument": "spec1",
    "image_id": "AT_O_20240624_000169",
    "day_obs": "20240624",
    "seq_num": 169,
    "product": "raw",
    "revision": 1,
    "supersedes": None,
    "content_hash": HASH,
    "complete": True,
    "science_complete": False,
    "simulated": False,
    "missing": [{"key": "AMEND", "reason": "stale"}],
    "objects": [OBJECT],
    "config_rev": "9f86d081",
    "template_rev": "60303ae2",
    "created": "2024-06-25T01:02:03.456Z",
    "cursor": _CURSOR,
}


class NewConsumer(BaseModel):
    """What a consumer wants, and where it begins if it is new: `earliest`, `latest` or an instant."""

    model_config = ConfigDict(extra="forbid")

    instruments: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=1000)] | None = None
    start: Annotated[str, Field(max_length=100)] = "earliest"


class TakenItem(BaseModel):
    """A revision that was dealt with."""

    model_config = ConfigDict(extra="forbid")

    image_id: Annotated[str, Field(max_length=200)]
    product: Annotated[str, Field(max_length=100)] = "raw"
    revision: Annotated[int, Field(ge=0, le=(1 << 31) - 1)]
    instrument: Annotated[str, Field(max_length=100)] | None = None


class Acknowledgement(BaseModel):
    """Everything up to a cursor was dealt with, or these revisions were."""

    model_config = ConfigDict(extra="forbid")

    cursor: Annotated[str, Field(max_length=200)] | None = None
    items: Annotated[list[TakenItem], Field(max_length=10_000)] | None = None


class Consumers(Answer):
    """All consumers, each with the number of announcements that it has not taken."""

    consumers: list[Consumer]


class Removed(Answer):
    """The consumer that is no more."""

    removed: str


class _Wanted:
    """What a request wants to be told."""

    def __init__(
        self,
        context: Context,
        *,
        consumer: str | None,
        since: str | None,
        instrument: str | None,
        night: str | None,
        complete: bool | None,
        collapse: bool,
        limit: int,
    ) -> None:
        self.consumer, self.since = consumer, since
        self._context, self._collapse, self._limit = context, collapse, limit
        self._filter: dict[str, Any] = {"instrument": instrument, "night": night, "complete": complete}

    async def read(self) -> Page:
        """Return what is told now: what a consumer has not taken, or what is behind a cursor."""
        async with self._context.database.begin() as connection:
            if self.consumer is not None:
                return await service.pending(
                    connection, self.consumer, limit=self._limit, collapse=self._collapse
                )
            return await service.page(
                connection, self.since, limit=self._limit, collapse=self._collapse, **self._filter
            )


async def wanted_of(
    ctx: Ctx,
    consumer: Word = None,
    since: Annotated[
        str | None, Query(max_length=200, description="A cursor, or `now`; otherwise from the oldest.")
    ] = None,
    instrument: Word = None,
    night: Annotated[str | None, Query(max_length=20, description="Day of observation, YYYYMMDD.")] = None,
    complete: bool | None = None,
    collapse: Annotated[
        str | None, Query(max_length=20, description="`latest`: each image once, as its latest revision.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> _Wanted:
    """Read what is to be told from a query.

    Raises
    ------
    BadRequest
        If it cannot be.
    """
    storable_words(consumer, since, instrument, night, collapse)
    off = (None, "", "none", "false", "0")
    if collapse not in (*off, "latest", "true", "1"):
        raise BadRequest("`collapse` is `latest`, or left out.")
    if consumer is not None and (since, instrument, night, complete) != (None, None, None, None):
        raise BadRequest(
            "A consumer knows where it stands and what it wants: use `consumer` without the others."
        )
    return _Wanted(
        ctx.context,
        consumer=consumer,
        since=since,
        instrument=instrument,
        night=night.replace("-", "") if night else None,
        complete=complete,
        collapse=collapse not in off,
        limit=limit,
    )


Wanted = Annotated[_Wanted, Depends(wanted_of)]


@router.get(
    "/v1/headers",
    dependencies=readers,
    responses=answers(Page, {"headers": [_CREATED], "cursor": _CURSOR})
    | failures(BadRequest, BadFeedCursor, FeedCursorGone, UnknownHeaderConsumer, *REFUSALS),
)
async def announcements(
    ctx: Ctx,
    wanted: Wanted,
    wait: Annotated[
        float, Query(ge=0, le=MAX_WAIT_S, allow_inf_nan=False, description="Seconds to wait for one.")
    ] = 0,
) -> JSONResponse:
    """Tell which headers are there, in order: behind a cursor, or those that a consumer has not taken.

    Each is named by image, product and revision, and may come again. The `cursor` of the answer leads on by
    `since`, and tells by `POST /v1/consumers/{name}/ack` that a consumer has taken everything up to there.
    """
    found = await service.wait_for(ctx.context, wanted.read, wait) if wait else await wanted.read()
    return answered(found, headers={"Cache-Control": "no-store"})


@router.get(
    "/v1/consumers",
    dependencies=readers,
    responses=answers(Consumers, {"consumers": [_CONSUMER]}) | failures(*REFUSALS),
)
async def consumers(ctx: Ctx) -> JSONResponse:
    """List the consumers of headers."""
    async with ctx.context.database.begin() as connection:
        return answered(Consumers(consumers=await service.consumers(connection)))


@router.put(
    "/v1/consumers/{name}",
    dependencies=operators,
    responses=answers(Consumer, _CONSUMER) | failures(BadConsumerStart, BadRequest, *WRITE_REFUSALS),
    openapi_extra=documented(NewConsumer),
)
async def register(
    ctx: Ctx, name: Name, wanted: Annotated[NewConsumer, Depends(parsed(NewConsumer))]
) -> JSONResponse:
    """Register a consumer, for which announcements are kept until it has taken them.

    One that is registered stays where it is; what it wants may change.
    """
    storable_words(*(wanted.instruments or ()))
    async with ctx.context.database.begin() as connection:
        found = await service.register(connection, name, wanted.instruments, _start(wanted.start))
    return answered(found)


def _start(word: str) -> str | datetime:
    if word in ("earliest", "latest"):
        return word
    try:
        found = as_utc(datetime.fromisoformat(word))
    except (ValueError, OverflowError):
        raise BadConsumerStart from None
    if found is None:
        raise BadConsumerStart
    return found


@router.delete(
    "/v1/consumers/{name}",
    dependencies=operators,
    responses=answers(Removed, {"removed": "pixels"}) | failures(UnknownHeaderConsumer, *WRITE_REFUSALS),
)
async def remove(ctx: Ctx, name: Name) -> JSONResponse:
    """Forget a consumer."""
    async with ctx.context.database.begin() as connection:
        await service.remove(connection, name)
    return answered(Removed(removed=name))


@router.post(
    "/v1/consumers/{name}/ack",
    dependencies=operators,
    responses=answers(Consumer, _CONSUMER)
    | failures(BadRequest, BadFeedCursor, FeedCursorGone, UnknownHeaderConsumer, *WRITE_REFUSALS),
    openapi_extra=documented(Acknowledgement),
)
async def acknowledge(
    ctx: Ctx, name: Name, given: Annotated[Acknowledgement, Depends(parsed(Acknowledgement))]
) -> JSONResponse:
    """Say that a consumer has dealt with everything up to a cursor, or with single revisions in any order."""
    return answered(await _take(ctx.context, name, given))


async def _take(context: Context, name: str, given: Acknowledgement) -> Consumer:
    if (given.cursor is None) == (given.items is None):
        raise BadRequest("An acknowledgement has either a `cursor` or `items`.")
    items = [Taken(one.image_id, one.product, one.revision, one.instrument) for one in given.items or ()]
    storable_words(*(word for one in items for word in (one.image_id, one.product, one.instrument)))
    async with context.database.begin() as connection:
        if given.cursor is not None:
            return await service.take_up_to(connection, name, Cursor.parse(given.cursor))
        return await service.take(connection, name, items)


@router.websocket("/v1/headers", dependencies=[Depends(Policy(Scope.READ, others=(Scope.OPERATOR,)))])
async def socket(connection: WebSocket, wanted: Wanted) -> None:
    """Tell of headers, one JSON object per message.

    A consumer acknowledges by `{"ack": {"cursor": ...}}` or `{"ack": {"items": [...]}}`; what it does not take it
    is told again after a pause that doubles.
    """
    context: Context = connection.app.state.context
    await connection.accept()
    try:
        await wanted.read()
    except ArmillaryError as error:
        await connection.send_text(json.dumps({"error": error.code, "message": error.message}))
        await connection.close(code=1008)
        return
    telling = asyncio.create_task(_tell(connection, context, wanted))
    listening = asyncio.create_task(_listen(connection, context, wanted))
    try:
        await asyncio.wait({telling, listening}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (telling, listening):
            task.cancel()
        await asyncio.gather(telling, listening, return_exceptions=True)
    with suppress(RuntimeError, WebSocketDisconnect):
        await connection.close()


async def _listen(connection: WebSocket, context: Context, wanted: _Wanted) -> None:
    with suppress(WebSocketDisconnect):
        while (message := await connection.receive())["type"] != "websocket.disconnect":
            text = message.get("text")
            if text is None:
                text = (message.get("bytes") or b"").decode("utf-8", "replace")
            if (refusal := await _acknowledged(context, connection, wanted, text)) is not None:
                await connection.send_text(json.dumps(refusal))


async def _acknowledged(
    context: Context, connection: WebSocket, wanted: _Wanted, message: str
) -> dict[str, str] | None:
    """Take what a consumer acknowledges; return what it is told if that is not possible."""
    if wanted.consumer is None or len(message) > MAX_MESSAGE:
        return {"error": "bad_request", "message": "Only consumers acknowledge, by at most a megabyte."}
    if not connection.state.principal.may(Scope.OPERATOR):
        return {"error": "scope_missing", "message": "Acknowledging takes the scope 'operator'."}
    try:
        given = Acknowledgement.model_validate(json.loads(message)["ack"])
        await _take(context, wanted.consumer, given)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        return {"error": "bad_request", "message": str(error)[:500]}
    except ArmillaryError as error:
        return {"error": error.code, "message": error.message}
    return None


async def _tell(connection: WebSocket, context: Context, wanted: _Wanted) -> None:
    with suppress(WebSocketDisconnect, TimeoutError):
        async with aclosing(_pages(context, wanted)) as pages:
            async for page in pages:
                if getattr(connection.app.state, "closing", False):
                    return
                for one in page.headers:
                    text = msgspec.json.encode(one).decode()
                    await asyncio.wait_for(connection.send_text(text), SEND_S)


async def _pages(context: Context, wanted: _Wanted) -> AsyncGenerator[Page, None]:
    """Yield what is new; of what a consumer has not taken, what it was not told for a while."""
    told: dict[str, tuple[float, float]] = {}

    async def read() -> Page:
        page = await wanted.read()
        if wanted.consumer is None:
            return page
        now = time.monotonic()
        due = [one for one in page.headers if told.get(_mark(one), (0.0, 0.0))[0] <= now]
        return Page(due, page.cursor)

    async with aclosing(service.following(context, read)) as pages:
        async for page in pages:
            now = time.monotonic()
            for one in page.headers:
                _, pause = told.get(_mark(one), (0.0, AGAIN_FIRST_S / 2))
                pause = min(2 * pause, AGAIN_LAST_S)
                if wanted.consumer is not None:
                    told[_mark(one)] = (now + pause, pause)
            if wanted.consumer is None:
                wanted.since = page.cursor
            elif not page.headers:
                told = {mark: times for mark, times in told.items() if times[0] + AGAIN_LAST_S > now}
            yield page


def _mark(one: Any) -> str:
    return f"{one.cursor} {getattr(one, 'revision', 0)}"
