"""Find undo recipes that no version needs: what runs put down that were killed before they were through."""

from __future__ import annotations

import re

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Root
from armillary.base.work import admin
from armillary.context import Context
from armillary.edits import store

PORTION = 1000
RECIPE = re.compile(r"undo-(\d+)-\d+")


async def sweep_recipes(context: Context) -> int:
    """Remove undo recipes whose order has ended without a version that keeps them; return how many."""
    async with context.database.begin() as connection:
        roots = await catalog.list_roots(connection)
    removed = 0
    for root in roots:
        if root.is_there:
            removed += await _sweep(context, root)
    return removed


async def _sweep(context: Context, root: Root) -> int:
    bytes_of, removed = catalog.store_of(context, root), 0
    # Listed first: a recipe that appears later belongs to an order that lives.
    found = [match for name in await bytes_of.blob_names() if (match := RECIPE.fullmatch(name))]
    for start in range(0, len(found), PORTION):
        by_name = {match[0]: int(match[1]) for match in found[start : start + PORTION]}
        for name in by_name.keys() - await _needed(context, by_name):
            await bytes_of.delete_blob(name)
            removed += 1
    return removed


async def _needed(context: Context, by_name: dict[str, int]) -> set[str]:
    async with context.database.begin() as connection:
        unfinished = await admin.unfinished_among(connection, by_name.values())
        edits = await store.edits_of_orders(connection, by_name.values())
        made = {row.version_after for row in edits.values() if row.version_after}
        versions = await catalog.versions_by_id(connection, made)
    kept = {name for one in versions.values() for name in (one.undo or "").split(",")}
    return kept | {name for name, order_id in by_name.items() if order_id in unfinished}
