"""Find frames: terms in, pages of frames out, always with a way to the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal
from armillary.archive.catalog.tables import few, frame, version
from armillary.archive.fields import HOT
from armillary.archive.models import MAX_PAGE
from armillary.archive.query import visibility
from armillary.archive.query.conditions import conditions, only_needed
from armillary.archive.query.cursors import after_row, read_cursor, write_cursor
from armillary.archive.query.models import Term
from armillary.base.database import AnyRow
from armillary.base.patience import patience
from armillary.fits.containers import logical_name

FILE_COLUMNS = ("path", "filename", "file_size", "data_size", "file_md5", "data_md5", "lastmod", "entrytime")


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the frames found, newest first, and the cursor of the next ones, if there are any."""

    frames: list[dict[str, Any]]
    cursor: str | None


async def search(
    connection: AsyncConnection,
    terms: Iterable[Term],
    viewer: Principal,
    *,
    today: date,
    limit: int = 100,
    cursor: str | None = None,
    patience_ms: int | None = None,
) -> Page:
    """Return one page of the frames of which all terms hold, newest first, those without a date last.

    Positions are shown to, and searched for, only those who may see them.

    Raises
    ------
    BadCursor
        If the cursor is none.
    TooSlow
        If a statement takes longer than ``patience_ms``.
    """
    if patience_ms is not None:
        async with patience(connection, patience_ms):
            return await search(connection, terms, viewer, today=today, limit=limit, cursor=cursor)
    limit = max(1, min(limit, MAX_PAGE))
    wanted = conditions(terms, viewer, today, rows=only_needed)
    after = read_cursor(cursor) if cursor else None
    begun = (*wanted, after_row(*after)) if after else wanted
    rows = list((await connection.execute(_select(begun, viewer, today, limit + 1))).all())
    if after and after[0] and len(rows) <= limit:
        # One condition for those before an instant and those without any would be served by no index.
        undated = _select((*wanted, frame.c.started_at.is_(None)), viewer, today, limit + 1 - len(rows))
        rows += (await connection.execute(undated)).all()
    more = write_cursor(rows[limit - 1].started_at, rows[limit - 1].file_id) if len(rows) > limit else None
    return Page([_frame_of(row) for row in rows[:limit]], more)


def _select(
    wanted: Sequence[sa.ColumnElement[bool]], viewer: Principal, today: date, limit: int
) -> sa.Select[Any]:
    """Return the query of the newest frames that fit, with all that is shown of them.

    The frames are chosen first and completed afterwards: so there are few ways to go about it, all of them good,
    and what is shown does not weigh on what is sorted.
    """
    chosen = (
        sa.select(frame.c.file_id, frame.c.started_at)
        .select_from(only_needed(wanted))
        .where(*wanted)
        .order_by(frame.c.started_at.desc().nulls_last(), frame.c.file_id.desc())
        .limit(few(limit))
        .subquery("chosen")
    )
    complete = chosen.join(frame, frame.c.file_id == chosen.c.file_id).join(
        version, version.c.id == frame.c.version_id
    )
    query = sa.select(*_columns(viewer, today)).select_from(complete)
    return query.order_by(chosen.c.started_at.desc().nulls_last(), chosen.c.file_id.desc())


def _columns(viewer: Principal, today: date) -> list[sa.ColumnElement[Any]]:
    open_coordinates = visibility.coordinates_visible(viewer, today)
    columns: list[sa.ColumnElement[Any]] = [frame.c.file_id]
    columns += [version.c[name] for name in FILE_COLUMNS]
    for field in HOT:
        column: sa.ColumnElement[Any] = frame.c[field.name]
        if field.pointing:
            hidden = sa.cast(sa.null(), column.type)
            column = sa.case((open_coordinates, column), else_=hidden).label(field.name)
        columns.append(column)
    # Of a frame without a program it is not known whether it is of the one that was granted.
    columns.append(sa.func.coalesce(visibility.visible(viewer, today), False).label("visible"))
    return columns


def _frame_of(row: AnyRow) -> dict[str, Any]:
    # The name follows from that of the stored file, so the table of names is not asked for it.
    told = {key: value for key, value in row._mapping.items() if key != "file_id"}
    return {"name": logical_name(told["filename"]), **told}


def plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a frame with dates and instants as text, instants in UTC with a Z."""
    return {key: _plain(value) for key, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value
