"""Every look at orders from outside the engine, and every change that others may make to them.

Nouns know orders by id, by key, by kind, or by an argument, and never by a statement of their own. An order is
changed in the worker's role only; who may not do that submits an order that asks a worker for it (`ask`).
Figures about the whole queue are in ``overview``, conditions for statements of nouns in ``joins``.
"""

# What is put into these texts are constants of this module.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.work.errors import OrderCancelled
from armillary.base.work.models import JsonObject, Response, State
from armillary.base.work.statements import DONE_CHANNEL, QUEUED_CHANNEL
from armillary.base.work.store import decoded, response_of

_COLUMNS = (
    "id, kind, key, args, state, priority, not_before, attempts, max_attempts, error, error_code, step, steps,"
    " response, intent, lease_owner, revision, unique_key, request_id, item_index, actor, batch, added, started,"
    " finished, expires, place, held"
)

_MADE = ("state", "steps", "response", "intent")
"""Columns that a view of an order does not hold as they are stored."""

_LIST = f"""
SELECT {_COLUMNS} FROM work_order
WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR kind = $2)
    AND ($3::text[] IS NULL OR args->>'name' = ANY($3) OR args->>'filename' = ANY($3))
    AND ($4::bigint IS NULL OR id < $4)
ORDER BY id DESC LIMIT $5
"""

_LATEST = f"""
SELECT {_COLUMNS}, fence, lease_until, last_revision, last_added FROM work_order AS w CROSS JOIN LATERAL (
    SELECT l.revision AS last_revision, coalesce(l.updated, l.added) AS last_added FROM work_order AS l
    WHERE l.unique_key = w.unique_key ORDER BY l.id DESC LIMIT 1) AS last
WHERE kind = $1 AND ($2::text[] IS NULL OR unique_key = ANY($2)) AND ($3::text IS NULL OR state = $3)
    AND ($4::bigint IS NULL OR id < $4) AND unique_key IS NOT NULL
    AND (state = 'Started' OR NOT EXISTS (
        SELECT FROM work_order AS o WHERE o.unique_key = w.unique_key AND o.id <> w.id
            AND (o.id > w.id OR o.state = 'Started')))
ORDER BY id DESC LIMIT $5
"""

_BY_ID = f"SELECT {_COLUMNS} FROM work_order WHERE id = ANY($1::bigint[])"

# The inner query is bounded before its rows are fetched: a queue of millions is looked at for its oldest alone.
_STATES = """
SELECT id, kind, state, attempts, error FROM work_order
WHERE id = ANY($1::bigint[])
    OR $2 AND state IN ('Queued', 'Started') AND id IN (
        SELECT id FROM work_order WHERE state IN ('Queued', 'Started') ORDER BY id LIMIT $3)
ORDER BY id
"""

# An order with an intent may have done what it meant to: only a worker that looks at the file can end it. One
# that is made in steps learns of it before the next.
_CANCEL = f"""
WITH told AS (
    UPDATE work_order SET cancelled = $2
    WHERE id = $1 AND state = 'Started' AND steps IS NOT NULL AND intent IS NULL
    RETURNING id, state
), cancelled AS (
    UPDATE work_order SET state = 'Failed', error = $2, error_code = '{OrderCancelled.code}', held = NULL,
        response = jsonb_build_object('ok', false, 'error', $2::text, 'value', NULL),
        finished = clock_timestamp(), expires = now() + make_interval(secs => $3::float8)
    WHERE id = $1 AND state = 'Queued' AND intent IS NULL
    RETURNING id, state
)
SELECT state, pg_notify('{DONE_CHANNEL}', id::text), pg_notify('{QUEUED_CHANNEL}', '') FROM cancelled
UNION ALL SELECT state, NULL, NULL FROM told
"""

# `least`: an order that is due already keeps its time, so that nothing seems to have been waiting for less long.
_RUN_NOW = f"""
WITH due AS (
    UPDATE work_order SET not_before = least(not_before, now())
    WHERE state = 'Queued' AND {{chosen}} RETURNING id
)
SELECT count(*), CASE WHEN count(*) > 0 THEN pg_notify('{QUEUED_CHANNEL}', '')::text END FROM due
"""
_BY_NUMBER = _RUN_NOW.format(chosen="id = $1::bigint")
_OF_KIND = _RUN_NOW.format(chosen="kind = $1::text")
_OF_KINDS = _RUN_NOW.format(chosen="starts_with(kind, $1::text)")
_OF_KEYS = _RUN_NOW.format(chosen="not_before > now() AND starts_with(key, $1::text)")

