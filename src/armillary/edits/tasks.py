"""The work orders of header updates: many files per call, each atomically; plain ones share syncs and a commit.

What goes wrong with one file is its own affair: every error ends, or puts back, the orders of that file only.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Root, Version
from armillary.base.database_errors import is_transient
from armillary.base.log import get_logger
from armillary.base.store import StoredObject, whole_or_part
from armillary.base.work import Claim, LostLease, Response, about, completing_all
from armillary.base.work.retry import is_expected
from armillary.context import Context
from armillary.edits import recording, revert
from armillary.edits.errors import FileGone
from armillary.edits.golive import Job, look_again, patch_together, replace_whole
from armillary.edits.preparing import Prepare, prepare_reverts, prepare_updates
from armillary.errors import ArmillaryError
from armillary.fits.containers import Container

log = get_logger(__name__)
WHOLE_AT_ONCE = 2
"""Compressed files that one call has in memory at a time."""

Place = tuple[Claim, Root | None, Version | None]


async def update_headers(context: Context, claims: Sequence[Claim]) -> None:
    """Carry out the header updates of several files, those of one file in the order of acceptance."""
    await _run(context, claims, prepare_updates)


async def revert_edit(context: Context, claims: Sequence[Claim]) -> None:
    """Take edits back, each on its own file."""
    await _run(context, claims, prepare_reverts)


async def _run(context: Context, claims: Sequence[Claim], prepare: Prepare) -> None:
    async with context.database.begin() as connection:
        places = await recording.places_of(connection, claims)
    places = [place for place in places if not await _waits(*place)]
    plain = [place for place in places if place[2] is None or place[2].container == Container.PLAIN]
    whole = [place for place in places if place not in plain]
    turn = asyncio.Semaphore(WHOLE_AT_ONCE)
    await asyncio.gather(
        _run_together(context, plain, prepare), *(_run_alone(context, one, prepare, turn) for one in whole)
    )


async def _waits(claim: Claim, root: Root | None, version: Version | None) -> bool:
    """Let orders wait that were accepted before the archive was copied; tell whether they are such ones."""
    refusal = root.refusal(version.name if version else root.name) if root else None
    if refusal:
        await claim.fail(refusal)
    return refusal is not None


async def _run_together(context: Context, places: Sequence[Place], prepare: Prepare) -> None:
    """Edit plain files: they share the syncs of their store, and one transaction."""
    jobs = await _prepared(context, places, prepare)
    by_root: defaultdict[int, list[Job]] = defaultdict(list)
    for job in jobs:
        if job.execution.must_write:
            by_root[job.version.location.root_id].append(job)
        else:
            job.result = job.execution.stored
    await asyncio.gather(*(patch_together(group) for group in by_root.values()))
    await _finish(context, jobs)


async def _run_alone(context: Context, place: Place, prepare: Prepare, turn: asyncio.Semaphore) -> None:
    """Edit a compressed file: the others do not wait for it."""
    async with turn:
        jobs = await _prepared(context, [place], prepare)
        if not jobs:
            return
        (job,) = jobs
        if job.execution.must_write:
            await replace_whole(job)
        else:
            job.result = job.execution.stored
    await _finish(context, [job])


async def _prepared(context: Context, places: Sequence[Place], prepare: Prepare) -> list[Job]:
    """Return the jobs of all files that could be prepared; the orders of the others have ended."""
    present = [(claim, root, version) for claim, root, version in places if root and version]
    for claim, root, version in places:
        if root is None or version is None:
            gone = FileGone(f"{claim.order.args.get('name')}: no present file is there any more.")
            await _give_up(context, claim, version, gone)
    try:
        results = await prepare(context, present) if present else []
    except Exception as error:
        results = [error] * len(present)
    for (claim, root, version), result in zip(present, results, strict=True):
        if isinstance(result, Exception):
            await _give_up(context, claim, version, await _blamed(context, root, result))
    return [result for result in results if not isinstance(result, Exception)]


async def _finish(context: Context, jobs: Sequence[Job]) -> None:
    """Report outcomes that could not be made live, record the others."""
    await look_again(jobs)
    for job in jobs:
        if isinstance(job.result, Exception):
            blamed = await whole_or_part(job.store, job.result)
            await _give_up(context, job.claim, job.version, blamed)
    await _record(context, [job for job in jobs if isinstance(job.result, StoredObject)])


async def _give_up(context: Context, claim: Claim, version: Version | None, error: Exception) -> None:
    """End the orders of a claim with an error, or put them back into the queue; the other claims go on."""
    if not is_expected(error):
        log.error("edit failed", **about(claim.order), orders=claim.order_ids, exc_info=error)
    try:
        if isinstance(error, ArmillaryError):
            await recording.fail(context, claim, version, error)
        else:
            await claim.fail(error)
    except Exception as trouble:
        await claim.fail(trouble)


async def _blamed(context: Context, root: Root, error: Exception) -> Exception:
    try:
        return await whole_or_part(catalog.store_of(context, root), error)
    except ArmillaryError:
        # The store could not even be opened, which is what the error says.
        return error


async def _record(context: Context, jobs: Sequence[Job]) -> None:
    """End the orders and publish the outcomes, all in one transaction."""
    if not jobs:
        return
    try:
        await _record_together(context, jobs)
    except LostLease as error:
        left = [job for job in jobs if not job.claim.lost]
        if len(left) == len(jobs):
            raise AssertionError("somebody lost a lease") from error
        await _record(context, left)
    except Exception as error:
        if is_transient(error) or len(jobs) == 1:
            for job in jobs:
                await _give_up(context, job.claim, job.version, error)
            return
        # One of them cannot be recorded; the others can.
        for job in jobs:
            await _record(context, [job])


async def _record_together(context: Context, jobs: Sequence[Job]) -> None:
    finished = [_finished(job, job.result) for job in jobs if isinstance(job.result, StoredObject)]
    responses: dict[int, Response] = {}
    async with completing_all([job.claim for job in jobs], responses) as connection:
        responses |= await recording.record(connection, context, finished)
    for job in jobs:
        log.info("edit applied", file=job.version.name, orders=job.claim.order_ids)


def _finished(job: Job, stored: StoredObject) -> recording.Finished:
    if job.reverts is None:
        return recording.Finished(job.claim, job.version, job.execution, stored, job.undo)
    digests = revert.digests_after(job.execution, job.reverts.goal, stored.size)
    return recording.Finished(
        job.claim, job.version, job.execution, stored, job.undo, origin="revert", digests=digests
    )
