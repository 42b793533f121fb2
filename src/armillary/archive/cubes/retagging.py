"""Find the tags of cubes anew when a vocabulary has changed, or is there at last."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.cubes import store
from armillary.archive.cubes.words import refresh as vocabularies
from armillary.archive.cubes.words.refresh import Retagging, configured
from armillary.archive.cubes.words.vocabularies import digest_of
from armillary.archive.intake.orders import submit_ingests
from armillary.base.work import Claim
from armillary.context import Context
from armillary.settings import SstSettings

PORTION = 1000


def retagging(settings: SstSettings) -> Retagging:
    """Return what queues the cubes whose tags were found by other vocabularies."""
    return partial(submit_retagging, settings=settings)


async def submit_retagging(connection: AsyncConnection, *, settings: SstSettings) -> int:
    """Queue the cubes whose tags were found by other vocabularies than there are now; return how many."""
    digest, after, count = digest_of(await configured(connection, settings)), 0, 0
    while digest is not None:
        found = await store.cubes_with_other_tags(connection, digest, after=after, count=PORTION)
        await submit_ingests(connection, [one.location for one in found], actor="vocabularies")
        count += len(found)
        if len(found) < PORTION:
            break
        after = found[-1].id
    return count


async def refresh_vocabularies(context: Context, claims: Sequence[Claim]) -> None:
    """Read all vocabularies, and queue the cubes that a change concerns."""
    how = retagging(context.settings.sst)
    await vocabularies.refresh_vocabularies(context, claims, retagging=how)
