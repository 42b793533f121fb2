"""The worker process: what it runs, what it does beside that, and what ends it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from enum import StrEnum

from armillary.archive.catalog import service as catalog
from armillary.archive.cubes import service as cubes
from armillary.base.database import Role
from armillary.base.memory import uncollected
from armillary.base.place import STAGING
from armillary.base.store.staging import check_area
from armillary.base.work import Kind, Worker
from armillary.base.work.beside import serve_beside
from armillary.commands import upkeep
from armillary.commands.readiness import tell_ready
from armillary.commands.work import KINDS
from armillary.context import Context, open_context
from armillary.exports import service as exports
from armillary.exports import tasks as sending
from armillary.operations.kinds import CHORES
from armillary.operations.service import recover
from armillary.publish.svo import service as publishing
from armillary.publish.svo import tasks as svo
from armillary.settings import Settings
from armillary.sites.rooms import tasks as rooms


class Until(StrEnum):
    """What ends a worker, besides a signal."""

    STOPPED = "stopped"
    EMPTY = "empty"
    ONE = "one"


async def work(
    settings: Settings,
    *,
    name: str,
    slots: int,
    until: Until,
    kinds: Sequence[Kind[Context]] = KINDS,
    exporting: bool = True,
) -> None:
    """Run a worker of some kinds of orders until a signal says stop, nothing is due, or one order has run.

    One that stays does the chores, too, whatever its kinds are: there may be no other.
    """
    # Before anybody is told that this process is ready, and before another release may be installed.
    with uncollected():
        for kind in (*kinds, *CHORES, *rooms.CHORES):
            kind.load()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_context(settings, Role.WORKER, application=f"armillary {name}") as context:
        # What the web process needs and cannot make.
        async with context.database.begin() as connection:
            await catalog.own_roots(connection, context)
        await cubes.register(context)
        check_area(settings.data / STAGING)
        tell_ready()
        await recover(context)
        await exports.register(context, alone=True)
        await publishing.register(context)
        chosen = (*kinds, *CHORES, *rooms.CHORES) if until is Until.STOPPED else kinds
        worker = Worker(context, chosen, name=name, slots=slots)
        others = _others(context, name) if exporting else []
        match until:
            case Until.ONE:
                await _run_one((worker, *others), stop)
            case Until.EMPTY:
                await worker.drain(stop)
                await asyncio.gather(*(other.drain(stop) for other in others))
            case Until.STOPPED:
                await _run(context, worker, others, stop, name=name)


def _others(context: Context, name: str) -> list[Worker[Context]]:
    """Return the workers that ask servers of others: a dead one of those keeps nobody else waiting."""
    return [
        *sending.workers_of(context, name),
        *rooms.workers_of(context, name),
        *svo.workers_of(context, name),
    ]


async def _run_one(workers: Sequence[Worker[Context]], stop: asyncio.Event) -> None:
    for worker in workers:
        if stop.is_set() or await worker.run_one():
            return


async def _run(
    context: Context,
    worker: Worker[Context],
    others: Sequence[Worker[Context]],
    stop: asyncio.Event,
    *,
    name: str,
) -> None:
    beside = [
        asyncio.create_task(chore)
        for chore in (
            upkeep.run(context, stop),
            upkeep.beat(context, (worker, *others), stop, name=name),
            upkeep.slim(stop),
        )
    ]
    await asyncio.gather(worker.run(stop), serve_beside(others, stop))
    await asyncio.gather(*beside)
