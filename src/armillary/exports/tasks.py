"""The work orders of exports: plan what goes where, and one kind per destination that brings files there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from armillary.archive.query.models import Selection
from armillary.archive.query.service import terms_of_json
from armillary.base.log import get_logger
from armillary.base.work import Claim, Kind, Response, Retry, Worker
from armillary.base.work.retry import is_final
from armillary.context import Context
from armillary.destinations import service as peers
from armillary.errors import ArmillaryError
from armillary.exports import service, store
from armillary.exports.errors import DestinationAway, ExportFailed, TooEarly
from armillary.exports.models import Cargo, Sent, as_json, kind_of
from armillary.exports.sending import send
from armillary.settings import DestinationSettings, ExportSettings

log = get_logger(__name__)


async def plan_exports(context: Context, claims: Sequence[Claim]) -> None:
    """Queue what was recorded for the destinations that want it."""
    for claim in claims:
        files: Any = claim.order.args["files"]
        cargoes = [Cargo(one["name"], one["path"], one["batch"]) for one in files]
        async with claim.completing() as connection:
            await service.plan(connection, cargoes)


async def queue_exports(context: Context, claims: Sequence[Claim]) -> None:
    """Queue what a selection finds for one destination."""
    (claim,) = claims
    args: Any = claim.order.args
    responses: dict[int, Response] = {}
    async with claim.completing(responses) as connection:
        wanted = _selection(context, args)
        actor = claim.order.actor
        ids = await service.queue_selection(context, connection, args["destination"], wanted, actor=actor)
        responses[claim.order.id] = Response(value={"queued": len(ids)})


def _selection(context: Context, args: Any) -> Selection:
    # An order of a release of before has the text alone.
    if "terms" in args:
        return Selection(terms=terms_of_json(args["terms"]))
    return service.selection_of(context, args["selection"])


async def retry_exports(context: Context, claims: Sequence[Claim]) -> None:
    """Let exports that wait for another try be tried now."""
    (claim,) = claims
    args: Any = claim.order.args
    responses: dict[int, Response] = {}
    async with claim.completing(responses) as connection:
        count = await service.retry(context, connection, args["destination"])
        responses[claim.order.id] = Response(value={"retried": count})


async def export(destination: DestinationSettings, context: Context, claims: Sequence[Claim]) -> None:
    """Bring a file to a destination, unless that is left alone for the moment."""
    (claim,) = claims
    args: Any = claim.order.args
    cargo = Cargo(args["name"], args["path"], args.get("batch"))
    async with context.database.begin() as connection:
        rest = await peers.resting(connection, destination.name)
    if rest is not None:
        claim.postpone(rest.left_s, f"{destination.name} is left alone for a while: {rest.why}")
        return
    try:
        sent = await send(context, destination, cargo)
    except TooEarly as error:
        claim.postpone(error.wait_s, error.message)
    except DestinationAway as error:
        pause_s = context.settings.exports.away_s
        await peers.leave_alone(context, destination.name, pause_s, error.message)
        await claim.fail(error)
    except ArmillaryError as error:
        await claim.fail(ExportFailed(error.message) if is_final(error) else error)
    else:
        await _record(context, claim, destination.name, cargo, sent)


async def _record(context: Context, claim: Claim, name: str, cargo: Cargo, sent: Sent | None) -> None:
    value = as_json(sent) if sent else {"how": "superseded"}
    async with claim.completing({claim.order.id: Response(value=value)}) as connection:
        if sent is not None:
            await store.record_export(connection, name, cargo, sent, now=context.clock.now())
            await peers.mark_back(connection, name)
    if sent is not None:
        log.info("file exported", file=cargo.name, destination=name, how=str(sent.how), sent=sent.sent_bytes)


def kind_for(destination: DestinationSettings, settings: ExportSettings) -> Kind[Context]:
    """Return the kind of work that serves a destination; it never gives up, and tries ever more rarely."""
    retry = Retry(settings.retry_first_s, settings.retry_last_s, None)
    return Kind(kind_of(destination.name), partial(export, destination), retry=retry)


def workers_of(context: Context, name: str) -> list[Worker[Context]]:
    """Return one worker per configured destination: they share nothing but the process."""
    settings = context.settings.exports
    return [
        Worker(
            context,
            [kind_for(one, settings)],
            name=f"{name}-{one.name}",
            slots=settings.parallel,
        )
        for one in settings.destinations
    ]
