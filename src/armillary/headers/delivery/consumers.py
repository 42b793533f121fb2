"""Named consumers of headers: what each has taken is kept for it, and the rest is given to it again.

A consumer takes announcements up to a cursor, or single revisions in any order; what lies before its cursor is
taken, and what is not taken is given to it again, in the order of the feed. Who wants only the latest revision of
each image gets it in the place of the first one that it has not taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import AnyRow
from armillary.base.feed import store as feed
from armillary.base.feed.models import Cursor, Entry
from armillary.base.feed.reader import NOW, page_after, position, position_since
from armillary.headers.delivery.announcements import (
    PORTION,
    Key,
    key_in,
    key_of,
    latest_of,
    told_of,
    with_objects,
)
from armillary.headers.delivery.models import HEADERS, Announcement, Consumer, HeaderCreated, Page, Taken
from armillary.headers.errors import UnknownHeaderConsumer

MOST_COUNTED = 10_000
EARLIEST, LATEST = "earliest", "latest"
_COLUMNS = "name, instruments, generation, number, id, registered, seen"
# Who is known stays where it is; what it wants may change.
_REGISTER = f"""
INSERT INTO header_consumer (name, instruments, generation, number, id) VALUES ($1, $2::text[], $3, $4, $5)
ON CONFLICT (name) DO UPDATE SET instruments = excluded.instruments RETURNING {_COLUMNS}
"""  # noqa: S608
_GET = f"SELECT {_COLUMNS} FROM header_consumer WHERE name = $1"  # noqa: S608
_LIST = f"SELECT {_COLUMNS} FROM header_consumer ORDER BY name"  # noqa: S608
_SEE = "UPDATE header_consumer SET seen = now() WHERE name = $1 AND seen < now() - interval '10 seconds'"
_MOVE = """
UPDATE header_consumer SET generation = $2, number = $3, id = $4, seen = now()
WHERE name = $1 AND (generation, number, id) < ($2::integer, $3::bigint, $4::bigint)
"""
_TAKEN = "SELECT instrument, image_id, product, revision FROM header_taken WHERE consumer = $1"
_TAKE = """
INSERT INTO header_taken AS t (consumer, instrument, image_id, product, revision)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::integer[])
ON CONFLICT (consumer, instrument, image_id, product)
DO UPDATE SET revision = greatest(t.revision, excluded.revision)
"""
_UNTAKE = """
DELETE FROM header_taken AS t USING unnest($2::text[], $3::text[], $4::text[], $5::integer[])
    AS g (instrument, image_id, product, revision)
WHERE t.consumer = $1 AND (t.instrument, t.image_id, t.product, t.revision)
    = (g.instrument, g.image_id, g.product, g.revision)
