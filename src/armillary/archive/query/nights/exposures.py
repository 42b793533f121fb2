"""Frames as exposures in time: light rows for pictures of nights, and the night before or after an instant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal
from armillary.archive.catalog.tables import few, frame, version
from armillary.archive.query import visibility
from armillary.archive.query.conditions import conditions, only_needed
from armillary.archive.query.criteria import terms_of
from armillary.archive.query.models import Term
from armillary.fits.containers import logical_name

MOST_EXPOSURES = 20_000


@dataclass(frozen=True, slots=True)
class Exposed:
    """A frame of a night; the object is None where the viewer may not know it."""

    name: str
    path: str
    instrument: str
    observation_type: str
    object: str | None
    started_at: datetime
    exposure_s: float


async def exposures(
    connection: AsyncConnection, terms: Iterable[Term], viewer: Principal, today: date
) -> list[Exposed]:
    """Return the frames of which terms hold and that say when they began, the oldest first.

    They are those that the viewer may know, ``MOST_EXPOSURES`` at most, the oldest.
    """
    wanted = [*conditions(terms, viewer, today, rows=only_needed), frame.c.started_at.is_not(None)]
    told = visibility.coordinates_visible(viewer, today)
    chosen = (
        sa.select(frame.c.file_id)
        .select_from(only_needed(wanted))
        .where(*wanted)
        .order_by(frame.c.started_at, frame.c.file_id)
        .limit(few(MOST_EXPOSURES))
        .subquery("chosen")
    )
    query = (
        sa.select(
            version.c.filename,
            version.c.path,
            sa.func.coalesce(frame.c.instrument, "").label("instrument"),
            sa.func.coalesce(frame.c.observation_type, "").label("observation_type"),
            sa.case((told, frame.c.object), else_=sa.null()).label("object"),
            frame.c.started_at,
            sa.func.coalesce(frame.c.exposure_s, 0.0).label("exposure_s"),
        )
        .select_from(
            chosen.join(frame, frame.c.file_id == chosen.c.file_id).join(
                version, version.c.id == frame.c.version_id
            )
        )
        .order_by(frame.c.started_at, frame.c.file_id)
    )
    rows = (await connection.execute(query)).all()
    return [Exposed(logical_name(row[0]), *row[1:]) for row in rows]


async def night_beside(
    connection: AsyncConnection,
    site: str,
    viewer: Principal,
    today: date,
    *,
    before: datetime | None = None,
    after: datetime | None = None,
) -> date | None:
    """Return the night of the last frame of a site before an instant, or of the first one from an instant on."""
    wanted = conditions(terms_of(site=site, since=after, until=before), viewer, today, rows=only_needed)
    started = frame.c.started_at
    # The index of a site has the newest first and those without an instant last: read backwards, these come first.
    order = started.asc().nulls_first() if after is not None else started.desc().nulls_last()
    query = sa.select(frame.c.night).select_from(only_needed(wanted)).where(*wanted, started.is_not(None))
    return (await connection.execute(query.order_by(order).limit(few(1)))).scalar()
