"""Every statement on control rooms."""

# What is put into these texts are constants of this module.
# ruff: noqa: S608

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.sites.rooms.models import Room

_COLUMNS = "site, provider, room_id, slug, url, config, configured, expires, made"
FIND = f"SELECT {_COLUMNS} FROM control_room WHERE site = $1"
ALL = f"SELECT {_COLUMNS} FROM control_room ORDER BY site"

# The room that was there before is to be deleted from now on, in the same statement. Repeated after a commit of
# which nobody heard, it finds its own room, and changes nothing.
PUT = """
WITH left_behind AS (
    INSERT INTO control_room_left (provider, slug, room_id, site)
    SELECT provider, slug, room_id, site FROM control_room
    WHERE site = $1 AND (provider, slug) IS DISTINCT FROM ($2, $4)
    ON CONFLICT DO NOTHING
)
INSERT INTO control_room AS r (site, provider, room_id, slug, url, config, configured, expires, made)
VALUES ($1, $2, $3, $4, $5, $6::text::json, $7, $8, $9)
ON CONFLICT (site) DO UPDATE SET provider = EXCLUDED.provider, room_id = EXCLUDED.room_id, slug = EXCLUDED.slug,
    url = EXCLUDED.url, config = EXCLUDED.config, configured = EXCLUDED.configured, expires = EXCLUDED.expires,
    made = EXCLUDED.made
"""
DROP = "DELETE FROM control_room WHERE site = $1 AND provider = $2 AND slug = $3"
LEAVE = """
INSERT INTO control_room_left (provider, slug, room_id, site) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
LEFT = """
SELECT site, provider, room_id, slug, '' AS url FROM control_room_left WHERE provider = $1 ORDER BY since, slug
"""
FORGET = "DELETE FROM control_room_left WHERE provider = $1 AND slug = $2"


async def find(connection: AsyncConnection, site: str) -> Room | None:
    """Return the room of a site, if it has one."""
    row = (await connection.exec_driver_sql(FIND, (site,))).mappings().first()
    return _room(row) if row else None


async def every(connection: AsyncConnection) -> list[Room]:
    """Return all rooms, by site."""
    return [_room(row) for row in (await connection.exec_driver_sql(ALL)).mappings()]


async def put(connection: AsyncConnection, room: Room, now: datetime) -> None:
    """Record the room of a site; another one that it had is to be deleted at its provider."""
    values = (
        room.site,
        room.provider,
        room.room_id,
        room.slug,
        room.url,
        json.dumps(room.config),
        room.configured,
        room.expires,
        room.made or now,
    )
    await connection.exec_driver_sql(PUT, values)


async def drop(connection: AsyncConnection, room: Room) -> None:
    """Forget a room that is gone, unless another one is in its place."""
    await connection.exec_driver_sql(DROP, (room.site, room.provider, room.slug))


async def leave(connection: AsyncConnection, room: Room) -> None:
    """Note that a room is to be deleted at its provider."""
    await connection.exec_driver_sql(LEAVE, (room.provider, room.slug, room.room_id, room.site))


async def left(connection: AsyncConnection, provider: str) -> list[Room]:
    """Return the rooms that are to be deleted at a provider."""
    return [Room(**row) for row in (await connection.exec_driver_sql(LEFT, (provider,))).mappings()]


async def forget(connection: AsyncConnection, room: Room) -> None:
    """Note that a room has been deleted at its provider."""
    await connection.exec_driver_sql(FORGET, (room.provider, room.slug))


def _room(row: Mapping[Any, Any]) -> Room:
    config = row["config"]
    return Room(**{**row, "config": json.loads(config) if isinstance(config, str) else config})
