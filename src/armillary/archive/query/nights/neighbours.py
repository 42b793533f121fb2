"""The frames before and after a frame: of its night, site and instrument, in order of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal
from armillary.archive.catalog.tables import few, frame, version
from armillary.archive.query.visibility import known
from armillary.base.clock import Instant
from armillary.fits.containers import logical_name

_OF_NIGHT = timedelta(hours=36)
"""No two frames of a night begin further apart; without a bound a search for the last one of a night would walk on
through all that follow."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A frame beside another one."""

    name: str
    path: str
    filename: str
    started_at: Instant


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The frames before and after one; null where there is none, as at the ends of a night."""

    previous: Neighbour | None
    next: Neighbour | None


async def neighbours_of(
    connection: AsyncConnection, file_id: int, viewer: Principal, *, today: date
) -> Neighbours:
    """Return the neighbours of the frame of a file, of those that the viewer may know of.

    A frame without a start or a night has none. Frames that begin at the same time follow each other as they came
    in.
    """
    columns = (frame.c.night, frame.c.site, frame.c.instrument, frame.c.started_at)
    row = (await connection.execute(sa.select(*columns).where(frame.c.file_id == file_id))).first()
    if row is None or row.started_at is None or row.night is None:
        return Neighbours(None, None)
    place = sa.tuple_(frame.c.started_at, frame.c.file_id)
    this = sa.tuple_(sa.literal(row.started_at), sa.literal(file_id, sa.BigInteger))
    wanted = [
        frame.c.night == row.night,
        frame.c.site.is_not_distinct_from(row.site) if row.site is None else frame.c.site == row.site,
        frame.c.instrument.is_not_distinct_from(row.instrument),
        frame.c.started_at.between(row.started_at - _OF_NIGHT, row.started_at + _OF_NIGHT),
        known(viewer, today),
    ]
    newest = (frame.c.started_at.desc().nulls_last(), frame.c.file_id.desc())
    oldest = (frame.c.started_at.asc().nulls_first(), frame.c.file_id.asc())
    return Neighbours(
        await _first(connection, [*wanted, place < this], newest),
        await _first(connection, [*wanted, place > this], oldest),
    )


async def _first(
    connection: AsyncConnection,
    wanted: list[sa.ColumnElement[bool]],
    order: tuple[sa.ColumnElement[object], ...],
) -> Neighbour | None:
    chosen = sa.select(frame.c.version_id, frame.c.started_at).where(*wanted).order_by(*order).limit(few(1))
    one = chosen.subquery("chosen")
    query = sa.select(version.c.path, version.c.filename, one.c.started_at)
    row = (await connection.execute(query.join_from(one, version, version.c.id == one.c.version_id))).first()
    if row is None:
        return None
    return Neighbour(logical_name(row.filename), row.path, row.filename, row.started_at)
