"""All kinds of background work, and running some of it inside a command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from armillary.access.kinds import KINDS as ACCESS_KINDS
from armillary.archive.kinds import KINDS as ARCHIVE_KINDS
from armillary.base.work import Outcome, Worker
from armillary.base.work.admin import held_because
from armillary.base.work.statements import DONE_CHANNEL
from armillary.base.work.waiting import Ends
from armillary.commands.terminal import err, escape
from armillary.context import Context
from armillary.edits.changesets.kinds import KINDS as CHANGE_SET_KINDS
from armillary.edits.kinds import KINDS as EDIT_KINDS
from armillary.exports.kinds import KINDS as EXPORT_KINDS
from armillary.operations.kinds import KINDS as ORDER_KINDS

LOOK_S = 0.25
KINDS = (*ARCHIVE_KINDS, *EDIT_KINDS, *CHANGE_SET_KINDS, *EXPORT_KINDS, *ORDER_KINDS, *ACCESS_KINDS)


async def finish(
    context: Context,
    order_ids: Sequence[int] | asyncio.Future[Sequence[int]],
    *,
    show: Callable[[int], None] | None = None,
) -> dict[int, Outcome]:
    """Help with the queue until these orders have ended; return how.

    A future tells them once all are queued. ``show`` is told from then on, from time to time, how many have ended.
    """
    helping = asyncio.create_task(Worker(context, KINDS, name="cli", slots=4).run_until(order_ids))
    said: str | None = None
    # Ends are told: to ask for the outcome of all orders at each look would cost more than many of them.
    async with context.signals.subscribe(DONE_CHANNEL) as told:
        if isinstance(order_ids, asyncio.Future):
            both: set[asyncio.Future[Any]] = {helping, order_ids}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            # Whoever helps has failed then, or is about to: with what kept the orders from being queued.
            failed = helping.done() or order_ids.exception() is not None
            order_ids = () if failed else order_ids.result()
        ends = Ends(context.database, order_ids)
        await ends.look()
        while not (await asyncio.wait({helping}, timeout=LOOK_S))[0]:
            before = len(ends.missing)
            await ends.look(await told.wait(0.0))
            if show:
                show(len(ends.found))
            if len(ends.missing) == before:
                said = await _say_held(context, list(ends.missing), said)
    await helping
    await ends.look()
    return ends.found


async def _say_held(context: Context, order_ids: Sequence[int], said: str | None) -> str | None:
    """Say why some of the orders wait for room, unless that was said last; return what was."""
    async with context.database.begin() as connection:
        reason = await held_because(connection, order_ids)
    if reason is not None and reason != said:
        err.print(f"[yellow]waiting:[/] {escape(reason)} Ctrl-C leaves it in the queue.")
    return reason or said


async def finish_all(context: Context) -> None:
    """Help with the queue until nothing is due."""
    await Worker(context, KINDS, name="cli", slots=2).drain()
