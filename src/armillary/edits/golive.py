"""Make the outcomes of edits live, after a last look at the fence; and see what became of those that failed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from armillary.archive.catalog.models import Version
from armillary.base.database_errors import reason_of
from armillary.base.log import get_logger
from armillary.base.store import ObjectStore, Patch, StoredObject
from armillary.base.store.errors import Busy, ChangedOutside
from armillary.base.work import Claim, LostLease
from armillary.base.work.intents import forget_intents, record_intents
from armillary.edits.execution import Execution, intent_of
from armillary.edits.revert import Reversal

log = get_logger(__name__)


@dataclass(slots=True)
class Job:
    """One stored file with the claim on its orders, on the way from the queue to the catalog.

    ``undo`` names the recipes that lead from the outcome back to the version on record, ``recipe`` the one
    of them that this run has put down; ``intended`` says that this run has come to the point of no return.
    """

    claim: Claim
    store: ObjectStore
    version: Version
    execution: Execution
    reverts: Reversal | None = None
    undo: str | None = None
    recipe: str | None = None
    intended: bool = False
    result: StoredObject | Exception | None = None

    @property
    def failed(self) -> bool:
        """Whether the outcome could not be made live."""
        return isinstance(self.result, Exception)


async def patch_together(jobs: Sequence[Job]) -> None:
    """Make the outcomes of plain files of one store live together."""
    left = list(jobs)
    while left:
        for job, result in zip(left, await _patch(left), strict=True):
            job.result = result
        # One lost lease makes the call void; the others do without it.
        lost = any(job.claim.lost for job in left)
        left = [job for job in left if lost and not job.claim.lost and isinstance(job.result, LostLease)]


async def _patch(jobs: Sequence[Job]) -> Sequence[StoredObject | Exception]:
    by_key = {job.version.location.key: job for job in jobs}

    async def guard(going_live: Sequence[Patch]) -> None:
        await _intend([by_key[patch.key] for patch in going_live])

    try:
        patches = [
            Patch(key, job.execution.plan(), job.execution.stored, str(job.claim.order.id))
            for key, job in by_key.items()
        ]
        results = await jobs[0].store.patch(patches, guard)
    except Exception as error:
        return [error] * len(jobs)
    return [_settled(result) for result in results]


async def replace_whole(job: Job) -> None:
    """Make the new bytes of a compressed file live, and forget them here."""
    execution, rewrite, order = job.execution, job.execution.rewrite, job.claim.order
    if rewrite is None:
        raise AssertionError("a compressed file is rewritten as a whole")

    async def guard() -> None:
        await _intend([job])

    try:
        if rewrite.undo:
            job.recipe = recipe_name(order.id, order.fence)
            await job.store.put_blob(job.recipe, rewrite.undo)
            job.undo = f"{job.recipe},{execution.undo}" if execution.undo else job.recipe
        elif execution.target.headers == execution.disk.headers:
            job.undo = execution.undo
        data = bytes(rewrite.data)
        job.result = await job.store.replace(job.version.location.key, data, execution.stored, guard)
    except Exception as error:
        job.result = _settled(error)
    execution.rewrite = dataclasses.replace(rewrite, data=b"", undo=b"")


def recipe_name(order_id: int, fence: int) -> str:
    """Return the name of the undo recipe that one run of an order puts down."""
    return f"undo-{order_id}-{fence}"


async def _intend(jobs: Sequence[Job]) -> None:
    await record_intents([(job.claim, intent_of(job.execution, job.undo)) for job in jobs])
    for job in jobs:
        job.intended = True


def _settled(result: StoredObject | Exception) -> StoredObject | Exception:
    """Let a file that changed since it was opened be looked at once more.

    It may be the work of a worker that was paused behind its last look at the fence; whether it is somebody
    else's shows when the next attempt begins.
    """
    if isinstance(result, ChangedOutside):
        return Busy(f"{result.message} It changed while it was edited, and is looked at once more.")
    return result


async def look_again(jobs: Sequence[Job]) -> None:
    """See what became of files whose change failed: those that are as they were are in doubt no more."""
    untouched = [job for job in jobs if job.failed and await _is_untouched(job)]
    for job in untouched:
        if job.recipe:
            await _forget_recipe(job)
    settled = [job.claim for job in untouched if job.intended and not job.execution.resumed]
    try:
        await forget_intents([claim for claim in settled if not claim.lost])
    except Exception as error:
        # They stay in doubt, which costs another look.
        log.warning("intents not forgotten", error=reason_of(error))


async def _is_untouched(job: Job) -> bool:
    if not job.intended:
        return True
    try:
        return await job.store.head(job.version.location.key) == job.execution.stored
    except Exception:
        return False


async def _forget_recipe(job: Job) -> None:
    try:
        await job.store.delete_blob(job.recipe or "")
    except Exception as error:
        # The daily round finds it.
        log.warning("undo recipe not removed", name=job.recipe, error=str(error))
