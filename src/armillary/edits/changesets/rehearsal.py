"""What an edit would do to a file as the catalog knows it: judged like one that is sent, and not carried out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from armillary.access.models import Principal
from armillary.archive.query import service as query
from armillary.context import Context
from armillary.edits.acceptance import decide
from armillary.edits.apply import HduEffect, apply_request
from armillary.edits.disclosure import Discretion
from armillary.edits.models import EditRequest


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The cards that would change; None if the viewer may not know how they are."""

    effects: tuple[HduEffect, ...] | None


async def rehearse(context: Context, request: EditRequest, viewer: Principal) -> Rehearsal:
    """Return what an edit would do.

    Raises
    ------
    ArmillaryError
        Why it would be refused, now or by the worker.
    """
    today = context.clock.now().date()
    known = Discretion(viewer, today)
    async with context.database.begin() as connection:
        unknown = query.unknown_to(viewer, today)
        (decision,) = await decide(connection, [request], context.settings.edits, unknown)
        version = decision.version
        if version is not None:
            await known.look_at(connection, [version.file_id])
    if decision.error is not None:
        raise decision.error
    if version is None:
        raise AssertionError("what is not refused has a file")
    if known.hides(version.file_id):
        # Whether a card is there, and what it says, is told to nobody who may not read it.
        return Rehearsal(None)
    _, effects = await asyncio.to_thread(lambda: apply_request(version.layout(), request))
    return Rehearsal(tuple(effects))
