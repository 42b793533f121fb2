"""The work order `ingest_cube`: a file of an ingestion root becomes a cube, or what its cube is now.

A run reads, then records everything in one transaction: frame, access, tags, derived data, observation and
snapshot appear together or not at all, so nobody ever sees half a cube, and a run that fails leaves what was
there. Pictures and movies are orders of their own, made after that commit. Every step tells what it did, or why
there was nothing to do; a run that is repeated after its commit finds nothing to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from armillary.archive.cubes import store
from armillary.archive.cubes.examination import Judgement, Seen, see
from armillary.archive.cubes.models import Cube, Options, Snapshot
from armillary.archive.cubes.recording import OidBusy, Recording
from armillary.archive.cubes.retagging import retagging
from armillary.archive.cubes.words.refresh import configured, refresh
from armillary.archive.cubes.words.vocabularies import assess
from armillary.archive.errors import FileVanished, StillGrowing
from armillary.archive.intake import presence
from armillary.archive.intake.candidates import candidates_of, note_moves, refuse_twins
from armillary.archive.intake.looks import Candidate, attempt
from armillary.base.log import get_logger
from armillary.base.store import whole_or_part
from armillary.base.work import Claim, LostLease, OrderCancelled, Response
from armillary.base.work.steps import Steps
from armillary.context import Context

log = get_logger(__name__)
BUSY_S, GROWING_S = 0.5, 5.0


async def ingest_cube(context: Context, claims: Sequence[Claim]) -> None:
    """Take one file of an ingestion root in."""
    (claim,) = claims
    found = await candidates_of(context, [claim])
    if not found:
        return
    (candidate,) = found
    steps = Steps(claim)
    try:
        await _carry_out(context, claim, candidate, steps)
    except LostLease:
        raise
    except OrderCancelled:
        # How far it came is told all the same.
        await steps.store_failed()
        raise
    except OidBusy:
        claim.postpone(BUSY_S, "Another file of the same oid is being taken in; this one comes after it.")
    except StillGrowing as error:
        claim.postpone(GROWING_S, error.message)
    except Exception as error:
        await steps.store_failed()
        if candidate.known and isinstance(error, FileVanished):
            await presence.mark_gone(context, [candidate.known.presence()])
        await claim.fail(await whole_or_part(candidate.store, error))


async def _carry_out(context: Context, claim: Claim, candidate: Candidate, steps: Steps) -> None:
    options = Options.of_args(claim.order.args)
    async with steps.step("read"):
        here, known, seen = await _read(context, candidate, options)
    settings, responses = context.settings.sst, dict[int, Response]()
    await refresh(context, retagging=retagging(settings))
    async with claim.completing(responses) as connection:
        assessment = assess(seen.primary, await configured(connection, settings))
        recording = Recording(context, candidate, options, seen, here, known, steps, connection)
        value = await recording.carry_out(assessment, order=claim.order.id)
        await steps.store(connection)
        responses[claim.order.id] = Response(value=value)
    log.info("file of an ingestion root taken in", file=candidate.location.key, outcome=value["outcome"])


async def _read(
    context: Context, candidate: Candidate, options: Options
) -> tuple[list[Cube], Snapshot | None, Seen]:
    """Look at the file, and at what is known of it: its cubes, and what may be left as it is."""
    place, settings = candidate.location, context.settings
    async with context.database.begin() as connection:
        here = await store.cubes_at(connection, place.root_id, place.key)
    before = here[0].snapshot if here else None
    # Nothing was made yet of a cube that the file is to be from now on.
    known = before if options.oid in (None, *(one.oid for one in here)) and not options.force else None
    judgement = Judgement(archive=settings.archive, sst=settings.sst, options=options)
    found: list[Seen] = []

    def look(one: Candidate) -> None:
        found.append(see(one, before, known, judgement))

    await asyncio.to_thread(attempt, look, candidate)
    if candidate.error is None:
        await refuse_twins(context, [candidate])
    if candidate.error is not None:
        raise candidate.error
    await note_moves(context, [candidate])
    return here, known, found[0]
