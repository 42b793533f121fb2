"""What products leave behind and what they lack: objects without a record, records without an object."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection

from armillary.archive.catalog import product_store as store
from armillary.archive.products import objects
from armillary.archive.products.orders import submit_builds
from armillary.archive.products.registry import BUILDERS, OF_KIND
from armillary.base.store import StoredObject
from armillary.context import Context
from armillary.errors import NotFound

PORTION = 500
YOUNG_S = 86_400.0
"""An object is stored before its record, so a young one may yet get it."""


async def settle_products(context: Context, *, young_s: float = YOUNG_S) -> dict[str, int]:
    """Forget old conversions and objects without a record, and queue what is gone or of an earlier step.

    How many there were of each is returned.
    """
    forgotten, moved = await _forget(context), await _move_out(context)
    renewed = await _renew_old_steps(context)
    removed, after = 0, ""
    async for portion in _portions(context):
        # Objects and records come in the same order, so each portion of objects meets its part of the records.
        last = portion[-1].key if portion else None
        async with context.database.begin() as connection:
            recorded = await store.recorded_objects(connection, after=after, last=last)
        there = {stored.key for stored in portion}
        old = context.clock.now().timestamp() - young_s
        orphans = [one.key for one in portion if one.key not in recorded and one.mtime_ns < old * 1e9]
        removed += await _remove(context, orphans)
        renewed += await _renew(context, {recorded[key] for key in recorded.keys() - there})
        after = last or after
    return {"forgotten": forgotten, "moved": moved, "removed": removed, "renewed": renewed}


async def _portions(context: Context) -> AsyncIterator[list[StoredObject]]:
    """Yield all objects in order of key, and at last an empty portion: records may lie behind the last object."""
    portion: list[StoredObject] = []
    if objects.directory_of(context).is_dir():
        async for stored in objects.store_of_products(context).list():
            portion.append(stored)
            if len(portion) == PORTION:
                yield portion
                portion = []
    if portion:
        yield portion
    yield []


async def _remove(context: Context, keys: Collection[str]) -> int:
    removed = 0
    for key in keys:
        # Equal bytes may have been put on record since. Then the next look finds them gone and has them made anew.
        try:
            await objects.store_of_products(context).delete(key)
        except NotFound:
            continue
        removed += 1
    return removed


async def _renew(context: Context, wanted: Collection[tuple[int, str]]) -> int:
    """Queue the builders of products, given by version and kind; return how many versions there are."""
    of_builder: dict[str, set[int]] = {}
    for version_id, kind in wanted:
        if kind in OF_KIND:
            of_builder.setdefault(OF_KIND[kind].name, set()).add(version_id)
    async with context.database.begin() as connection:
        for name, versions in of_builder.items():
            await submit_builds(connection, name, sorted(versions), actor="armillary")
    return sum(map(len, of_builder.values()))


async def _forget(context: Context) -> int:
    """Take conversions off the record that were made long ago; their objects go as all do without one."""
    total = 0
    for builder in BUILDERS:
        while builder.kept is not None:
            async with context.database.begin() as connection:
                before = context.clock.now() - builder.kept
                gone = await store.forget_products(connection, builder.makes, before=before, limit=PORTION)
            total += gone
            if gone < PORTION:
                break
    return total


async def _renew_old_steps(context: Context) -> int:
    """Queue some of those that an earlier step of their builder made; the others follow at later looks."""
    found: set[tuple[int, str]] = set()
    async with context.database.begin() as connection:
        for builder in BUILDERS:
            found |= await store.products_before(connection, builder.makes, builder.step, limit=PORTION)
    return await _renew(context, found)


async def _move_out(context: Context) -> int:
    """Move pictures out of the database, where former versions of this program kept them; return how many."""
    moved = 0
    while True:
        async with context.database.begin() as connection:
            inside = await store.products_inside(connection, limit=PORTION // 10)
            for one in inside:
                key = await objects.keep(context, one.media_type, one.content or b"")
                await store.move_product_out(connection, one.version_id, one.kind, key)
        moved += len(inside)
        if not inside:
            return moved
