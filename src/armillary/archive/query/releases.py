"""What becomes public when: the days of release of frames, counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal
from armillary.archive.catalog.tables import frame, version
from armillary.archive.query import visibility

MOST_RELEASES = 10_000


@dataclass(frozen=True, slots=True)
class Release:
    """So many present frames of an instrument and a program become public at the beginning of a day in UTC.

    The instrument or program is null where headers name none.
    """

    day: date
    instrument: str | None
    program: str | None
    frames: int


@dataclass(frozen=True, slots=True)
class Releases:
    """Releases by day, instrument and program, and whether there are more than were asked for."""

    releases: list[Release]
    more: bool


async def list_releases(
    connection: AsyncConnection,
    viewer: Principal,
    *,
    today: date,
    since: date,
    until: date | None = None,
    instrument: str | None = None,
    program: str | None = None,
    limit: int = MOST_RELEASES,
) -> Releases:
    """Return what becomes public from a day on up to another one, both included, as far as the viewer may know.

    Engineering data are public whatever their day is, so they are left out, and so is what has no day.
    """
    columns = (frame.c.release, frame.c.instrument, frame.c.program)
    wanted = [
        frame.c.release >= since,
        sa.not_(sa.func.coalesce(frame.c.engineering, False)),
        version.c.present,
        visibility.known(viewer, today),
    ]
    wanted += [frame.c.release <= until] if until is not None else []
    wanted += [frame.c.instrument == instrument] if instrument is not None else []
    wanted += [frame.c.program == program] if program is not None else []
    query = (
        sa.select(*columns, sa.func.count().label("frames"))
        .join_from(frame, version, version.c.id == frame.c.version_id)
        .where(*wanted)
        .group_by(*columns)
        .order_by(*columns)
        .limit(limit + 1)
    )
    rows = (await connection.execute(query)).all()
    found = [Release(row.release, row.instrument, row.program, row.frames) for row in rows[:limit]]
    return Releases(found, len(rows) > limit)