"""
_SHOW = """
INSERT INTO header_shown (consumer, generation, number, id, instrument, image_id, product, revision)
SELECT $1, * FROM unnest($2::integer[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[],
    $8::integer[])
ON CONFLICT (consumer, generation, number, id) DO UPDATE SET revision = excluded.revision
"""
# What was shown in the place of an earlier revision is taken when that place is passed.
_GO_PAST = """
WITH passed AS (
    DELETE FROM header_shown WHERE consumer = $1
        AND (generation, number, id) <= ($2::integer, $3::bigint, $4::bigint)
    RETURNING instrument, image_id, product, revision
)
SELECT instrument, image_id, product, max(revision) AS revision FROM passed GROUP BY 1, 2, 3
"""


async def start_at(connection: AsyncConnection, start: str | datetime) -> Cursor:
    """Return the position before the first announcement since a time, or at an end of the feed."""
    if isinstance(start, datetime):
        return await position_since(connection, HEADERS, start)
    return await position(connection, HEADERS, NOW if start == LATEST else None)


async def register(
    connection: AsyncConnection, name: str, instruments: Sequence[str] | None, start: str | datetime
) -> Consumer:
    """Let a consumer be known; one that is known already stays where it is and may want other instruments."""
    cursor = await start_at(connection, start)
    wanted = list(instruments) if instruments else None
    row = (await connection.exec_driver_sql(_REGISTER, (name, wanted, *cursor.position))).one()
    return _consumer(row)


async def get(connection: AsyncConnection, name: str) -> Consumer:
    """Return a consumer.

    Raises
    ------
    UnknownHeaderConsumer
        If it is not registered.
    """
    row = (await connection.exec_driver_sql(_GET, (name,))).first()
    if row is None:
        raise UnknownHeaderConsumer(
            f"No consumer '{name}' is registered; register it by PUT /v1/consumers/{name}."
        )
    return _consumer(row)


async def list_all(connection: AsyncConnection) -> list[Consumer]:
    """Return all consumers, each with the number of announcements that it has not taken."""
    found = [_consumer(row) for row in await connection.exec_driver_sql(_LIST)]
    return [structs.replace(one, pending=await _count(connection, one)) for one in found]


async def remove(connection: AsyncConnection, name: str) -> None:
    """Forget a consumer.

    Raises
    ------
    UnknownHeaderConsumer
        If it is not registered.
    """
    await get(connection, name)
    await connection.exec_driver_sql("DELETE FROM header_consumer WHERE name = $1", (name,))


async def pending(connection: AsyncConnection, name: str, *, limit: int, collapse: bool) -> Page:
    """Return up to ``limit`` announcements that a consumer has not taken, in order: the same until it takes them.

    With ``collapse`` each image comes once, in its first place, as its latest revision.
    """
    consumer = await get(connection, name)
    await connection.exec_driver_sql(_SEE, (name,))
    entries, cursor = await _untaken(connection, consumer, limit, collapse=collapse)
    told = [told_of(one) for one in entries]
    if collapse:
        told = await _collapsed(connection, name, told)
    return Page(await with_objects(connection, told), cursor.token)


async def _untaken(
    connection: AsyncConnection, consumer: Consumer, limit: int, *, collapse: bool
) -> tuple[list[Entry], Cursor]:
    taken = await _taken(connection, consumer.name)
    found: list[Entry] = []
    seen: set[Key] = set()
    cursor, more = Cursor.parse(consumer.cursor), True
    while more and len(found) < limit:
        page = await page_after(connection, HEADERS, cursor, PORTION)
        for entry in page.entries:
            if len(found) == limit:
                return found, cursor
            cursor = entry.cursor
            if not _is_wanted(consumer, entry) or _is_taken(taken, entry):
                continue
            key = key_in(entry)
            if collapse and key in seen:
                continue
            seen.add(key)
            found.append(entry)
        more = page.more
    return found, cursor


def _is_wanted(consumer: Consumer, entry: Entry) -> bool:
    return consumer.instruments is None or entry.payload["instrument"] in consumer.instruments


def _is_taken(taken: dict[Key, int], entry: Entry) -> bool:
    return bool(taken.get(key_in(entry), -1) >= entry.payload.get("revision", 0))


async def _taken(connection: AsyncConnection, name: str) -> dict[Key, int]:
    rows = await connection.exec_driver_sql(_TAKEN, (name,))
    return {(row.instrument, row.image_id, row.product): row.revision for row in rows}


async def _count(connection: AsyncConnection, consumer: Consumer) -> int:
    entries, _ = await _untaken(connection, consumer, MOST_COUNTED, collapse=False)
    return len(entries)


async def _collapsed(
    connection: AsyncConnection, name: str, told: Sequence[Announcement]
) -> list[Announcement]:
    created = [one for one in told if isinstance(one, HeaderCreated)]
    newest = await latest_of(connection, map(key_of, created))
    found: list[Announcement] = []
    ahead: list[HeaderCreated] = []
    for one in told:
        last = newest.get(key_of(one)) if isinstance(one, HeaderCreated) else None
        if last is None or not isinstance(one, HeaderCreated) or last.revision <= one.revision:
            found.append(one)
            continue
        ahead.append(structs.replace(last, cursor=one.cursor))
        found.append(ahead[-1])
    if ahead:
        positions = list(zip(*(Cursor.parse(one.cursor).position for one in ahead), strict=True))
        what = [
            [getattr(one, field) for one in ahead]
            for field in ("instrument", "image_id", "product", "revision")
        ]
        await connection.exec_driver_sql(_SHOW, (name, *map(list, positions), *what))
    return found


async def take_up_to(connection: AsyncConnection, name: str, cursor: Cursor) -> Consumer:
    """Take everything up to a cursor as dealt with; of several calls the furthest counts.

    Raises
    ------
    UnknownHeaderConsumer
        If the consumer is not registered.
    FeedCursorGone
        If there is no announcement at the cursor.
    """
    consumer = await get(connection, name)
    if cursor > Cursor.parse(consumer.cursor):
        if not await feed.is_known(connection, HEADERS.name, cursor.position):
            raise HEADERS.refusal()
        await connection.exec_driver_sql(_MOVE, (name, *cursor.position))
        passed = (await connection.exec_driver_sql(_GO_PAST, (name, *cursor.position))).all()
        await _take(
            connection, name, [(row.instrument, row.image_id, row.product, row.revision) for row in passed]
        )
    await _advance(connection, await get(connection, name))
    return await get(connection, name)


async def take(connection: AsyncConnection, name: str, items: Sequence[Taken]) -> Consumer:
    """Take single revisions as dealt with, and with each the earlier ones of its image and product."""
    consumer = await get(connection, name)
    wanted = consumer.instruments or await _instruments(connection)
    rows: list[tuple[str, str, str, int]] = []
    for one in items:
        of = [one.instrument] if one.instrument is not None else wanted
        rows += [(instrument, one.image_id, one.product, one.revision) for instrument in of]
    known = await latest_of(connection, (row[:3] for row in rows))
    await _take(connection, name, [row for row in rows if row[:3] in known])
    await _advance(connection, consumer)
    return await get(connection, name)


async def _instruments(connection: AsyncConnection) -> list[str]:
    rows = await connection.exec_driver_sql("SELECT instrument FROM header_service ORDER BY 1")
    return [row.instrument for row in rows]


async def _take(connection: AsyncConnection, name: str, rows: Sequence[tuple[str, str, str, int]]) -> None:
    if rows:
        await connection.exec_driver_sql(_TAKE, (name, *map(list, zip(*dict.fromkeys(rows), strict=True))))


async def _advance(connection: AsyncConnection, consumer: Consumer) -> None:
    """Move the cursor of a consumer past everything that it has taken one by one, and forget that it has."""
    taken = await _taken(connection, consumer.name)
    if not taken:
        return
    start = cursor = at = Cursor.parse(consumer.cursor)
    open_keys: set[Key] = set()
    more, leading = True, True
    while more:
        read = await page_after(connection, HEADERS, at, PORTION)
        at = read.cursor
        for entry in read.entries:
            is_open = _is_wanted(consumer, entry) and not _is_taken(taken, entry)
            leading = leading and not is_open
            if leading:
                cursor = entry.cursor
            elif _is_taken(taken, entry):
                open_keys.add(key_in(entry))
        more = read.more
    if cursor != start:
        await connection.exec_driver_sql(_MOVE, (consumer.name, *cursor.position))
        await connection.exec_driver_sql(_GO_PAST, (consumer.name, *cursor.position))
    # What lies behind the cursor is known by that.
    gone = [(*key, revision) for key, revision in taken.items() if key not in open_keys]
    if gone:
        await connection.exec_driver_sql(_UNTAKE, (consumer.name, *map(list, zip(*gone, strict=True))))


def _consumer(row: AnyRow) -> Consumer:
    cursor = Cursor(row.generation, row.number, row.id)
    return Consumer(row.name, row.instruments, cursor.token, row.registered, row.seen)
