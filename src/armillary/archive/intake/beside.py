"""Let child processes beside this one look at small files: they take longer to read than to record."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from armillary.archive.intake import portions
from armillary.archive.intake.looks import Candidate
from armillary.archive.intake.portions import Answer, Asked, Portion, Rules, look_at_all
from armillary.archive.intake.small import LEAST, seems_small
from armillary.archive.products import service as products
from armillary.base.log import get_logger
from armillary.base.sandbox.pool import CHILDREN, Ask
from armillary.context import Context
from armillary.errors import ArmillaryError

log = get_logger(__name__)

PORTION_S = 30.0
"""A portion takes milliseconds, and a child that has to be started first some seconds where much else runs."""


async def get_ready(context: Context, paths: Sequence[Path]) -> None:
    """Start the children, if these files are many and seem to be small, before anybody waits for them."""
    first = paths[:LEAST]
    if len(first) < LEAST or not await asyncio.to_thread(lambda: all(map(seems_small, first))):
        return
    settings = context.settings.archive

    def load(ask: Ask) -> None:
        ask(portions.get_ready, None, settings.profiles)

    with suppress(ArmillaryError, RuntimeError):
        run = context.quick.run
        await asyncio.gather(
            *(run(load, memory=settings.preview_memory, seconds=PORTION_S) for _ in range(CHILDREN))
        )


async def look_at_small(context: Context, candidates: Sequence[Candidate]) -> None:
    """Have the small files among many looked at, and their pictures drawn; nothing is said of the others.

    Nor is anything said of files with which something is wrong, nor of any if the child fails.
    """
    small = await asyncio.to_thread(lambda: list(filter(suits_children, candidates)))
    if len(small) < LEAST:
        return
    answer = await _asked(context, small)
    if answer is None:
        return
    try:
        await products.mend(context, answer.damaged)
    except ArmillaryError as error:
        # Nor does this keep files out: their pictures are ordered, and tell then what is wrong with the store.
        log.warning("pictures not mended", count=len(answer.damaged), reason=error.message)
        return
    told = [(candidate, seen) for candidate, seen in zip(small, answer.files, strict=True) if seen]
    rows = products.rows_of(context, [(seen.source, seen.pictures) for _, seen in told])
    for (candidate, seen), pictures in zip(told, rows, strict=True):
        candidate.stored, candidate.skipped, candidate.told = seen.stored, seen.skipped, seen.bytes
        candidate.new, candidate.entry, candidate.pictures = seen.new, seen.entry, pictures


def suits_children(one: Candidate) -> bool:
    """Tell whether a file is one for children, by a look at its size; whoever reads it looks again."""
    return one.root.path is not None and seems_small(f"{one.root.path}/{one.location.key}")


async def _asked(context: Context, candidates: Sequence[Candidate]) -> Answer | None:
    settings = context.settings.archive
    seconds = min(settings.preview_s, PORTION_S)
    portion = Portion(
        Rules.of(settings),
        {one.root.id: one.root for one in candidates},
        context.stores.private,
        products.directory_of(context),
        context.clock.now(),
        seconds / 2,
        [Asked(one.location, one.known, one.args) for one in candidates],
    )

    def look(ask: Ask) -> Answer:
        return ask(look_at_all, None, portion)

    try:
        return await context.quick.run(look, memory=settings.preview_memory, seconds=seconds)
    except (ArmillaryError, RuntimeError) as error:
        # Whatever it is, it need not keep the files out: a picture that could not be stored is no reason.
        log.warning("small files read without help", count=len(candidates), reason=str(error))
        return None
