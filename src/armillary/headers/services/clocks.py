"""The clocks of sources, as the configurations of instruments declare them, for whoever takes samples in.

The field that a source names by `time` says when its samples were valid, unless their envelope does; the clock of
the source says on which scale. It is converted here, once, and the log has one scale.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from armillary.base.bus.clocks import ReadTime
from armillary.base.log import get_logger
from armillary.context import Context
from armillary.headers.exposures.machine import value_at
from armillary.headers.recipes.models import Clock, Recipe
from armillary.headers.recipes.service import changed, recipes_in
from armillary.headers.render.conversion import instant
from armillary.headers.render.extraction import Undefined

log = get_logger(__name__)
LOOK_S = 2.0
"""How often it is looked for other configurations."""


@asynccontextmanager
async def source_clocks(context: Context) -> AsyncIterator[None]:
    """Let samples that are published in this context have the times that their payloads tell."""
    mark = await _read(context, "")
    following = asyncio.create_task(_follow(context, mark))
    try:
        yield
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def _follow(context: Context, mark: str) -> None:
    while True:
        await asyncio.sleep(LOOK_S)
        mark = await _read(context, mark)


async def _read(context: Context, mark: str) -> str:
    """Read the configurations if they are others than at a mark, and return the present mark."""
    directory = context.settings.headers.at(context.settings.data)
    try:
        now = await asyncio.to_thread(changed, directory)
        if now != mark:
            context.clocks.use(await asyncio.to_thread(clocks_in, directory))
    except OSError as error:
        log.warning("clocks of sources not read", directory=str(directory), error=str(error))
        return mark
    return now


def clocks_in(directory: Path) -> dict[str, ReadTime]:
    """Return by component what reads the time of its samples, of those that have a field for it.

    Instruments share components; of two that say otherwise, the first by name counts.
    """
    found: dict[str, tuple[str, Clock]] = {}
    for recipe in sorted(recipes_in(directory), key=lambda one: one.instrument):
        for component, told in _told(recipe).items():
            if found.setdefault(component, told) != told:
                log.warning("instruments differ in the clock of a source", source=component)
    return {component: partial(_time_in, field, clock) for component, (field, clock) in found.items()}


def _told(recipe: Recipe) -> dict[str, tuple[str, Clock]]:
    return {one.component: (one.time, one.clock) for one in recipe.sources.values() if one.time is not None}


def _time_in(field: str, clock: Clock, payload: Mapping[str, Any]) -> int | None:
    try:
        return instant(value_at(payload, field), clock)
    except Undefined:
        return None
