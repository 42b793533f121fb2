"""Forget what has had its time, if the settings say so: never a record of an edit, nor what undoes the latest.

A version that is thinned keeps its row, its digests and its place in the history. Its headers cannot be shown or
compared any more, and its bytes cannot be had again exactly; the edits around it can still be undone card by card.
"""

from __future__ import annotations

import contextlib
import re
from datetime import timedelta

from armillary.archive import changes as feed
from armillary.archive import service as archive
from armillary.archive.versions import Root
from armillary.base.log import get_logger
from armillary.context import Context
from armillary.errors import NotFound
from armillary.operations import store

log = get_logger(__name__)
PORTION = 1000
ASIDE = re.compile(r"\.superseded/(\d{1,18})/[^/]+")


async def thin(context: Context) -> None:
    """Thin old versions, remove bytes that uploads replaced long ago, forget old changes."""
    settings = context.settings.retention
    versions = aside = changes = 0
    if settings.versions_days is not None:
        versions = await thin_versions(context, settings.versions_days)
    if settings.superseded_days is not None:
        aside = await remove_superseded(context, settings.superseded_days)
    if settings.changes_days is not None:
        changes = await forget_changes(context, settings.changes_days)
    if versions or aside or changes:
        log.info("past retention", versions=versions, superseded=aside, changes=changes)


async def forget_changes(context: Context, days: float) -> int:
    """Forget changes that were noted so many days ago, oldest first; return how many."""
    before, total = context.clock.now() - timedelta(days=days), 0
    while True:
        async with context.database.begin() as connection:
            forgotten = await feed.forget(connection, before=before, limit=PORTION)
        total += forgotten
        if forgotten < PORTION:
            return total


async def thin_versions(context: Context, days: float) -> int:
    """Forget headers and undo recipes of versions replaced so many days ago; return of how many.

    The recipes themselves go with the next sweep, which finds that no version needs them.
    """
    before, last, total = context.clock.now() - timedelta(days=days), 0, 0
    while True:
        async with context.database.begin() as connection:
            thinned = await store.thin(connection, before=before, after_id=last, limit=PORTION)
        total += len(thinned)
        if len(thinned) < PORTION:
            return total
        last = thinned[-1]


async def remove_superseded(context: Context, days: float) -> int:
    """Remove set-aside bytes of versions replaced so many days ago; return how many files."""
    async with context.database.begin() as connection:
        roots = [
            root
            for root in await archive.list_roots(connection)
            if root.name == archive.STORE and root.claimed
        ]
    total, portion = 0, dict[int, str]()
    for root in roots:
        async for stored in archive.store_of(context, root).list(".superseded/"):
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
    bytes_of = archive.store_of(context, root)
    for version_id in old:
        with contextlib.suppress(NotFound):
            await bytes_of.delete(keys[version_id])
        with contextlib.suppress(OSError):
            (root.path / keys[version_id]).parent.rmdir()
    return len(old)
