"""Being the service of an instrument, with everything that belongs to that."""

from __future__ import annotations

import asyncio

from armillary.base.log import get_logger
from armillary.context import Context
from armillary.headers.delivery.annex import PAUSE_S, Annex
from armillary.headers.errors import AnnexUnusable
from armillary.headers.merging import merging
from armillary.headers.services import instance
from armillary.headers.services.instance import Instance
from armillary.headers.services.metrics import STORED
from armillary.headers.services.models import ServiceState
from armillary.headers.services.orders import obey

log = get_logger(__name__)


async def run(context: Context, instrument: str, stop: asyncio.Event) -> None:
    """Be the service of an instrument until told to stop, or to exit by a command."""

    async def obeying(one: Instance) -> None:
        await obey(one)
        if one.service.state is ServiceState.OFFLINE:
            stop.set()

    await instance.run(context, instrument, stop, chores=(obeying, keep_objects, merge_pixels))


async def keep_objects(one: Instance) -> None:
    """Store the objects of new headers in the annex, also when that was away."""
    pause_s = PAUSE_S
    while True:
        try:
            annex = Annex.of(one.context)
        except AnnexUnusable as error:
            # Headers are announced and served all the same.
            log.error("annex not usable", instrument=one.instrument, again_s=pause_s, error=error.message)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, one.context.settings.headers.retry_last_s)
            continue
        pause_s = PAUSE_S
        stored, more = await annex.fill(one.instrument)
        STORED.labels(one.instrument).inc(stored)
        await asyncio.sleep(0 if more else PAUSE_S)


async def merge_pixels(one: Instance) -> None:
    """Merge headers into the raw files of the instrument, by the configuration that it has at the time."""
    await merging.follow(
        one.context, one.instrument, lambda: one.configuration.recipe if one.configuration else None
    )
