"""The log of telemetry samples: publishing to it, asking it about instants and intervals, following it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from msgspec import Meta

from armillary.access.models import Scope
from armillary.api.http.answers import JSON, Answer, answers
from armillary.api.http.body import read_body
from armillary.api.http.calls import Ctx
from armillary.api.http.policy import Policy
from armillary.api.native.routing import REFUSALS, WRITE_REFUSALS, failures, storable_words
from armillary.base.bus.errors import BadSamples, BusUnavailable, TooManySamples
from armillary.base.bus.models import Published, Range, Reject, Sample, Stored
from armillary.base.bus.payloads import shown
from armillary.base.bus.reading import ARRAY, LINES, Read, read_samples
from armillary.base.bus.spooling import SpooledBus
from armillary.errors import BadRequest, NotFound, RequestTooLarge

router = APIRouter()
publishers = [Depends(Policy(Scope.OPERATOR))]
readers = [Depends(Policy(Scope.READ, others=(Scope.OPERATOR,)))]
MOST_RANGE = 10_000
SMALL = 1 << 16
"""Bytes of a body that is read at once; a thread reads larger ones, so that others need not wait."""
Name = Annotated[str, Query(min_length=1, max_length=200)]
Instant = Annotated[
    int, Query(ge=-(1 << 63), lt=1 << 63, description="TAI nanoseconds since 1970-01-01T00:00:00 TAI.")
]


class SampleNotFound(NotFound):
    """No sample of this topic was valid at that time."""

    code = "sample_not_found"


class StoredSample(Answer):
    """A sample of the log; instants are TAI nanoseconds, numbers that are not finite stand as texts."""

    source: str
    topic: str
    epoch: str
    seq: int
    payload: dict[str, Any]
    kind: Literal["event", "telemetry"]
    t_event: Annotated[int, Meta(description="When it was valid at its source.")]
    t_received: int
    expires: int | None
    offset: Annotated[int, Meta(description="Its place in the log.")]
    assumed: Annotated[bool, Meta(description="Nobody said when it was valid: that is when it arrived.")]
    skewed: Annotated[bool, Meta(description="Its time is far from its arrival.")]


class RejectedSample(Answer):
    """A sample that was not stored, by its place in the request."""

    index: int
    reason: str


class PublishedSamples(Answer):
    """What became of samples: offsets of new ones in order, places of those that were there, refused ones.

    Samples that are ``spooled`` wait on disk until the database is back; they have no offsets yet.
    """

    offsets: list[int]
    duplicates: list[int]
    rejects: list[RejectedSample]
    spooled: int


_SAMPLE = {
    "source": "weather:301",
    "topic": "weather",
    "epoch": "2026-01-01T12:00:00-boot",
    "seq": 8812,
    "payload": {"temperature": [8.25, 8.5], "pressure": 74310.0, "humidity": "NaN"},
    "kind": "telemetry",
    "t_event": 1767312037000000000,
    "t_received": 1767312037012345000,
    "expires": None,
    "offset": 98893824,
    "assumed": False,
    "skewed": False,
}
_PUBLISHED: dict[str, Any] = {"offsets": [98893824], "duplicates": [1], "rejects": [], "spooled": 0}
_SCHEMA = msgspec.json.schema(Sample)["$defs"]["Sample"]
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            ARRAY: {"schema": {"type": "array", "items": _SCHEMA}},
            LINES: {"schema": {"type": "string"}},
        },
    }
}


@router.post(
    "/v1/samples",
    dependencies=publishers,
    openapi_extra=_BODY,
    responses=answers(PublishedSamples, _PUBLISHED)
    | answers(PublishedSamples, {"offsets": [], "duplicates": [], "rejects": [], "spooled": 2}, status=202)
    | failures(BadSamples, TooManySamples, RequestTooLarge, BusUnavailable, *WRITE_REFUSALS),
)
async def publish(request: Request, ctx: Ctx) -> Response:
    """Store samples of telemetry, sent as a JSON array or one object per line.

    They are durable, and answers know them, when this returns. To send a sample again changes nothing. The
    literals NaN, Infinity and -Infinity are numbers. The status is 202 if samples wait on disk for the database.
    """
    body = await read_body(request, ctx.context.settings.bus.max_body)
    read = read_samples(body) if len(body) < SMALL else await asyncio.to_thread(read_samples, body)
    published = await stored(request.app.state.bus, read)
    return Response(msgspec.json.encode(published), 202 if published.spooled else 200, media_type=JSON)


async def stored(bus: SpooledBus, read: Read) -> Published:
    """Store samples that were read, and tell what became of each by its place in what was sent."""
    samples, places, unread = read
    found = await bus.publish(samples)
    refused = [Reject(places[one.index], one.reason) for one in found.rejects]
    return Published(
        found.offsets,
        [places[at] for at in found.duplicates],
        sorted([*unread, *refused], key=lambda one: one.index),
        found.spooled,
    )


@router.get(
    "/v1/bus/asof",
    dependencies=readers,
    responses=answers(StoredSample, _SAMPLE) | failures(SampleNotFound, BadRequest, *REFUSALS),
)
async def asof(
    ctx: Ctx,
    source: Name,
    topic: Name,
    t: Annotated[Instant | None, Query(description="By default now.")] = None,
    field: Annotated[
        str | None, Query(max_length=200, description="Only samples whose payload has `value` in this field.")
    ] = None,
    value: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:
    """Tell which sample of a topic was in force at an instant: the latest one that was valid by then."""
    storable_words(source, topic, field, value)
    if (field is None) != (value is None):
        raise BadRequest("`field` and `value` belong together; give both or none.")
    match = None if field is None or value is None else (field, value)
    bus = ctx.context.bus
    found = await bus.asof(source, topic, bus.now() if t is None else t, match=match)
    if found is None:
        raise SampleNotFound
    return Response(msgspec.json.encode(told(found)), media_type=JSON)


@router.get(
    "/v1/bus/range",
    dependencies=readers,
    responses=answers(list[StoredSample], [_SAMPLE]) | failures(*REFUSALS),
)
async def range_of(
    ctx: Ctx,
    source: Name,
    topic: Name,
    t0: Instant,
    t1: Annotated[Instant | None, Query(description="By default now.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_RANGE, description="Most samples from t0 on.")] = MOST_RANGE,
) -> Response:
    """List the samples of a topic from t0 to t1, both included, behind the one that was in force at t0."""
    storable_words(source, topic)
    bus = ctx.context.bus
    (found,) = await bus.answer([Range(source, topic, t0, bus.now() if t1 is None else t1, limit)])
    return Response(msgspec.json.encode(list(map(told, found))), media_type=JSON)


def told(sample: Stored) -> Mapping[str, Any]:
    """Return a sample as answers show it."""
    found: dict[str, Any] = msgspec.structs.asdict(sample)
    return found | {"payload": shown(sample.payload)}
