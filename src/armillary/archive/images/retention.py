"""Images, notes and zips whose time is up: rows and objects go together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

import sqlalchemy as sa

from armillary.archive.catalog import file_store
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog import store as versions
from armillary.archive.images import announcements, store, zips
from armillary.archive.images.models import place_of
from armillary.archive.images.tables import image, info_image
from armillary.context import Context
from armillary.errors import NotFound

PORTION = 200
ANNOUNCED = timedelta(days=2)
"""How long followers may be away and miss no announcement."""


async def forget_expired(context: Context) -> dict[str, int]:
    """Remove images, information images and notes whose time is up; return how many of each."""
    found = {"images": await _images(context), "info images": await _info_images(context)}
    now = context.clock.now()
    async with context.database.begin() as connection:
        found["arrivals"] = await store.forget_arrivals(connection, now=now, limit=10_000)
        found["zips"] = await zips.forget_zips(connection, now=now, limit=10_000)
        found["announcements"] = await announcements.forget(connection, before=now - ANNOUNCED, limit=10_000)
    return found


async def _images(context: Context) -> int:
    total = 0
    while True:
        async with context.database.begin() as connection:
            due = image.c.expires <= context.clock.now()
            query = sa.select(image).where(due).order_by(image.c.expires).limit(PORTION)
            rows = list(await connection.execute(query))
        if not rows:
            return total
        # Objects first: a row without objects would come up again, objects without a row never.
        await _remove_objects(context, [key for row in rows for key in row.objects])
        async with context.database.begin() as connection:
            # What came meanwhile has made some of them live on.
            gone = image.c.id.in_([row.id for row in rows])
            await connection.execute(sa.delete(image).where(gone, image.c.expires <= context.clock.now()))
        total += len(rows)


async def _info_images(context: Context) -> int:
    async with context.database.begin() as connection:
        due = info_image.c.expires <= context.clock.now()
        rows = list(await connection.execute(sa.select(info_image).where(due).limit(PORTION)))
    if not rows:
        return 0
    await _remove_objects(context, [key for row in rows for key in row.objects.values()])
    async with context.database.begin() as connection:
        for row in rows:
            same = (info_image.c.site == row.site, info_image.c.channel == row.channel)
            await connection.execute(sa.delete(info_image).where(*same, due))
    return len(rows)


async def _remove_objects(context: Context, keys: Sequence[str]) -> None:
    """Delete objects and let the catalog know that they are gone; those that are gone already do no harm."""
    async with context.database.begin() as connection:
        root = await catalog.images_root(connection, context)
        places = [place_of(root.id, key) for key in keys]
        present = await file_store.present_at(connection, places)
    bytes_of = catalog.store_of(context, root)
    gone = [one for one in present.values() if one.location.key in set(keys)]
    for version in gone:
        with suppress(NotFound):
            await bytes_of.delete(version.location.key)
    async with context.database.begin() as connection:
        await versions.mark_absent(connection, [version.id for version in gone])
