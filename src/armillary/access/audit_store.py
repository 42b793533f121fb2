"""Every statement on the record of grants that were given and taken, and of what was read by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.tables import embargoed_read, grant_change
from armillary.base.database import AnyRow

_CHANGES = tuple(column for column in grant_change.c if column.name != "id")
_READS = tuple(column for column in embargoed_read.c if column.name != "id")


async def insert_changes(connection: AsyncConnection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Record that grants were given or taken."""
    await connection.execute(sa.insert(grant_change), list(rows))


async def insert_read(connection: AsyncConnection, row: Mapping[str, Any]) -> None:
    """Record that somebody read a file before its release."""
    await connection.execute(sa.insert(embargoed_read).values(row))


async def list_changes(
    connection: AsyncConnection,
    *,
    since: datetime | None,
    until: datetime | None,
    who: str | None,
    kind: str | None,
    subjects: Iterable[str] | None,
    limit: int,
) -> list[AnyRow]:
    """Return changes of grants, latest first; ``who`` is the actor or to whom it was granted."""
    table = grant_change
    chosen = _between(table.c.at, since, until)
    chosen += [(table.c.actor == who) | (table.c.principal == who)] if who is not None else []
    chosen += [table.c.kind == kind] if kind is not None else []
    if subjects is not None:
        chosen.append(table.c.subject == sa.any_(sa.cast(sorted(subjects), sa.ARRAY(sa.Text))))
    query = sa.select(*_CHANGES).where(*chosen).order_by(table.c.at.desc(), table.c.id.desc()).limit(limit)
    return list((await connection.execute(query)).all())


async def list_reads(
    connection: AsyncConnection,
    *,
    since: datetime | None,
    until: datetime | None,
    who: str | None,
    file_ids: Iterable[int] | None,
    limit: int,
) -> list[AnyRow]:
    """Return what was read before its release, latest first."""
    table = embargoed_read
    chosen = _between(table.c.at, since, until)
    chosen += [table.c.viewer == who] if who is not None else []
    if file_ids is not None:
        chosen.append(table.c.file_id == sa.any_(sa.cast(sorted(file_ids), sa.ARRAY(sa.BigInteger))))
    query = sa.select(*_READS).where(*chosen).order_by(table.c.at.desc(), table.c.id.desc()).limit(limit)
    return list((await connection.execute(query)).all())


def _between(
    column: sa.Column[datetime], since: datetime | None, until: datetime | None
) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = [column >= since] if since is not None else []
    return found + ([column < until] if until is not None else [])


async def forget(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Forget what was recorded before an instant, the last thirty days excepted; return how much.

    So many rows of each sort at most. A function of the owner does it: no role of the program may.
    """
    return int(await connection.scalar(sa.select(sa.func.grant_audit_forget(before, limit))) or 0)