# Of those that have begun, and may have done something, only a worker may decide.
_WITHDRAW = """
DELETE FROM work_order WHERE id IN (
    SELECT id FROM work_order WHERE id = ANY($1::bigint[]) AND state = 'Queued' AND attempts = 0 AND intent IS NULL
    ORDER BY id FOR UPDATE SKIP LOCKED)
RETURNING id, place
"""

_WAITING = f"""
SELECT {_COLUMNS} FROM work_order
WHERE state IN ('Queued', 'Started') AND CASE WHEN $2 THEN starts_with(kind, $1::text) ELSE kind = $1 END
ORDER BY id LIMIT $3
"""

# The index of unfinished orders by key leads to the first of each; however many wait behind it, one row is read.
_BEFORE = """
SELECT w.id, f.id AS first FROM work_order AS w CROSS JOIN LATERAL (
    SELECT o.id FROM work_order AS o
    WHERE o.key = w.key AND o.key IS NOT NULL AND o.state IN ('Queued', 'Started')
    ORDER BY o.key, coalesce(o.place, o.id), o.id LIMIT 1) AS f
WHERE w.id = ANY($1::bigint[]) AND w.state = 'Queued' AND f.id <> w.id
"""

_PROGRESS = """
SELECT id, state, attempts, error, error_code, added, started, finished FROM work_order
WHERE id = ANY($1::bigint[])
"""

# A queued order with an intent may have changed its file before its worker died.
_IN_WORK = """
SELECT 1 FROM work_order WHERE key = $1 AND state IN ('Queued', 'Started')
    AND (state = 'Started' OR intent IS NOT NULL) LIMIT 1
"""

# What a dead worker has begun can be taken over.
_DUE = """
SELECT EXISTS (SELECT FROM work_order WHERE state = 'Queued' AND not_before <= now())
    OR EXISTS (SELECT FROM work_order WHERE state = 'Started')
"""

# For a copy of a database: those who ran these orders run them elsewhere, for the original.
_EXPIRE = "UPDATE work_order SET lease_until = now() WHERE state = 'Started'"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """An order as it stands: what it asks for, where it is in its life, what it brought.

    ``step`` is the one that runs, or at which it failed; ``steps`` are those that its run has made, None if it
    makes none. ``revision`` counts how often its unique key has been submitted, as long as its runs are kept.
    """

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
    error_code: str | None
    step: str | None
    steps: Sequence[JsonObject] | None
    response: Response | None
    in_doubt: bool
    lease_owner: str | None
    revision: int
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
class LatestRun:
    """The run that counts of a unique key: the one under way, else the last.

    ``revision`` counts what was submitted of the key, and is ahead of that of the run while another waits behind
    it; ``updated`` is when the last of these came, or the run began or ended.
    """

    view: OrderView
    revision: int
    fence: int
    lease_until: datetime | None
    requested: datetime
    updated: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """How an order stood at a look."""

    id: int
    kind: str
    state: State
    attempts: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an order is."""

    id: int
    state: State
    attempts: int
    error: str | None
    error_code: str | None
    added: datetime
    started: datetime | None
    finished: datetime | None


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


async def latest_runs(
    connection: AsyncConnection,
    kind: str,
    *,
    unique_keys: Sequence[str] | None = None,
    state: State | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[LatestRun]:
    """Return the run that counts of each unique key of a kind, or of some keys, the latest submitted first."""
    keys = list(unique_keys) if unique_keys is not None else None
    found = await connection.exec_driver_sql(_LATEST, (kind, keys, state, before, limit))
    return [
        LatestRun(
            _view_of(row),
            row["last_revision"],
            row["fence"],
            row["lease_until"],
            row["added"],
            max(filter(None, (row["last_added"], row["started"], row["finished"]))),
        )
        for row in found.mappings()
    ]


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


async def cancel(connection: AsyncConnection, order_id: int, reason: str, *, keep_s: float) -> State | None:
    """End an order that waits, or let one that is made in steps end before the next; return its state then.

    None if it is neither, or in doubt.
    """
    found = (await connection.exec_driver_sql(_CANCEL, (order_id, reason, keep_s))).first()
    return State(found.state) if found else None


async def run_now(connection: AsyncConnection, order_id: int) -> bool:
    """Let an order that waits for its time run now; tell whether it was one."""
    return await _counted(connection, _BY_NUMBER, order_id) > 0


async def run_kind_now(connection: AsyncConnection, kind: str, *, prefix: bool = False) -> int:
    """Let all orders of a kind run now, or of all kinds with that prefix; return how many wait."""
    return await _counted(connection, _OF_KINDS if prefix else _OF_KIND, kind)


async def run_keys_now(connection: AsyncConnection, prefix: str) -> int:
    """Let all orders run now that wait for their time and have a key with that prefix; return how many."""
    return await _counted(connection, _OF_KEYS, prefix)


async def withdraw(connection: AsyncConnection, order_ids: Iterable[int]) -> dict[int, int | None]:
    """Delete those of the orders that nobody has begun, without a trace; return their places by id."""
    found = await connection.exec_driver_sql(_WITHDRAW, (list(order_ids),))
    return {row.id: row.place for row in found.all()}


async def waiting(
    connection: AsyncConnection, kind: str, *, prefix: bool = False, limit: int = 1000
) -> list[OrderView]:
    """Return unfinished orders of a kind, or of all kinds with that prefix, oldest first."""
    found = await connection.exec_driver_sql(_WAITING, (kind, prefix, limit))
    return [_view_of(row) for row in found.mappings()]


async def waited_for(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, int]:
    """Return for those of the orders that wait behind another of their key the first of these, by id."""
    found = await connection.exec_driver_sql(_BEFORE, (list(ids),))
    return {row.id: row.first for row in found.all()}


async def progress(connection: AsyncConnection, order_ids: Iterable[int]) -> dict[int, Progress]:
    """Return how far orders are, by id; those past retention are missing."""
    found = await connection.exec_driver_sql(_PROGRESS, (list(order_ids),))
    return {row["id"]: Progress(**{**row, "state": State(row["state"])}) for row in found.mappings()}


async def arguments(connection: AsyncConnection, order_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Return what orders were asked to do, by id; those past retention are missing."""
    query = "SELECT id, args FROM work_order WHERE id = ANY($1::bigint[])"
    found = await connection.exec_driver_sql(query, (list(order_ids),))
    return {row.id: decoded(row.args) for row in found.all()}


