"""Submitting and looking at orders, in the caller's transaction."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import Role, role_of
from armillary.base.work import statements
from armillary.base.work.models import NEW_WINS, JsonObject, NewOrder, Order, Outcome, Response, State

FIFO_LOCKS = 0x574F524B
FIFO_BUCKETS = 64
_encoder = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))
_columns = itemgetter(*statements.COLUMN_NAMES)


async def submit(connection: AsyncConnection, orders: Sequence[NewOrder], *, keyed_fifo: bool) -> list[int]:
    """Queue orders in the caller's transaction and return their ids, in the order given.

    With ``keyed_fifo`` the ids of one key rise in the order in which transactions commit: those that
    submit orders of equal keys wait for each other. Orders that merge into one share an id. The web role may
    merge orders of some kinds only, and only if their unique keys begin with the kind and a colon.
    """
    if not orders:
        return []
    # Numbers are drawn before the commit. Without the lock a transaction that commits later could have lower
    # ones, and its orders would come before others of their key that have been seen, or begun, already.
    if keyed_fifo and (buckets := _buckets(orders)):
        await connection.exec_driver_sql(statements.LOCK_KEYS, (FIFO_LOCKS, buckets))
    plain = [order for order in orders if order.unique_key is None]
    unique = _merged([order for order in orders if order.unique_key is not None])
    ids = await _insert(connection, plain)
    merged = await _merge(connection, list(unique.values()))
    if not merged:
        return ids
    # From the end, since taking from the front of a long list moves all the rest.
    ids.reverse()
    return [ids.pop() if order.unique_key is None else merged[order.unique_key] for order in orders]


async def ask(
    connection: AsyncConnection,
    kind: str,
    args: JsonObject,
    *,
    actor: str,
    batch: str | None = None,
    priority: int = 0,
    unique_key: str | None = None,
) -> int:
    """Queue an order that asks a worker for what this process may not do itself; return its number.

    Whoever asks waits for its end (`wait_for`), and tells what it brought. With a ``unique_key`` those who ask for
    the same share an order as long as it waits.
    """
    order = NewOrder(
        kind=kind,
        args=args,
        actor=actor,
        batch=batch,
        priority=priority,
        unique_key=unique_key,
        response_required=True,
    )
    return (await submit(connection, [order], keyed_fifo=False))[0]


async def unfinished(connection: AsyncConnection, kind: str, keys: Sequence[str]) -> list[Order]:
    """Return the orders of a kind that are queued or started for any of the keys, oldest first."""
    found = await connection.exec_driver_sql(statements.UNFINISHED, (kind, list(keys)))
    return [order_of(row) for row in found.mappings()]


async def outcomes(connection: AsyncConnection, order_ids: Sequence[int]) -> dict[int, Outcome]:
    """Return how those of the orders ended that did."""
    found = await connection.exec_driver_sql(statements.OUTCOMES, (list(order_ids),))
    return {row.id: Outcome(State(row.state), response_of(row.response, row.error_code)) for row in found}


async def ended(connection: AsyncConnection, order_ids: Sequence[int]) -> set[int]:
    """Return which of the orders have ended."""
    found = await connection.exec_driver_sql(statements.ENDED, (list(order_ids),))
    return set(found.scalars())


async def purge(connection: AsyncConnection, *, limit: int = 10_000) -> int:
    """Delete ended orders whose time is up; return how many."""
    found = await connection.exec_driver_sql(statements.PURGE, (limit,))
    return len(found.all())


def order_of(row: Mapping[Any, Any]) -> Order:
    """Build an order from a row that has its columns; JSON may be decoded or not."""
    fields: dict[str, Any] = dict(zip(statements.COLUMN_NAMES, _columns(row), strict=True))
    fields["args"], fields["intent"] = decoded(fields["args"]) or {}, decoded(fields["intent"])
    return Order(**fields)


def response_of(stored: Any, code: str | None) -> Response:
    """Build a response from its JSON, and the code of the error."""
    value = decoded(stored) or {}
    return Response(bool(value.get("ok")), str(value.get("error") or ""), value.get("value"), code)


def dump(value: object) -> str:
    """Return JSON that jsonb takes: no NaN, and no NUL characters, which it cannot store."""
    text = _encoder.encode(value)
    return text.replace("\\u0000", "\\ufffd") if "\\u0000" in text else text


def decoded(value: Any) -> Any:
    """Return JSON as the driver gives it, text or not, as a value."""
    return json.loads(value) if isinstance(value, str | bytes) else value


def _buckets(orders: Sequence[NewOrder]) -> list[int]:
    keys = {order.key for order in orders if order.key is not None}
    # A few buckets instead of a lock for each key: a request for ten thousand files must not fill the table of
    # locks. Sorted, so that two transactions wait for each other in turn and not at once.
    return sorted({zlib.crc32(key.encode()) % FIFO_BUCKETS for key in keys})


def _args(order: NewOrder) -> JsonObject:
    return {**order.args, "batch": order.batch} if order.batch is not None else order.args


def _merged(orders: Sequence[NewOrder]) -> dict[str, dict[str, Any]]:
    """Fold orders of one call that share a unique key, as the database does with waiting ones."""
    merged: dict[str, dict[str, Any]] = {}
    for order in orders:
        values = _values(order)
        if former := merged.get(str(order.unique_key)):
            values["args"] = order.merging.merged(former["args"], values["args"])
            values["priority"] = max(former["priority"], values["priority"])
        merged[str(order.unique_key)] = values
    return merged


def _values(order: NewOrder) -> dict[str, Any]:
    values = {
        "kind": order.kind,
        "key": order.key,
        "args": _args(order),
        "priority": order.priority,
        "not_before": order.not_before.isoformat() if order.not_before else None,
        "max_attempts": order.max_attempts,
        "unique_key": order.unique_key,
        "request_id": str(order.request_id) if order.request_id else None,
        "item_index": order.item_index,
        "actor": order.actor,
        "batch": order.batch,
        "response_required": order.response_required,
        "merging": None if order.merging == NEW_WINS else order.merging.to_json(),
    }
    # What is left out is NULL there, and most of it is.
    return {name: value for name, value in values.items() if value is not None}


async def _insert(connection: AsyncConnection, orders: Sequence[NewOrder]) -> list[int]:
    if not orders:
        return []
    columns = (
        [order.kind for order in orders],
        [order.key for order in orders],
        [dump(_args(order)) for order in orders],
        [order.priority for order in orders],
        [order.not_before for order in orders],
        [order.max_attempts for order in orders],
        [order.request_id for order in orders],
        [order.item_index for order in orders],
        [order.actor for order in orders],
        [order.batch for order in orders],
        [order.response_required for order in orders],
        [order.place for order in orders],
    )
    found = await connection.exec_driver_sql(statements.INSERT, columns)
    return list(found.one()[0])


async def _merge(connection: AsyncConnection, orders: Sequence[dict[str, Any]]) -> dict[str, int]:
    if not orders:
        return {}
    if role_of(connection) is not Role.WEB:
        return await _merged_by(connection, statements.MERGE, dump(orders))
    ids: dict[str, int] = {}
    for kind in sorted({order["kind"] for order in orders}):
        of_kind = dump([order for order in orders if order["kind"] == kind])
        ids |= await _merged_by(connection, statements.MERGE_OF_KIND, kind, of_kind)
    return ids


async def _merged_by(connection: AsyncConnection, statement: str, *values: str) -> dict[str, int]:
    row: Any = (await connection.exec_driver_sql(statement, values)).one()
    return dict(zip(row[1], row[0], strict=True))
