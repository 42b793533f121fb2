"""Looking at orders, and the two changes that people may ask of them: not to run, or to run once more.

An order is changed by workers only; who may not, submits an order that asks a worker for it.
"""

# What is put into these texts are constants of this module.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.work.models import JsonObject, Response, State
from armillary.base.work.statements import QUEUED_CHANNEL
from armillary.base.work.store import response_of

_COLUMNS = (
    "id, kind, key, args, state, priority, not_before, attempts, max_attempts, error, response, intent,"
    " lease_owner, unique_key, request_id, item_index, actor, batch, added, started, finished, expires,"
    " place, held"
)

_LIST = f"""
SELECT {_COLUMNS} FROM work_order
WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR kind = $2)
    AND ($3::text[] IS NULL OR args->>'name' = ANY($3) OR args->>'filename' = ANY($3))
    AND ($4::bigint IS NULL OR id < $4)
ORDER BY id DESC LIMIT $5
"""

_BY_ID = f"SELECT {_COLUMNS} FROM work_order WHERE id = ANY($1::bigint[])"

_STATES = """
SELECT id, kind, state, attempts, error FROM work_order
WHERE id = ANY($1::bigint[])
    OR $2 AND state IN ('Queued', 'Started') AND id IN (
        SELECT id FROM work_order WHERE state IN ('Queued', 'Started') ORDER BY id LIMIT $3)
ORDER BY id
"""

# An order with an intent may have done what it meant to: only a worker that looks at the file can end it.
_CANCEL = f"""
WITH cancelled AS (
    UPDATE work_order SET state = 'Failed', error = $2, held = NULL,
        response = jsonb_build_object('ok', false, 'error', $2::text, 'value', NULL),
        finished = clock_timestamp(), expires = now() + make_interval(secs => $3::float8)
    WHERE id = $1 AND state = 'Queued' AND intent IS NULL
    RETURNING id
)
SELECT id, pg_notify('work_done', id::text), pg_notify('{QUEUED_CHANNEL}', '') FROM cancelled
"""

_HASTEN = f"""
WITH due AS (
    UPDATE work_order SET not_before = now() WHERE id = $1 AND state = 'Queued' RETURNING id
)
SELECT id, pg_notify('{QUEUED_CHANNEL}', '') FROM due
"""

_HASTEN_BELOW = f"""
WITH due AS (
    UPDATE work_order SET not_before = now()
    WHERE state = 'Queued' AND not_before > now() AND starts_with(key, $1) RETURNING id
)
SELECT count(*), pg_notify('{QUEUED_CHANNEL}', '') FROM due
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """An order as it stands: what it asks for, where it is in its life, what it brought."""

    id: int
    kind: str
    key: str | None
    args: JsonObject
    state: State
    priority: int
    not_before: datetime
    attempts: int
    max_attempts: int | None
    error: str | None
    response: Response | None
    in_doubt: bool
    lease_owner: str | None
    unique_key: str | None
    request_id: UUID | None
    item_index: int | None
    actor: str
    batch: str | None
    added: datetime
    started: datetime | None
    finished: datetime | None
    expires: datetime | None
    place: int | None
    held: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How an order stood at a look."""

    id: int
    kind: str
    state: State
    attempts: int
    error: str | None


async def list_orders(
    connection: AsyncConnection,
    *,
    state: State | None = None,
    kind: str | None = None,
    names: Sequence[str] | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[OrderView]:
    """Return orders, newest first; ``names`` are those of files that their arguments may bear."""
    values = (state, kind, list(names) if names is not None else None, before, limit)
    found = await connection.exec_driver_sql(_LIST, values)
    return [_view_of(row) for row in found.mappings()]


async def find_orders(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, OrderView]:
    """Return orders by id, those that are not forgotten."""
    found = await connection.exec_driver_sql(_BY_ID, (list(ids),))
    return {row["id"]: _view_of(row) for row in found.mappings()}


async def standings(
    connection: AsyncConnection, ids: Sequence[int], *, unfinished: int = 0
) -> dict[int, Standing]:
    """Return how some orders stand, and so many of the oldest unfinished ones."""
    found = await connection.exec_driver_sql(_STATES, (list(ids), unfinished > 0, unfinished))
    return {
        row.id: Standing(row.id, row.kind, State(row.state), row.attempts, row.error) for row in found.all()
    }


async def held_because(connection: AsyncConnection, ids: Sequence[int]) -> str | None:
    """Return why the first of these orders that waits for room does so, None if none does."""
    query = """
    SELECT error FROM work_order WHERE held IS NOT NULL AND error IS NOT NULL AND id = ANY($1::bigint[])
    ORDER BY id LIMIT 1
    """
    found: str | None = (await connection.exec_driver_sql(query, (list(ids),))).scalar()
    return found


async def cancel(connection: AsyncConnection, order_id: int, reason: str, *, keep_s: float) -> bool:
    """End an order that waits and is not in doubt; tell whether it was one."""
    found = await connection.exec_driver_sql(_CANCEL, (order_id, reason, keep_s))
    return found.first() is not None


async def hasten(connection: AsyncConnection, order_id: int) -> bool:
    """Let an order that waits for its time run now; tell whether it was one."""
    return (await connection.exec_driver_sql(_HASTEN, (order_id,))).first() is not None


async def hasten_below(connection: AsyncConnection, prefix: str) -> int:
    """Let all orders run now that wait for their time and have a key with that prefix; return how many."""
    return int((await connection.exec_driver_sql(_HASTEN_BELOW, (prefix,))).scalar() or 0)


def _view_of(row: Mapping[Any, Any]) -> OrderView:
    ended = row["response"] is not None
    return OrderView(
        **{name: row[name] for name in _COLUMNS.split(", ") if name not in ("state", "response", "intent")},
        state=State(row["state"]),
        response=response_of(row["response"]) if ended else None,
        in_doubt=row["intent"] is not None,
    )
