"""Announcements of headers as they are told: read, chosen, brought up to date with later revisions and objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import AnyRow
from armillary.base.feed.models import Entry
from armillary.base.feed.reader import page_after, position
from armillary.headers.delivery.making import MEDIA_TYPES
from armillary.headers.delivery.models import HEADERS, Announcement, HeaderCreated, HeaderObject, Page

PORTION = 500
"""Entries of the feed that are read at once."""
_LATEST = """
SELECT DISTINCT ON (r.instrument, r.image_id, r.product) r.exposure, r.announcement::text AS announcement
FROM header_revision AS r
JOIN unnest($1::text[], $2::text[], $3::text[]) AS w (instrument, image_id, product)
    ON (r.instrument, r.image_id, r.product) = (w.instrument, w.image_id, w.product)
ORDER BY r.instrument, r.image_id, r.product, r.revision DESC
"""
_OBJECTS = """
SELECT e.instrument, e.image_id, o.product, o.revision, o.extension, o.url, o.size_bytes, o.sha256
FROM unnest($1::text[], $2::text[]) AS w (instrument, image_id)
JOIN exposure AS e ON (e.instrument, e.image_id) = (w.instrument, w.image_id)
JOIN header_object AS o ON o.exposure = e.id
WHERE o.stored IS NOT NULL ORDER BY e.id, o.product, o.revision, o.extension DESC
"""
_announcement = msgspec.json.Decoder(HeaderCreated)
Key = tuple[str, str, str]
"""Instrument, image id, product."""


def key_in(entry: Entry) -> Key:
    """Return what the announcement in an entry of the feed is about."""
    told = entry.payload
    return told["instrument"], told["image_id"], told.get("product", "")


def key_of(one: HeaderCreated) -> Key:
    """Return what an announcement is about."""
    return one.instrument, one.image_id, one.product


def told_of(entry: Entry) -> Announcement:
    """Return the announcement that an entry of the feed is."""
    found: Announcement = msgspec.convert(entry.payload, Announcement)
    return structs.replace(found, cursor=entry.cursor.token)


async def latest_of(connection: AsyncConnection, keys: Iterable[Key]) -> dict[Key, HeaderCreated]:
    """Return the announcements of the latest revisions of those that there are."""
    if not (wanted := list(keys)):
        return {}
    rows = await connection.exec_driver_sql(_LATEST, tuple(map(list, zip(*wanted, strict=True))))
    return {key_of(one): one for one in (_announcement.decode(row.announcement) for row in rows)}


async def with_objects(connection: AsyncConnection, told: Sequence[Announcement]) -> list[Announcement]:
    """Return announcements with the objects of the annex that are there by now."""
    created = [one for one in told if isinstance(one, HeaderCreated)]
    if not created:
        return list(told)
    images = dict.fromkeys((one.instrument, one.image_id) for one in created)
    found: dict[tuple[str, str, str, int], list[HeaderObject]] = {}
    columns = tuple(map(list, zip(*images, strict=True)))
    for row in await connection.exec_driver_sql(_OBJECTS, columns):
        place = row.instrument, row.image_id, row.product, row.revision
        found.setdefault(place, []).append(stored_object(row))
    return [
        _with(one, found.get((*key_of(one), one.revision), ())) if isinstance(one, HeaderCreated) else one
        for one in told
    ]


def _with(one: HeaderCreated, objects: Sequence[HeaderObject]) -> HeaderCreated:
    return structs.replace(one, objects=[*one.objects, *objects])


def stored_object(row: AnyRow) -> HeaderObject:
    """Return what is told of an object of the annex."""
    kinds: dict[str, str] = {str(form): media for form, media in MEDIA_TYPES.items()}
    return HeaderObject(row.url, kinds[row.extension], row.size_bytes, row.sha256, stored=True)


async def page(
    connection: AsyncConnection,
    since: str | None,
    *,
    limit: int,
    instrument: str | None,
    night: str | None,
    complete: bool | None,
    collapse: bool,
) -> Page:
    """Return announcements behind a cursor that bear an instrument, a night, or are complete or not."""
    cursor = await position(connection, HEADERS, since)
    found: list[Announcement] = []
    seen: set[Key] = set()
    more = True
    while more and len(found) < limit:
        read = await page_after(connection, HEADERS, cursor, PORTION)
        for entry in read.entries:
            if len(found) == limit:
                break
            cursor = entry.cursor
            if not _matches(entry.payload, instrument, night, complete) or (
                collapse and key_in(entry) in seen
            ):
                continue
            seen.add(key_in(entry))
            found.append(told_of(entry))
        more = read.more
    if collapse:
        found = await _newest(connection, found)
    return Page(await with_objects(connection, found), cursor.token)


def _matches(told: dict[str, Any], instrument: str | None, night: str | None, complete: bool | None) -> bool:
    return (
        instrument in (None, told["instrument"])
        and night in (None, told["day_obs"])
        and complete in (None, told.get("complete"))
    )


async def _newest(connection: AsyncConnection, told: Sequence[Announcement]) -> list[Announcement]:
    created = [one for one in told if isinstance(one, HeaderCreated)]
    newest = await latest_of(connection, map(key_of, created))
    return [
        structs.replace(newest.get(key_of(one), one), cursor=one.cursor)
        if isinstance(one, HeaderCreated)
        else one
        for one in told
    ]