async def arguments_of_kind(connection: asyncpg.Connection, kind: str) -> list[dict[str, Any]]:
    """Return what the unfinished orders of a kind are asked to do, oldest first, as this connection sees it.

    The connection is one of the driver's, since the snapshot of a backup belongs to such a one.
    """
    query = "SELECT args FROM work_order WHERE kind = $1 AND state IN ('Queued', 'Started') ORDER BY id"
    return [decoded(row["args"]) for row in await connection.fetch(query, kind)]


async def unfinished_among(connection: AsyncConnection, order_ids: Iterable[int]) -> set[int]:
    """Return which of the orders are queued or started."""
    query = "SELECT id FROM work_order WHERE id = ANY($1::bigint[]) AND state IN ('Queued', 'Started')"
    return set((await connection.exec_driver_sql(query, (list(order_ids),))).scalars())


async def unfinished_by_key(connection: AsyncConnection, keys: Iterable[str]) -> dict[str, int]:
    """Return the id of an unfinished order by key, for those of the keys that have one."""
    query = "SELECT key, id FROM work_order WHERE key = ANY($1::text[]) AND state IN ('Queued', 'Started')"
    return {row.key: row.id for row in (await connection.exec_driver_sql(query, (list(keys),))).all()}


async def states_by_argument(
    connection: AsyncConnection, kind: str, argument: str, values: Iterable[str]
) -> dict[str, State]:
    """Return the states of the orders of a kind by the value of an argument, for some of its values."""
    query = "SELECT args->>$2 AS value, state FROM work_order WHERE kind = $1 AND args->>$2 = ANY($3::text[])"
    found = await connection.exec_driver_sql(query, (kind, argument, list(values)))
    return {row.value: State(row.state) for row in found.all()}


async def is_in_work(connection: AsyncConnection, key: str) -> bool:
    """Tell whether a worker runs an order of that key, or died while it may have done something."""
    return (await connection.exec_driver_sql(_IN_WORK, (key,))).first() is not None


async def is_due(connection: AsyncConnection) -> bool:
    """Tell whether any order could begin, or has begun."""
    return bool((await connection.exec_driver_sql(_DUE)).scalar_one())


async def expire_leases(connection: AsyncConnection) -> None:
    """Let the orders of all workers be taken over at once: nobody holds them any more."""
    await connection.exec_driver_sql(_EXPIRE)


async def _counted(connection: AsyncConnection, statement: str, value: object) -> int:
    return int((await connection.exec_driver_sql(statement, (value,))).scalar() or 0)


def _view_of(row: Mapping[Any, Any]) -> OrderView:
    ended = row["response"] is not None
    return OrderView(
        **{name: row[name] for name in _COLUMNS.split(", ") if name not in _MADE},
        state=State(row["state"]),
        steps=decoded(row["steps"]),
        response=response_of(row["response"], row["error_code"]) if ended else None,
        in_doubt=row["intent"] is not None,
    )
