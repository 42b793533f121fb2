"""One step of the work on a change set: note what ended, queue the next edits. Each step is one transaction.

The edits themselves are orders like any other, so a file has one queue, whoever changes it. Whatever is killed
when, the tables say which files have an order; a step may be repeated at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import AnyRow
from armillary.base.work import NewOrder, submit
from armillary.context import Context
from armillary.edits import revert
from armillary.edits.acceptance import decide, rules_of
from armillary.edits.changesets import store
from armillary.edits.changesets.models import RESTING, ChangeSet, ChangeSetState, FileState
from armillary.edits.errors import ItemRefused
from armillary.edits.kinds import REVERT_EDIT, UPDATE_HEADERS
from armillary.edits.models import EditRequest, Origin, Refused, Target
from armillary.edits.orders import order_of
from armillary.edits.store import record_failures

CHUNK, WINDOW = 1024, 4096
"""Files queued by one step, and files in the queue at most: more would only be in the way of others."""
PRIORITY = -1
"""Below edits that somebody waits for, above the intake of files."""
PAUSE_S = 0.2


async def step(
    context: Context, change_set: int, *, chunk: int = CHUNK, window: int = WINDOW
) -> float | None:
    """Go on with a change set; return the seconds until the next step, None if the work rests.

    Up to ``chunk`` files are queued, unless that many do not fit into the ``window`` of those in the queue.
    """
    async with context.database.begin() as connection:
        found = await store.find(connection, change_set, lock=True)
        if found is None or found.state in RESTING:
            return None
        await store.by_index(connection)
        settled = await _settle(connection, change_set)
        flying = await store.in_flight(connection, change_set)
        queued = await _queue_next(connection, context, found, chunk if flying + chunk <= window else 0)
        if flying + queued == 0:
            await _rest(connection, context, found)
            return None
        if not settled and not queued and await store.is_held(connection, change_set):
            # Until there is room again nothing happens that often.
            return context.settings.work.room_s
    return 0.0 if queued == chunk else PAUSE_S


async def _settle(connection: AsyncConnection, change_set: int) -> bool:
    """Note how the orders ended that did; tell whether any had."""
    if await store.settle(connection, change_set):
        return True
    ended = await store.unsettled(connection, change_set)
    if ended:
        # Orders of a worker that died once too often ended where nobody could record it.
        await record_failures(connection, [UPDATE_HEADERS, REVERT_EDIT], ended)
        await store.settle(connection, change_set)
        await store.lose(connection, change_set, ended)
    return bool(ended)


async def _queue_next(connection: AsyncConnection, context: Context, found: ChangeSet, chunk: int) -> int:
    """Queue up to a chunk of edits, or of their reversals; return how many files were dealt with."""
    if chunk == 0:
        return 0
    match found.state:
        case ChangeSetState.APPLYING:
            return await _queue_edits(connection, context, found, chunk)
        case ChangeSetState.REVERTING:
            return await _queue_reverts(connection, found, chunk)
    return 0


async def _queue_edits(connection: AsyncConnection, context: Context, found: ChangeSet, chunk: int) -> int:
    waiting = await store.next_waiting(connection, found.id, chunk)
    if not waiting:
        return 0
    decisions = await decide(connection, _requests(context, found, waiting), context.settings.edits)
    origin = Origin(found.actor, found.address, found.why, found.batch)
    good = {
        at: order_of(one.request, one.version, origin, None, at)
        for at, one in enumerate(decisions)
        if one.request and one.version and one.error is None
    }
    orders = [_of_set(replace(order, place=waiting[at].place), found.id) for at, order in good.items()]
    ids = dict(zip(good, await submit(connection, orders, keyed_fifo=True), strict=True))
    rows = [
        (
            row.file_id,
            str(FileState.QUEUED if at in ids else FileState.REFUSED),
            ids.get(at),
            error.message if (error := decisions[at].error) else None,
        )
        for at, row in enumerate(waiting)
    ]
    await store.mark(connection, found.id, rows)
    return len(rows)


def _requests(context: Context, found: ChangeSet, waiting: Sequence[AnyRow]) -> list[EditRequest | Refused]:
    """Return what is asked of each file; the rules of the site may have changed since it was accepted."""
    try:
        request = found.wanted.request(rules_of(context.settings.edits))
    except ItemRefused as error:
        return [Refused(Target(row.name, file_id=row.file_id), error) for row in waiting]
    return [replace(request, target=Target(row.name, file_id=row.file_id)) for row in waiting]


async def _queue_reverts(connection: AsyncConnection, found: ChangeSet, chunk: int) -> int:
    changed = await store.next_changed(connection, found.id, chunk)
    versions = await revert.where_to_revert(connection, [row.version_after for row in changed])
    origin = Origin(found.reverter or found.actor, found.address, f"change set {found.id} is reverted")
    orders = [
        _of_set(revert.order_of(row.edit_id, versions[row.version_after], origin), found.id)
        for row in changed
    ]
    ids = await submit(connection, orders, keyed_fifo=True)
    rows = [
        (row.file_id, str(FileState.REVERTING), order_id, None)
        for row, order_id in zip(changed, ids, strict=True)
    ]
    await store.mark(connection, found.id, rows)
    return len(rows)


def _of_set(order: NewOrder, change_set: int) -> NewOrder:
    return replace(order, args={**order.args, "change_set": change_set}, priority=PRIORITY)


async def _rest(connection: AsyncConnection, context: Context, found: ChangeSet) -> None:
    ends = {
        ChangeSetState.APPLYING: ChangeSetState.COMPLETED,
        ChangeSetState.REVERTING: ChangeSetState.REVERTED,
    }
    state = ends.get(found.state, ChangeSetState.STOPPED)
    finished = None if state is ChangeSetState.STOPPED else context.clock.now()
    await store.set_state(connection, found.id, state, finished=finished)
