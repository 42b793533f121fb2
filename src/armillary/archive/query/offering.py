"""What may be told of frames in other places: all that strangers may know of, in the order of their files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import ANYBODY
from armillary.archive.catalog import store
from armillary.archive.catalog.models import Version
from armillary.archive.catalog.tables import few, frame
from armillary.archive.query import visibility


@dataclass(frozen=True, slots=True)
class Offered:
    """A frame with its version, and what strangers may know.

    ``known`` tells whether they may read its headers, ``open`` whether they may have its data. The ``release`` is
    the day from which they may, if there is one.
    """

    version: Version
    instrument: str
    profile: str
    started_at: datetime | None
    release: date | None
    known: bool
    open: bool


async def offered(
    connection: AsyncConnection,
    instruments: Collection[str],
    *,
    today: date,
    after: int = 0,
    count: int,
    begun: datetime | None = None,
) -> list[Offered]:
    """Return frames of instruments, in any case of letters, by the ids of their files, from behind an id.

    Only those that began at an instant, if one is given.
    """
    names = sa.cast(sorted({one.lower() for one in instruments}), sa.ARRAY(sa.Text))
    wanted = sa.and_(sa.func.lower(frame.c.instrument) == sa.any_(names), frame.c.file_id > after)
    if begun is not None:
        wanted = sa.and_(wanted, frame.c.started_at == begun)
    return await _found(connection, _select(today).where(wanted).order_by(frame.c.file_id).limit(few(count)))


async def offered_files(
    connection: AsyncConnection, file_ids: Iterable[int], *, today: date
) -> Mapping[int, Offered]:
    """Return the frames of files by their ids, whatever their instruments; those that are gone are left out."""
    ids = sa.cast(sorted(set(file_ids)), sa.ARRAY(sa.BigInteger))
    found = await _found(connection, _select(today).where(frame.c.file_id == sa.any_(ids)))
    return {one.version.file_id: one for one in found}


def _select(today: date) -> sa.Select[tuple[object, ...]]:
    told = sa.and_(visibility.known(ANYBODY, today), visibility.coordinates_visible(ANYBODY, today))
    return sa.select(
        frame.c.version_id,
        frame.c.instrument,
        frame.c.profile,
        frame.c.started_at,
        frame.c.release,
        sa.func.coalesce(told, False).label("known"),
        sa.func.coalesce(visibility.visible(ANYBODY, today), False).label("open"),
    )


async def _found(connection: AsyncConnection, query: sa.Select[tuple[object, ...]]) -> list[Offered]:
    rows = (await connection.execute(query)).all()
    versions = await store.versions_by_id(connection, [row.version_id for row in rows])
    return [
        Offered(
            versions[row.version_id],
            row.instrument or "",
            row.profile,
            row.started_at,
            row.release,
            row.known,
            row.open,
        )
        for row in rows
        if row.version_id in versions
    ]
