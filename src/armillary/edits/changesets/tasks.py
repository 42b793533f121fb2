"""The work orders of change sets: create one, preview one, go on with one, stop, retry or revert one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from armillary.base.log import get_logger
from armillary.base.work import Claim, Response
from armillary.context import Context
from armillary.edits.changesets import service
from armillary.edits.changesets.models import Action, Wanted
from armillary.edits.changesets.preview import preview
from armillary.edits.changesets.stepping import step
from armillary.edits.disclosure import viewer_of_json
from armillary.edits.models import Origin

log = get_logger(__name__)


async def create_set(context: Context, claims: Sequence[Claim]) -> None:
    """Create a change set: fix its files, and queue the first step."""
    (claim,) = claims
    args: Any = claim.order.args
    origin = Origin(claim.order.actor, args["address"], args["why"], claim.order.batch)
    responses: dict[int, Response] = {}
    async with claim.completing(responses) as connection:
        wanted = Wanted.of_text(args["wanted"])
        viewer = viewer_of_json(args.get("viewer"), claim.order.actor)
        matched = await service.create(connection, context, claim.order.id, wanted, origin, viewer=viewer)
        responses[claim.order.id] = Response(value={"matched": matched})
    log.info("change set created", change_set=claim.order.id, files=matched)


async def preview_set(context: Context, claims: Sequence[Claim]) -> None:
    """Find out what a change set would do."""
    (claim,) = claims
    args: Any = claim.order.args
    viewer = viewer_of_json(args.get("viewer"), claim.order.actor)
    wanted = Wanted.of_text(args["wanted"])
    found = await preview(context, wanted, samples=int(args["samples"]), viewer=viewer)
    claim.complete(Response(value=service.preview_to_json(found)))


async def control_set(context: Context, claims: Sequence[Claim]) -> None:
    """Stop, resume, retry or revert a change set."""
    (claim,) = claims
    args: Any = claim.order.args
    async with claim.completing() as connection:
        action = Action(args["action"])
        await service.act(connection, int(args["change_set"]), action, actor=claim.order.actor)


async def step_set(context: Context, claims: Sequence[Claim]) -> None:
    """Go on with a change set; the order comes back until the work rests."""
    (claim,) = claims
    args: Any = claim.order.args
    pause_s = await step(context, int(args["change_set"]))
    if pause_s is not None:
        claim.postpone(pause_s)
