"""Queues for workers that may die: leased claims, dead letters, options; and how long machines are silent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import HTTPConnection

from armillary.access.models import Principal, Scope
from armillary.api.http.answers import JSON, answers
from armillary.api.http.body import documented, parsed
from armillary.api.http.calls import Ctx
from armillary.api.http.policy import Policy
from armillary.api.http.presence import is_gone
from armillary.api.native.routing import REFUSALS, WRITE_REFUSALS, failures, storable_words
from armillary.context import Context
from armillary.errors import BadRequest, RequestTooLarge
from armillary.pipe import service
from armillary.pipe.documents import (
    Acknowledged,
    Claims,
    DeadLetters,
    Discarded,
    Extended,
    GivenBack,
    Machines,
    Queues,
    Requeued,
)
from armillary.pipe.errors import BadOption, ClaimLost, UnknownDeadLetter, UnknownQueue
from armillary.pipe.models import LONGEST_LEASE_S, LONGEST_WAIT_S, MOST_CLAIMED, MOST_SHOWN, QueueState

router = APIRouter()
PRODUCE, CONSUME, ADMIN = Scope.PIPE_PRODUCE, Scope.PIPE_CONSUME, Scope.PIPE_ADMIN
_LOOKERS = (PRODUCE, CONSUME, ADMIN)
_Lease = Annotated[float, Field(ge=1, le=LONGEST_LEASE_S)]


@dataclass(frozen=True, slots=True)
class OfClaim(Policy):
    """The policy of a route about a claim: the permission is for the queue of its item."""

    async def __call__(self, connection: HTTPConnection) -> Principal:
        """Return who asks, or refuse."""
        context: Context = connection.app.state.context
        async with context.database.begin() as asked:
            queue = await service.claims.queue_of(asked, connection.path_params["claim"])
        return self.judge(await self.learn(connection, queue), queue)


lookers = [Depends(Policy(Scope.READ, others=_LOOKERS))]
lookers_into = [Depends(Policy(Scope.READ, others=_LOOKERS, on="queue"))]
consumers = [Depends(Policy(CONSUME, on="queue"))]
holders = [Depends(OfClaim(CONSUME))]
readers_of_dead = [Depends(Policy(CONSUME, others=(ADMIN,), on="queue"))]
keepers = [Depends(Policy(ADMIN, on="queue"))]

_ITEM = {
    "id": "1769947200000_5f3a91c2",
    "queue_name": "sq001",
    "payload": {"request": "reduce", "request_content": ["sq001-qs60007-20260201-00000017-EX00.fits.fz"]},
    "created_at": 1769947200000,
    "sender": "sq001",
}
_CLAIM_ID = "17-0b8e5a3c6b0f4f0d9d6c1a2b3c4d5e6f"
_STATE = {
    "queue_name": "sq001",
    "waiting": 3,
    "leased": 1,
    "dead": 0,
    "delayed": 0,
    "oldest_age_s": 12.5,
    "dedupe_window_s": 0.0,
    "max_attempts": 5,
    "priorities": [{"priority": 5, "request": "focus"}],
}
_UNTIL = "2026-02-01T12:05:00Z"
_READ_FAILURES = failures(UnknownQueue, *REFUSALS)
_WRITE = (RequestTooLarge, *WRITE_REFUSALS)


class NewClaim(BaseModel):
    """Who wants to work on how many items, for how long, and how long it would wait for the first."""

    model_config = ConfigDict(extra="forbid")

    worker: Annotated[str, Field(max_length=200)] = ""
    max: Annotated[int, Field(ge=1, le=MOST_CLAIMED)] = 1
    lease_s: _Lease = 300.0
    wait_s: Annotated[float, Field(ge=0, le=LONGEST_WAIT_S)] = 0.0


class NoSuccess(BaseModel):
    """Why an item is given back, and when it may be tried again; ``dead`` if nobody needs to."""

    model_config = ConfigDict(extra="forbid")

    delay_s: Annotated[float, Field(ge=0, le=LONGEST_LEASE_S)] = 0.0
    reason: Annotated[str | None, Field(max_length=2000)] = None
    dead: bool = False


class LongerLease(BaseModel):
    """How many seconds from now a lease shall last."""

    model_config = ConfigDict(extra="forbid")

    lease_s: _Lease = 300.0


class NewOptions(BaseModel):
    """Options of a queue to be changed; those that are left out stay."""

    model_config = ConfigDict(extra="forbid")

    dedupe_window_s: float | None = None
    max_attempts: int | None = None
    priorities: list[dict[str, Any]] | None = None


def _sent(document: Any) -> Response:
    # Payloads are the bytes that were sent, which another encoder would write anew.
    return Response(msgspec.json.encode(document), media_type=JSON)


@router.get(
    "/v1/pipe/queues",
    dependencies=lookers,
    responses=answers(Queues, {"queues": [_STATE]}) | failures(*REFUSALS),
)
async def list_queues(ctx: Ctx) -> Response:
    """List the queues with what they hold and their options."""
    async with ctx.context.database.begin() as connection:
        return _sent(Queues(queues=await service.queues.states(connection)))


@router.get(
    "/v1/pipe/machines",
    dependencies=lookers,
    responses=answers(
        Machines,
        {
            "machines": [
                {
                    "pipe_id": "pipe1",
                    "status": "idle",
                    "last_updated": 1769947200000,
                    "details": {"disk": 0.5},
                    "last_seen_age_s": 3.5,
                }
            ]
        },
    )
    | failures(*REFUSALS),
)
async def list_machines(ctx: Ctx) -> Response:
    """List the machines that work on queues, what they said last, and how long ago."""
    async with ctx.context.database.begin() as connection:
        found = await service.machines.list_all(connection)
    now = ctx.context.clock.now()
    return _sent(Machines(machines=[service.machines.seen(one, now) for one in found]))


@router.post(
    "/v1/pipe/queues/{queue:path}/claims",
    dependencies=consumers,
    openapi_extra=documented(NewClaim),
    responses=answers(
        Claims,
        {"claims": [{"claim_id": _CLAIM_ID, "item": _ITEM, "attempt": 1, "lease_expires_at": _UNTIL}]},
    )
    | failures(BadRequest, UnknownQueue, *_WRITE),
)
async def claim(
    request: Request, ctx: Ctx, queue: str, body: Annotated[NewClaim, Depends(parsed(NewClaim))]
) -> Response:
    """Lease the oldest items to a worker; wait for the first, if there is none. The answer may be empty."""
    storable_words(body.worker, queue)
    receive = request.receive
    found = await service.claims.claim(
        ctx.context,
        queue,
        worker=body.worker,
        count=body.max,
        lease_s=body.lease_s,
        wait_s=body.wait_s,
        is_gone=lambda: is_gone(receive),
    )
    return _sent(Claims(claims=found))


@router.post(
    "/v1/pipe/claims/{claim}/ack",
    dependencies=holders,
    responses=answers(Acknowledged, {"claim_id": _CLAIM_ID}) | failures(ClaimLost, *_WRITE),
)
async def acknowledge(ctx: Ctx, claim: str) -> Response:
    """Remove an item that is done; to repeat that changes nothing."""
    async with ctx.context.database.begin() as connection:
        await service.claims.acknowledge(connection, claim)
    return _sent(Acknowledged(claim_id=claim))


@router.post(
    "/v1/pipe/claims/{claim}/nack",
    dependencies=holders,
    openapi_extra=documented(NoSuccess),
    responses=answers(GivenBack, {"claim_id": _CLAIM_ID, "dead": False})
    | failures(BadRequest, ClaimLost, *_WRITE),
)
async def give_back(ctx: Ctx, claim: str, body: Annotated[NoSuccess, Depends(parsed(NoSuccess))]) -> Response:
    """Give an item back to its old place, after a delay; it is a dead letter after the last attempt."""
    storable_words(body.reason)
    async with ctx.context.database.begin() as connection:
        dead = await service.claims.give_back(
            connection, claim, delay_s=body.delay_s, reason=body.reason, dead=body.dead
        )
    return _sent(GivenBack(claim_id=claim, dead=dead))


@router.post(
    "/v1/pipe/claims/{claim}/extend",
    dependencies=holders,
    openapi_extra=documented(LongerLease),
    responses=answers(Extended, {"claim_id": _CLAIM_ID, "lease_expires_at": _UNTIL})
    | failures(BadRequest, ClaimLost, *_WRITE),
)
async def extend(
    ctx: Ctx, claim: str, body: Annotated[LongerLease, Depends(parsed(LongerLease))]
) -> Response:
    """Let a lease last for so many seconds from now."""
    async with ctx.context.database.begin() as connection:
        until = await service.claims.extend(connection, claim, body.lease_s)
    return _sent(Extended(claim_id=claim, lease_expires_at=until))


@router.get(
    "/v1/pipe/queues/{queue:path}/dead",
    dependencies=readers_of_dead,
    responses=answers(
        DeadLetters,
        {
            "dead": [
                {"item": _ITEM, "attempts": 5, "worker": "w1", "reason": "no flat", "died_at": _UNTIL},
            ],
            "next": None,
        },
    )
    | _READ_FAILURES,
)
async def list_dead(
    ctx: Ctx,
    queue: str,
    after: Annotated[int, Query(ge=0, lt=1 << 63)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_SHOWN)] = 100,
) -> Response:
    """List the dead letters of a queue; ``next`` is the ``after`` of the next page."""
    storable_words(queue)
    async with ctx.context.database.begin() as connection:
        return _sent(await service.queues.dead_letters(connection, queue, after=after, limit=limit))


@router.post(
    "/v1/pipe/queues/{queue:path}/dead/{item}/requeue",
    dependencies=keepers,
    responses=answers(Requeued, {"requeued": 1}) | failures(UnknownQueue, UnknownDeadLetter, *_WRITE),
)
async def requeue(ctx: Ctx, queue: str, item: str) -> Response:
    """Put a dead letter back to its old place, with all its attempts."""
    storable_words(queue, item)
    async with ctx.context.database.begin() as connection:
        return _sent(Requeued(requeued=await service.queues.requeue(connection, queue, item)))


@router.delete(
    "/v1/pipe/queues/{queue:path}/dead/{item}",
    dependencies=keepers,
    responses=answers(Discarded, {"id": _ITEM["id"]}) | failures(UnknownQueue, UnknownDeadLetter, *_WRITE),
)
async def discard(ctx: Ctx, queue: str, item: str) -> Response:
    """Delete a dead letter."""
    storable_words(queue, item)
    async with ctx.context.database.begin() as connection:
        await service.queues.discard(connection, queue, item)
    return _sent(Discarded(id=item))


@router.get(
    "/v1/pipe/queues/{queue:path}",
    dependencies=lookers_into,
    responses=answers(QueueState, _STATE) | _READ_FAILURES,
)
async def state(ctx: Ctx, queue: str) -> Response:
    """Show what a queue holds, the age of the oldest item that waits, and its options."""
    storable_words(queue)
    async with ctx.context.database.begin() as connection:
        return _sent(await service.queues.state(connection, queue))


@router.patch(
    "/v1/pipe/queues/{queue:path}",
    dependencies=keepers,
    openapi_extra=documented(NewOptions),
    responses=answers(QueueState, _STATE) | failures(BadOption, UnknownQueue, *_WRITE),
)
async def set_options(
    ctx: Ctx, queue: str, body: Annotated[NewOptions, Depends(parsed(NewOptions))]
) -> Response:
    """Change options of a queue: the window of repetitions, the number of attempts, priorities of later items."""
    storable_words(queue)
    given = {name: value for name, value in body.model_dump().items() if value is not None}
    async with ctx.context.database.begin() as connection:
        return _sent(await service.queues.set_options(connection, queue, given))
