"""The files that a selection means: by their ids, for work on every one of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import OPERATOR, Principal
from armillary.archive.catalog import lookup
from armillary.archive.catalog.tables import file, version
from armillary.archive.query.called import is_called
from armillary.archive.query.conditions import conditions, listed
from armillary.archive.query.models import Flag, Term
from armillary.archive.query.visibility import known_files, sees_everything, unknown_to
from armillary.base.database import AnyRow

Members = sa.Select[tuple[Any, ...]]
_PORTION = 1000


def members_of(terms: Iterable[Term], *, today: date, viewer: Principal = OPERATOR) -> Members:
    """Return the query of (file id, name) of the present files that fit, as far as the viewer may know."""
    there = (Flag("present", True), Flag("canonical", True))
    wanted = conditions((*terms, *there), viewer, today)
    query = sa.select(file.c.id.label("file_id"), file.c.name).select_from(listed)
    return query.where(*wanted)


def members_named(names: Sequence[str], *, today: date, viewer: Principal = OPERATOR) -> Members:
    """Return the same query for the files that are called so, by names or paths, as far as the viewer may know."""
    query = sa.select(file.c.id.label("file_id"), file.c.name).join(version, version.c.file_id == file.c.id)
    query = query.where(is_called(names), version.c.present).distinct()
    return query if sees_everything(viewer) else query.where(file.c.id.in_(known_files(viewer, today)))


async def page_of(connection: AsyncConnection, members: Members, *, after: int, count: int) -> list[AnyRow]:
    """Return the next of the files in order of id."""
    chosen = members.subquery()
    query = sa.select(chosen).where(chosen.c.file_id > after).order_by(chosen.c.file_id).limit(count)
    return list((await connection.execute(query)).all())


async def count_of(connection: AsyncConnection, members: Members) -> int:
    """Return how many files there are."""
    return int(await connection.scalar(sa.select(sa.func.count()).select_from(members.subquery())) or 0)


async def refuse_unclear(
    connection: AsyncConnection, names: Sequence[str], *, today: date, viewer: Principal = OPERATOR
) -> list[str]:
    """Return those of the names and paths of which no file is present that the viewer may know of, in order.

    Raises
    ------
    FileAmbiguous
        If one of them means several files.
    """
    absent = []
    unknown = lookup.nothing_unknown if sees_everything(viewer) else unknown_to(viewer, today)
    for start in range(0, len(names), _PORTION):
        portion = names[start : start + _PORTION]
        found = await lookup.present_meant(connection, portion, unknown)
        for name in portion:
            if len({one.file_id for one in found.get(name, [])}) > 1:
                raise await lookup.ambiguous_versions(connection, name, found[name])
        absent += [name for name in portion if not found.get(name)]
    return sorted(set(absent))
