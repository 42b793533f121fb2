"""What is to be exported where: destinations, orders for new versions and for selections, another try."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import OPERATOR
from armillary.archive.catalog.service import is_fits, science_priority, versions_by_id
from armillary.archive.query.models import Flag, Selection
from armillary.archive.query.service import Lister, parse, terms_to_json
from armillary.base.work import NO_LIMIT, JsonObject, NewOrder, admin, ask, submit
from armillary.base.work import overview as figures
from armillary.context import Context
from armillary.destinations import service as peers
from armillary.destinations.models import Peer, Sort
from armillary.exports import store
from armillary.exports.documents import Destination, Exports, WaitingExport
from armillary.exports.errors import UnknownDestination
from armillary.exports.kinds import QUEUE, RETRY
from armillary.exports.models import PREFIX, Cargo, key_of, kind_of

PAGE = 1000


async def register(context: Context, *, alone: bool = False) -> None:
    """Make the configured destinations known to the database; ``alone`` retires all others."""
    known = [Peer(one.name, one.url, one.pattern) for one in context.settings.exports.destinations]
    async with context.database.begin() as connection:
        await peers.register(connection, Sort.FILES, known, alone=alone)


async def destinations(connection: AsyncConnection) -> list[Destination]:
    """Return every destination with the number of its waiting exports."""
    found = await peers.every(connection, Sort.FILES)
    waiting = await figures.counts(connection, [kind_of(one.name) for one in found])
    return [
        Destination(**dataclasses.asdict(one), waiting=waiting.get(kind_of(one.name), 0)) for one in found
    ]


async def check_destination(connection: AsyncConnection, name: str) -> None:
    """Refuse the name of a destination that is not configured.

    Raises
    ------
    UnknownDestination
        With the nearest name that is.
    """
    known = [one.name for one in await peers.every(connection, Sort.FILES) if one.active]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else f" There are: {', '.join(known) or 'none'}."
        raise UnknownDestination(f"No destination '{name}' is configured.{hint}")


async def plan(connection: AsyncConnection, cargoes: Iterable[Cargo]) -> int:
    """Queue files for every destination that wants them, in the caller's transaction; return how many orders."""
    # Servers of the old kind know FITS files alone.
    every = [one for one in cargoes if is_fits(one.name)]
    active = [one for one in await peers.every(connection, Sort.FILES) if one.active]
    pairs = [(one.name, cargo) for one in active for cargo in every if cargo.fits(one.pattern)]
    return len(await _submit(connection, pairs, actor="armillary"))


async def queue_selection(
    context: Context, connection: AsyncConnection, destination: str, wanted: Selection, *, actor: str
) -> list[int]:
    """Queue the present files that a selection finds for one destination, whatever its pattern.

    Raises
    ------
    UnknownDestination
        If it is not configured.
    """
    await check_destination(connection, destination)
    selection = wanted.requiring(Flag("present", True), Flag("canonical", True))
    today = context.clock.now().date()
    lister = Lister(OPERATOR, today, context.settings.archive)
    order_ids: list[int] = []
    after, more = (0, 0), True
    while more:
        rows = await lister.states(connection, selection, after=after, count=PAGE)
        versions = await versions_by_id(connection, [row.id for row in rows])
        fits = [version for version in versions.values() if version.is_fits]
        cargoes = [Cargo(version.name, version.location.path) for version in fits]
        order_ids += await _submit(connection, [(destination, one) for one in cargoes], actor=actor)
        more = len(rows) == PAGE
        after = (rows[-1].file_id, rows[-1].id) if rows else after
    return order_ids


def selection_of(context: Context, segments: Sequence[str]) -> Selection:
    """Return what segments of the selection grammar select.

    Raises
    ------
    BadSelection
        If one cannot be understood.
    """
    return parse(segments, today=context.clock.now().date(), summit=context.settings.archive.summit)


async def _submit(
    connection: AsyncConnection, pairs: Sequence[tuple[str, Cargo]], *, actor: str
) -> list[int]:
    """Queue exports; one that waits already is not queued twice, one that runs runs once more."""
    orders = [
        NewOrder(
            kind=kind_of(destination),
            args={"destination": destination, "name": cargo.name, "path": cargo.path},
            key=key_of(destination, cargo),
            unique_key=key_of(destination, cargo),
            priority=science_priority(cargo.name),
            max_attempts=NO_LIMIT,
            actor=actor,
            batch=cargo.batch,
        )
        # In one order of keys, so that transactions that queue the same files wait for each other in turn.
        for destination, cargo in sorted(pairs, key=lambda pair: key_of(*pair))
    ]
    return await submit(connection, orders, keyed_fifo=False)


async def ask_for_selection(
    connection: AsyncConnection, context: Context, destination: str, segments: Sequence[str], *, actor: str
) -> int:
    """Queue the queueing of a selection, for processes that may not merge orders; return the order.

    Raises
    ------
    UnknownDestination, BadSelection
        As for `queue_selection` and `selection_of`.
    """
    await check_destination(connection, destination)
    terms = terms_to_json(selection_of(context, segments).terms)
    args: JsonObject = {"destination": destination, "selection": list(segments), "terms": terms}
    return await ask(connection, QUEUE, args, actor=actor)


async def ask_for_retry(connection: AsyncConnection, destination: str | None, *, actor: str) -> int:
    """Queue another try of waiting exports, for processes that may not change orders; return the order."""
    if destination is not None:
        await check_destination(connection, destination)
    args = {"destination": destination}
    # However often people ask while it waits, it is done once.
    return await ask(connection, RETRY, args, actor=actor, unique_key=f"{RETRY}:{destination or ''}")


async def retry(context: Context, connection: AsyncConnection, destination: str | None) -> int:
    """Let exports that wait for another try be tried now; return how many."""
    await peers.come_back(connection, Sort.FILES, destination)
    kind, every = _kind_of(destination)
    return await admin.run_kind_now(connection, kind, prefix=every)


def _kind_of(destination: str | None) -> tuple[str, bool]:
    """Return the kind of a destination's orders; or what the kinds of all destinations begin with, and True."""
    return (PREFIX, True) if destination is None else (kind_of(destination), False)


async def overview(connection: AsyncConnection, destination: str | None, limit: int) -> Exports:
    """Return exports that wait, and what destinations have."""
    kind, every = _kind_of(destination)
    waiting = await admin.waiting(connection, kind, prefix=every, limit=limit)
    ended = await store.ended(connection, destination, limit)
    return Exports([_waiting(order) for order in waiting], ended)


def _waiting(order: admin.OrderView) -> WaitingExport:
    destination, path, name = (str(order.args[key]) for key in ("destination", "path", "name"))
    return WaitingExport(
        id=order.id,
        destination=destination,
        path=path,
        name=name,
        state=order.state,
        attempts=order.attempts,
        not_before=order.not_before,
        added=order.added,
        error=order.error,
    )
