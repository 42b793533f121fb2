"""Every statement that changes images, arrivals, information images.

Each effect of a file is one upsert that touches its own columns only: files of an image that arrive at the same
time, in any order, any number of times, leave exactly one row with everything that they bring.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.images.headers import Columns, Read
from armillary.archive.images.names import ImageName
from armillary.archive.images.tables import arrival, image, info_image, info_reservation
from armillary.base.database import AnyRow

HEADER_COLUMNS = tuple(one.name for one in dataclasses.fields(Columns) if one.name != "shown")
KEPT_WARNINGS = 20


async def put_header(
    connection: AsyncConnection,
    name: ImageName,
    read: Read,
    columns: Columns,
    *,
    directory: str,
    source: str,
    now: datetime,
    expires: datetime | None,
) -> bool:
    """Give an image its header; that of FITS data only if it has none. Tell whether it was taken."""
    values: dict[str, Any] = {
        **{one: getattr(columns, one) for one in HEADER_COLUMNS},
        "sort_date": columns.capture_date or now,
        "shown": columns.shown,
        "header": read.values,
        "header_from": source,
        "warnings": list(read.warnings)[:KEPT_WARNINGS],
    }
    statement = insert(image).values(**_identity(name, directory), arrived=now, expires=expires, **values)
    taken: dict[str, Any] = {one: statement.excluded[one] for one in values}
    if columns.capture_date is None:
        taken["sort_date"] = image.c.sort_date
    statement = statement.on_conflict_do_update(
        index_elements=["directory", "base_filename"],
        set_=taken,
        where=image.c.header.is_(None) if source == "fits" else None,
    )
    return (await connection.execute(statement)).rowcount > 0


async def put_object(
    connection: AsyncConnection,
    name: ImageName,
    key: str,
    *,
    directory: str,
    now: datetime,
    expires: datetime | None,
    warnings: Sequence[str] = (),
) -> None:
    """Let a file belong to its image, and be what its name says unless a better one of that role is there."""
    role = name.role
    values: dict[str, Any] = {"warnings": list(warnings), "objects": [key]}
    if role is not None and not warnings:
        values |= {f"{role}_key": key, f"{role}_rank": name.rank}
    statement = insert(image).values(
        **_identity(name, directory), arrived=now, expires=expires, sort_date=now, shown={}, **values
    )
    held_already = image.c.objects.contains(statement.excluded.objects)
    with_it = image.c.objects.op("||")(statement.excluded.objects)
    changes: dict[str, Any] = {"objects": sa.case((held_already, image.c.objects), else_=with_it)}
    if warnings:
        changes["warnings"] = image.c.warnings.op("||")(statement.excluded.warnings)
    elif role is not None:
        held, rank = image.c[f"{role}_rank"], statement.excluded[f"{role}_rank"]
        better = sa.or_(held.is_(None), rank <= held)
        for column in (f"{role}_key", f"{role}_rank"):
            changes[column] = sa.case((better, statement.excluded[column]), else_=image.c[column])
    if expires is not None:
        changes["expires"] = statement.excluded.expires
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["directory", "base_filename"], set_=changes)
    )


def _identity(name: ImageName, directory: str) -> dict[str, str]:
    return {
        "directory": directory,
        "base_filename": name.base,
        "site": name.site,
        "data_type": name.kind,
    }


async def shown(connection: AsyncConnection, directory: str, base: str) -> AnyRow | None:
    """Return the release date of an image that has a picture, so that queries find it; None for others."""
    query = sa.select(image.c.release_date).where(
        image.c.directory == directory, image.c.base_filename == base, image.c.jpg_medium_key.is_not(None)
    )
    return (await connection.execute(query)).first()


async def add_arrival(
    connection: AsyncConnection, *, site: str, filename: str, size: int, now: datetime, expires: datetime
) -> None:
    """Note in the log of arrivals that a file came."""
    row = {"site": site, "filename": filename, "size_bytes": size, "arrived": now, "expires": expires}
    await connection.execute(insert(arrival).values(row))


async def reserve_slot(
    connection: AsyncConnection, *, site: str, channel: int, base: str, now: datetime
) -> None:
    """Reserve a slot of information images; the last reservation counts."""
    statement = insert(info_reservation).values(site=site, channel=channel, base_filename=base, reserved=now)
    fresh = {one: statement.excluded[one] for one in ("base_filename", "reserved")}
    await connection.execute(statement.on_conflict_do_update(index_elements=["site", "channel"], set_=fresh))


async def slots_of(connection: AsyncConnection, site: str, base: str) -> list[int]:
    """Return the slots that are reserved for an information image, the latest first."""
    query = (
        sa.select(info_reservation.c.channel)
        .where(info_reservation.c.site == site, info_reservation.c.base_filename == base)
        .order_by(info_reservation.c.reserved.desc())
    )
    return list((await connection.execute(query)).scalars())


async def put_info_object(
    connection: AsyncConnection,
    *,
    site: str,
    channel: int,
    base: str,
    objects: Mapping[str, str],
    header: Mapping[str, Any] | None,
    data_type: str | None,
    file_date: str | None,
    expires: datetime,
) -> None:
    """Put a file into a slot; one of another image clears the slot first."""
    values = {
        "base_filename": base,
        "data_type": data_type,
        "file_date": file_date,
        "expires": expires,
        "objects": dict(objects),
        "header": header,
    }
    statement = insert(info_image).values(site=site, channel=channel, **values)
    same = info_image.c.base_filename == statement.excluded.base_filename
    merged = sa.type_coerce(info_image.c.objects, JSONB).op("||")(statement.excluded.objects)
    fresh: dict[str, Any] = {one: statement.excluded[one] for one in values}
    fresh["objects"] = sa.case((same, merged), else_=statement.excluded.objects)
    fresh["header"] = sa.case(
        (sa.and_(same, statement.excluded.header.is_(None)), info_image.c.header),
        else_=statement.excluded.header,
    )
    await connection.execute(statement.on_conflict_do_update(index_elements=["site", "channel"], set_=fresh))


async def forget_arrivals(connection: AsyncConnection, *, now: datetime, limit: int) -> int:
    """Forget arrivals whose time is up; return how many."""
    old = sa.select(arrival.c.id).where(arrival.c.expires <= now).order_by(arrival.c.expires).limit(limit)
    statement = sa.delete(arrival).where(arrival.c.id.in_(old))
    return (await connection.execute(statement)).rowcount
