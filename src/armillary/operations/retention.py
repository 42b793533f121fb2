"""Forget what has had its time, if the settings say so: never a record of an edit, nor what undoes the latest.

A version that is thinned keeps its row, its digests and its place in the history. Its headers cannot be shown or
compared any more, and its bytes cannot be had again exactly; the edits around it can still be undone card by card.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

from armillary.access import service as access
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Root
from armillary.archive.changes import service as feed
from armillary.archive.cubes import service as cubes
from armillary.base.bus.spooling import take_over
from armillary.base.log import get_logger
from armillary.base.work import Claim, Response, step
from armillary.base.work.periods import Period
from armillary.context import Context, spool_of
from armillary.errors import NotFound
from armillary.headers import service as headers
from armillary.operations import store
from armillary.operations.kinds import RETENTION
from armillary.settings import RetentionSettings

log = get_logger(__name__)
EVERY_S = 86_400.0
PORTION = 1000
_Forget = Callable[[Context, float], Awaitable[int]]
ASIDE = re.compile(r"\.superseded/(\d{1,18})/[^/]+")


def periods_of(settings: RetentionSettings) -> tuple[Period, ...]:
    """Return when something may have had its time; never if everything is kept."""
    kept = (
        settings.versions_days, settings.superseded_days, settings.changes_days, settings.grants_days,
    )  # fmt: skip
    return () if not any(days is not None for days in kept) else (Period(RETENTION, EVERY_S),)


def _parts(settings: RetentionSettings) -> tuple[tuple[str, float | None, _Forget], ...]:
    """Return what may have had its time, after how many days, and what forgets it."""
    return (
        ("versions", settings.versions_days, thin_versions),
        ("superseded", settings.superseded_days, remove_superseded),
        ("changes", settings.changes_days, forget_changes),
        ("grants", settings.grants_days, forget_grants),
    )


async def thin(context: Context) -> None:
    """Thin old versions, remove bytes that uploads replaced long ago, forget old changes and records of grants."""
    parts = _parts(context.settings.retention)
    _say({name: await forget(context, days) for name, days, forget in parts if days is not None})


async def thin_in_steps(context: Context, claims: Sequence[Claim]) -> None:
    """Do the same as an order, which can be cancelled between the parts."""
    (claim,) = claims
    forgotten: dict[str, int] = {}
    for name, days, forget in _parts(context.settings.retention):
        async with step(claim, name) as one:
            if days is None:
                one.skip(f"retention.{name}_days is not set.")
            else:
                forgotten[name] = await forget(context, days)
    claim.complete(Response(value=forgotten))
    _say(forgotten)


def _say(forgotten: Mapping[str, int]) -> None:
    if any(forgotten.values()):
        log.info("past retention", **forgotten)


async def forget_samples(context: Context, *, portion: int = PORTION) -> int:
    """Store what processes left on disk that have ended, and forget samples that are too old; return how many.

    However old they are, those stay that an exposure without a header may need.
    """
    await take_over(context.bus, spool_of(context))
    before = context.bus.now() - round(context.settings.retention.samples_h * 3600e9)
    async with context.database.raw() as connection:
        needed = await headers.needed_since(connection)
    return await context.bus.retain(before=before, needed=needed, portion=portion)


async def forget_changes(context: Context, days: float, *, portion: int = PORTION) -> int:
    """Forget changes that were noted so many days ago, oldest first; return how many."""
    before, total = context.clock.now() - timedelta(days=days), 0
    while True:
        async with context.database.begin() as connection:
            counts = [
                await forget(connection, before=before, limit=portion)
                for forget in (feed.forget, cubes.forget_changes)
            ]
        total += sum(counts)
        if max(counts) < portion:
            return total


async def forget_grants(context: Context, days: float, *, portion: int = PORTION) -> int:
    """Forget what was recorded of grants, and of what was read by them, so many days ago; return how much."""
    before, total = context.clock.now() - timedelta(days=days), 0
    while True:
        async with context.database.begin() as connection:
            forgotten = await access.forget_audit(connection, before=before, limit=portion)
        total += forgotten
        if not forgotten:
            return total


async def thin_versions(context: Context, days: float, *, portion: int = PORTION) -> int:
    """Forget headers and undo recipes of versions replaced so many days ago; return of how many.

    The recipes themselves go with the next sweep, which finds that no version needs them.
    """
    before, last, total = context.clock.now() - timedelta(days=days), 0, 0
    while True:
        async with context.database.begin() as connection:
            thinned = await store.thin(connection, before=before, after_id=last, limit=portion)
        total += len(thinned)
        if len(thinned) < portion:
            return total
        last = thinned[-1]


async def remove_superseded(context: Context, days: float) -> int:
    """Remove set-aside bytes of versions replaced so many days ago; return how many files."""
    async with context.database.begin() as connection:
        roots = [
            root
            for root in await catalog.list_roots(connection)
            if root.name == catalog.STORE and root.claimed
        ]
    total, portion = 0, dict[int, str]()
    for root in roots:
        async for stored in catalog.store_of(context, root).list(".superseded/"):
            if found := ASIDE.fullmatch(stored.key):
                portion[int(found[1])] = stored.key
            if len(portion) == PORTION:
                total += await _remove(context, root, portion, days)
                portion = {}
        total += await _remove(context, root, portion, days)
    return total


async def _remove(context: Context, root: Root, keys: dict[int, str], days: float) -> int:
    before = context.clock.now() - timedelta(days=days)
    async with context.database.begin() as connection:
        old = await store.replaced(connection, list(keys), before=before)
    bytes_of = catalog.store_of(context, root)
    for version_id in old:
        with contextlib.suppress(NotFound):
            await bytes_of.delete(keys[version_id])
        if root.path:
            with contextlib.suppress(OSError):
                (root.path / keys[version_id]).parent.rmdir()
    return len(old)
