"""The work order `ingest`: examine stored files in batches and put them into the catalog."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import store
from armillary.archive.catalog.media import is_fits
from armillary.archive.catalog.recording import record_versions
from armillary.archive.errors import FileVanished, StillGrowing
from armillary.archive.intake import presence
from armillary.archive.intake.beside import look_at_small, suits_children
from armillary.archive.intake.candidates import candidates_of, note_moves, refuse_twins
from armillary.archive.intake.looks import Candidate, look_through
from armillary.archive.intake.profiles import profiles_of
from armillary.archive.intake.reading import describer_of
from armillary.archive.products import service as products
from armillary.base.database_errors import is_transient, reason_of
from armillary.base.log import get_logger
from armillary.base.store import whole_or_part
from armillary.base.work import Claim, LostLease, Response, completing_all
from armillary.context import Context
from armillary.settings import ArchiveSettings

log = get_logger(__name__)
NS = 1_000_000_000
THREADS = 2
LARGE = 100
"""So many files at most that are not small are recorded together."""
_turn = threading.Lock()


async def ingest(context: Context, claims: Sequence[Claim]) -> None:
    """Take a batch of files in: each gets its own outcome, and those of a portion share one transaction."""
    for portion in await asyncio.to_thread(_portions, await candidates_of(context, claims)):
        await _take_in(context, portion)


def _portions(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Divide candidates: large files take so long that who watches wants to see some before all are done."""
    portions: list[list[Candidate]] = [[]]
    large = 0
    for one in candidates:
        if large == LARGE:
            portions.append([])
            large = 0
        portions[-1].append(one)
        large += not suits_children(one)
    return portions


async def _take_in(context: Context, candidates: Sequence[Candidate]) -> None:
    if not candidates:
        return
    await examine(context, candidates)
    await refuse_twins(context, candidates)
    await note_moves(context, candidates)
    await _finish(context, candidates)


async def examine(context: Context, candidates: Sequence[Candidate]) -> None:
    """Look at the files of a batch; what goes wrong is kept with each."""
    settings = context.settings.archive
    if all(candidate.args.get("known") for candidate in candidates):
        await asyncio.to_thread(_examine_in_turn, candidates, settings)
        return
    await look_at_small(context, candidates)
    if not (left := _not_seen(candidates)):
        return
    left = await asyncio.to_thread(_examine_small, left, settings)
    # A hop to a thread costs as much as a small file, so each takes its share of the batch.
    threads = min(THREADS, len(left))
    shares = [left[number::threads] for number in range(threads)]
    await asyncio.gather(*(asyncio.to_thread(_examine_all, share, settings) for share in shares))


def _examine_in_turn(candidates: Sequence[Candidate], settings: ArchiveSettings) -> None:
    """Look at files of which only headers are read: threads would only wait for each other at every call."""
    with _turn:
        _examine_all(candidates, settings)


def _examine_small(candidates: Sequence[Candidate], settings: ArchiveSettings) -> list[Candidate]:
    """Look at the small files, for which the same holds; return the others."""
    with _turn:
        _examine_all(candidates, settings, small=True)
    return _not_seen(candidates)


def _not_seen(candidates: Sequence[Candidate]) -> list[Candidate]:
    return [one for one in candidates if one.bytes is None and one.error is None and not one.skipped]


def _examine_all(candidates: Sequence[Candidate], settings: ArchiveSettings, *, small: bool = False) -> None:
    """Look at some files in a thread, or at the small ones among them."""
    describer = describer_of(profiles_of(settings.profiles), settings.site)
    look_through(candidates, settings, describer, small=small)


async def _finish(context: Context, candidates: Sequence[Candidate]) -> None:
    """End the orders: the good ones with their versions in one transaction, the others with their error."""
    good = [c for c in candidates if c.error is None]
    for failed in candidates:
        if isinstance(failed.error, StillGrowing):
            failed.order.postpone(5.0, failed.error.message)
        elif failed.error is not None:
            await failed.order.fail(await whole_or_part(failed.store, failed.error))
    vanished = [c.known.presence() for c in candidates if c.known and isinstance(c.error, FileVanished)]
    await presence.mark_gone(context, vanished)
    if not good:
        return
    try:
        await _record(context, good)
    except Exception as error:
        if len(good) == 1 or is_transient(error) or isinstance(error, LostLease):
            raise
        # One file that the catalog refuses must not keep the others out.
        log.warning("batch refused; its files are recorded one by one", error=reason_of(error))
        for one in good:
            await _record_alone(context, one)
    new = sum(not c.skipped for c in good)
    log.info("files ingested", new=new, skipped=len(good) - new, failed=len(candidates) - len(good))


async def _record_alone(context: Context, one: Candidate) -> None:
    try:
        await _record(context, [one])
    except Exception as error:
        await one.order.fail(error)


async def _record(context: Context, good: Sequence[Candidate]) -> None:
    """Put files into the catalog and end their orders, all in one transaction."""
    responses = {c.order.order.id: Response(value=_outcome(c)) for c in good}
    async with completing_all([c.order for c in good], responses) as connection:
        await record_candidates(connection, good, context.settings.archive, now=context.clock.now())


async def record_candidates(
    connection: AsyncConnection, good: Sequence[Candidate], settings: ArchiveSettings, *, now: datetime
) -> None:
    """Put examined files into the catalog, in the caller's transaction."""
    if left := [version_id for one in good for version_id in one.left]:
        await store.mark_absent(connection, left)
    for one in good:
        if one.skipped == "same bytes" and one.known and one.stored:
            lastmod = datetime.fromtimestamp(one.stored.mtime_ns / NS, UTC)
            await store.touch_version(
                connection,
                one.known.id,
                mtime_ns=one.stored.mtime_ns,
                identity=one.stored.identity,
                lastmod=lastmod,
            )
    new = [c for c in good if not c.skipped]
    ids = await record_new(new, connection, now=now)
    of_version = dict(zip(ids, new, strict=True))
    await products.add_pictures(connection, {id: one.pictures for id, one in of_version.items()})
    # What is not made is ordered, in the same transaction: no frame stays without its products.
    await products.submit_products(
        connection,
        ids,
        actor="armillary",
        digested={id for id, one in of_version.items() if one.bytes and one.bytes.has_digests},
        pictured={id for id, one in of_version.items() if one.pictures or not _has_image(one)},
        tiled={id for id, one in of_version.items() if one.new and products.needs_tiles(one.new, settings)},
    )


def _has_image(candidate: Candidate) -> bool:
    known = candidate.bytes
    return is_fits(candidate.location.filename) and (known is None or known.has_image)


async def record_new(new: Sequence[Candidate], connection: AsyncConnection, *, now: datetime) -> list[int]:
    """Record examined files as versions with frames and return the versions' ids."""
    moved = {c.location: c.moved for c in new if c.moved}
    return await record_versions(connection, [one for c in new if (one := c.recorded)], now=now, moved=moved)


def _outcome(candidate: Candidate) -> dict[str, Any]:
    return {"outcome": "skipped" if candidate.skipped else "ingested", "why": candidate.skipped or None}
