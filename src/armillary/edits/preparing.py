"""Carry orders out in memory, those of many files per thread: a small file takes less time than a change of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Root, Version
from armillary.base.log import bound
from armillary.base.work import Claim, about
from armillary.context import Context
from armillary.edits import revert
from armillary.edits.acceptance import rules_of
from armillary.edits.execution import execute
from armillary.edits.golive import Job

PER_THREAD = 16

Present = tuple[Claim, Root, Version]
Prepared = Job | Exception
Prepare = Callable[[Context, Sequence[Present]], Awaitable[list[Prepared]]]


async def prepare_updates(context: Context, places: Sequence[Present]) -> list[Prepared]:
    """Apply the header updates of several files; return a job per file, or why there is none."""
    rules, most = rules_of(context.settings.edits), context.settings.archive.max_unpacked

    def work(place: Present) -> Callable[[], Job]:
        claim, root, version = place
        try:
            store = catalog.store_of(context, root)
        except Exception as error:
            # The files of other roots go on.
            return partial(_refuse, error)
        orders = claim.orders
        return lambda: Job(claim, store, version, execute(store, version, orders, rules, max_unpacked=most))

    return await _in_threads([(place[0], work(place)) for place in places])


async def prepare_reverts(context: Context, places: Sequence[Present]) -> list[Prepared]:
    """Take one edit of each of several files back; return a job per file, or why there is none."""
    async with context.database.begin() as connection:
        pairs = [(claim.order.args.get("edit_id"), version) for claim, _, version in places]
        undos = await revert.undos_of(connection, pairs)
    works = [await _reversal(context, place, undo) for place, undo in zip(places, undos, strict=True)]
    return await _in_threads([(place[0], work) for place, work in zip(places, works, strict=True)])


async def _reversal(context: Context, place: Present, undo: revert.Undo | Exception) -> Callable[[], Job]:
    claim, root, version = place
    if isinstance(undo, Exception):
        return partial(_refuse, undo)
    try:
        store = catalog.store_of(context, root)
        reversal = await asyncio.to_thread(revert.reversal_of, version, undo)
        recipe = await revert.recipe_of(store, version, reversal)
    except Exception as error:
        return partial(_refuse, error)

    def work() -> Job:
        execution = revert.execute_revert(
            store, version, claim.order, reversal, recipe, max_unpacked=context.settings.archive.max_unpacked
        )
        return Job(claim, store, version, execution, reverts=reversal)

    return work


def _refuse(error: Exception) -> Job:
    raise error


async def _in_threads(works: Sequence[tuple[Claim, Callable[[], Job]]]) -> list[Prepared]:
    portions = [works[at : at + PER_THREAD] for at in range(0, len(works), PER_THREAD)]
    done = await asyncio.gather(*(asyncio.to_thread(_carry_out, portion) for portion in portions))
    return [result for portion in done for result in portion]


def _carry_out(works: Sequence[tuple[Claim, Callable[[], Job]]]) -> list[Prepared]:
    results: list[Prepared] = []
    for claim, work in works:
        try:
            with bound(**about(claim.order)):
                results.append(work())
        except Exception as error:
            results.append(error)
    return results
