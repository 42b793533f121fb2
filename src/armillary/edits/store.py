"""Every statement on update requests and edits."""

# What is put into these texts are constants of this module.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import AnyRow
from armillary.base.work import joins
from armillary.edits.tables import edit, update_request


def _number(argument: str) -> str:
    """Return the expression for a number among the arguments of an order, null if it is none."""
    return f"CASE WHEN o.args->>'{argument}' ~ '^[0-9]{{1,18}}$' THEN (o.args->>'{argument}')::bigint END"


RECORD_FAILURES = f"""
INSERT INTO edit (order_id, request_id, item_index, file_id, actor, address, why, outcome, error, error_code,
                  cards, reverts, change_set, accepted, finished)
SELECT o.id, o.request_id, o.item_index, file.id, o.actor, coalesce(o.args->>'address', ''),
       coalesce(o.args->>'why', ''), 'failed', coalesce(o.error, 'unknown'), o.error_code, '[]',
       {_number("reverts")}, {_number("change_set")}, o.added, o.finished
FROM {joins.failed("$1", "$2")} AS o
JOIN file ON file.id = {_number("file_id")}
WHERE NOT EXISTS (SELECT FROM edit WHERE edit.order_id = o.id)
ON CONFLICT (order_id) DO NOTHING
"""


async def insert_request(connection: AsyncConnection, values: dict[str, Any]) -> None:
    """Record a request."""
    await connection.execute(sa.insert(update_request).values(values))


async def find_request(connection: AsyncConnection, request_id: UUID) -> AnyRow | None:
    """Return a request that has not expired."""
    query = sa.select(*update_request.c).where(
        update_request.c.id == request_id, update_request.c.expires > sa.func.now()
    )
    return (await connection.execute(query)).first()


async def lock_key(connection: AsyncConnection, actor: str, key: str) -> None:
    """Let no other transaction use an idempotency key until this one ends."""
    query = "SELECT pg_advisory_xact_lock(hashtextextended($1, hashtextextended($2, 0)))"
    await connection.exec_driver_sql(query, (key, actor))


async def find_by_key(connection: AsyncConnection, actor: str, key: str, *, since: datetime) -> AnyRow | None:
    """Return the latest request that came with an idempotency key, if it is not older than ``since``."""
    query = (
        sa.select(*update_request.c)
        .where(
            update_request.c.actor == actor,
            update_request.c.idempotency_key == key,
            update_request.c.accepted > since,
        )
        .order_by(update_request.c.accepted.desc())
        .limit(1)
    )
    return (await connection.execute(query)).first()


async def insert_edits(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Record how orders ended."""
    if rows:
        await connection.execute(sa.insert(edit), rows)


async def record_failures(
    connection: AsyncConnection, kinds: Sequence[str], order_ids: Sequence[int] | None = None
) -> int:
    """Record failed orders that nobody has recorded, all or some of them; return how many.

    Their file may be gone, or their worker died once too often: then no version is known.
    """
    result = await connection.exec_driver_sql(RECORD_FAILURES, (list(kinds), order_ids))
    return int(result.rowcount)


async def edits_of_orders(connection: AsyncConnection, order_ids: Iterable[int]) -> dict[int, AnyRow]:
    """Return the records of orders by order id."""
    ids = sa.cast(list(order_ids), sa.ARRAY(sa.BigInteger))
    rows = (await connection.execute(sa.select(*edit.c).where(edit.c.order_id == sa.any_(ids)))).all()
    return {row.order_id: row for row in rows}


async def edits_of_file(connection: AsyncConnection, file_id: int) -> list[AnyRow]:
    """Return every edit of a file, oldest first."""
    query = sa.select(*edit.c).where(edit.c.file_id == file_id).order_by(edit.c.id)
    return list((await connection.execute(query)).all())


async def changing_edits(connection: AsyncConnection, edit_ids: Iterable[int]) -> dict[int, AnyRow]:
    """Return those of the edits that changed a file, by id."""
    ids = sa.cast(list(edit_ids), sa.ARRAY(sa.BigInteger))
    query = sa.select(*edit.c).where(edit.c.id == sa.any_(ids), edit.c.outcome == "changed")
    return {row.id: row for row in (await connection.execute(query)).all()}


async def edits_between(connection: AsyncConnection, file_ids: Iterable[int]) -> dict[tuple[int, int], int]:
    """Return how many edits lead from one version to another, for every such pair of some files."""
    ids = sa.cast(list(file_ids), sa.ARRAY(sa.BigInteger))
    pair = (edit.c.version_before, edit.c.version_after)
    query = (
        sa.select(*pair, sa.func.count().label("edits"))
        .where(edit.c.file_id == sa.any_(ids), edit.c.outcome == "changed")
        .group_by(*pair)
    )
    rows = (await connection.execute(query)).all()
    return {(row.version_before, row.version_after): row.edits for row in rows}


async def forget_expired_requests(connection: AsyncConnection, *, limit: int = 10_000) -> int:
    """Delete requests past their lifetime, ``limit`` at most; the edits that they made stay."""
    expired = sa.select(update_request.c.id).where(update_request.c.expires < sa.func.now()).limit(limit)
    statement = sa.delete(update_request).where(update_request.c.id.in_(expired))
    return int((await connection.execute(statement)).rowcount)
