"""Comparing exposures, headers and stored objects, and mending what differs."""

from __future__ import annotations

from typing import Any

from armillary.headers.delivery import queries
from armillary.headers.delivery.annex import Annex
from armillary.headers.delivery.consumers import list_all
from armillary.headers.delivery.making import make
from armillary.headers.services.instance import Instance
from armillary.headers.services.rebuilding import rebuild


async def reconcile(instance: Instance) -> dict[str, Any]:
    """Make headers anew that are missing or would be others now, store objects again that are gone or wrong.

    Returns
    -------
    By kind of difference the ids of images: ``without_header``, ``changed`` (late samples complete it, or the
    hash is another one), ``bad_objects``; ``unacknowledged`` is the number of announcements that a consumer waits
    for, by consumer.
    """
    context, instrument = instance.context, instance.instrument
    async with context.database.begin() as connection:
        missing = await queries.without_header(connection, instrument, now=context.bus.now())
        kept = await queries.latest(connection, instrument)
        waiting = {one.name: one.pending for one in await list_all(connection)}
    changed = []
    for one in kept:
        if one.exposure in {number for number, _, _ in missing}:
            continue
        if await _differs(instance, one):
            changed.append((one.exposure, one.named, one.image_id))
    bad = await Annex.of(context).repair(instrument)
    for number, named, _ in (*missing, *changed):
        await rebuild(instance, named, number)
    return {
        "without_header": [image for _, _, image in missing],
        "changed": [image for _, _, image in changed],
        "bad_objects": bad,
        "unacknowledged": waiting,
    }


async def _differs(instance: Instance, one: queries.Kept) -> bool:
    async with instance.known.alone([one.named]), instance.context.database.raw() as connection:
        await instance.known.read(connection, [one.named])
        exposure = instance.known.get(one.exposure)
    if exposure is None or instance.builder.is_past(exposure):
        return False
    inputs = await instance.builder.inputs(exposure, one.product)
    header = await instance.builder.apart(make, inputs)
    return header.content_hash != one.content_hash
