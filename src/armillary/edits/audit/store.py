"""Every statement on the record of edits as auditors read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import AnyRow
from armillary.edits.models import AuditQuery, Outcome
from armillary.edits.tables import edit

# What the record needs of other nouns' tables.
_file = sa.table("file", sa.column("id"), sa.column("name"))
_frame = sa.table("frame", sa.column("file_id"), sa.column("night"))
_DIGESTS = ("data_md5", "file_md5")


def _version(name: str) -> sa.FromClause:
    return sa.table("version", *map(sa.column, ("id", *_DIGESTS))).alias(name)


async def find(
    connection: AsyncConnection, query: AuditQuery, among: sa.Select[tuple[int]] | None = None
) -> Sequence[AnyRow]:
    """Return edits with names, nights and digests of their files, newest first; of all files, or among some."""
    before, after = _version("before"), _version("after")
    undo = edit.alias("undo")
    reverted_by = (
        sa.select(sa.func.max(undo.c.id))
        .where(undo.c.file_id == edit.c.file_id, undo.c.reverts == edit.c.id)
        .where(undo.c.outcome == Outcome.CHANGED)
        .scalar_subquery()
    )
    columns: list[sa.ColumnElement[Any]] = [*edit.c, _file.c.name, reverted_by.label("reverted_by")]
    around = (("before", before), ("after", after))
    columns += [one.c[name].label(f"{name}_{when}") for name in _DIGESTS for when, one in around]
    columns.append(_frame.c.night)
    source = (
        edit.join(_file, _file.c.id == edit.c.file_id)
        .outerjoin(_frame, _frame.c.file_id == edit.c.file_id)
        .outerjoin(before, before.c.id == edit.c.version_before)
        .outerjoin(after, after.c.id == edit.c.version_after)
    )
    wanted = sa.select(*columns).select_from(source).where(*_conditions(query))
    if among is not None:
        wanted = wanted.where(edit.c.file_id.in_(among))
    found = await connection.execute(wanted.order_by(edit.c.id.desc()).limit(query.limit))
    return found.all()


def _conditions(query: AuditQuery) -> list[sa.ColumnElement[bool]]:
    pairs = (
        (query.file_id, edit.c.file_id.__eq__),
        (query.edit_id, edit.c.id.__eq__),
        (query.night, _frame.c.night.__eq__),
        (query.actor, edit.c.actor.__eq__),
        (query.since, edit.c.finished.__ge__),
        (query.until, edit.c.finished.__lt__),
        (query.outcome, edit.c.outcome.__eq__),
        (query.before, edit.c.id.__lt__),
    )
    return [condition(value) for value, condition in pairs if value is not None]
