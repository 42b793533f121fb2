"""Every statement on queues, their items and dead letters."""

# What is put into these texts are constants of this module.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import AnyRow
from armillary.pipe.models import (
    DeadLetter,
    Numbered,
    PriorityRule,
    QueueState,
    Taken,
    item_of,
)

ITEM_CHANNEL = "pipe_item"
"""An item can be had in a queue that somebody waits at: its id."""
QUEUE_CHANNEL = "pipe_queue"
"""There is a new queue."""

# A lease that has ended needs nobody to say so: the item is there again, or dead if that was the last attempt.
# By the time of the statement: its transaction may have begun with the end of the one before, which took a while.
_ENDED = "i.free_at <= statement_timestamp()"
_SPENT = f"(i.claim IS NOT NULL AND {_ENDED} AND i.attempt >= q.max_attempts)"
_FREE = f"(i.free_at IS NULL OR {_ENDED} AND (i.claim IS NULL OR i.attempt < q.max_attempts))"

# The one path by which items are taken, for good or by a lease: the oldest that is free, and not the next of
# somebody whose transaction has not ended. SKIP LOCKED follows a row that was changed since, and judges it again.
DUE = f"""
wanted AS MATERIALIZED (
    SELECT q.id, q.name, q.max_attempts, w.count
    FROM unnest($1::text[], $2::integer[]) AS w (name, count) JOIN pipe_queue AS q ON q.name = w.name
),
due AS MATERIALIZED (
    SELECT i.seq FROM wanted AS q CROSS JOIN LATERAL (
        SELECT i.seq FROM pipe_item AS i
        WHERE i.queue_id = q.id AND i.dead_at IS NULL AND {_FREE}
        ORDER BY i.priority DESC, i.seq LIMIT q.count
        FOR UPDATE SKIP LOCKED
    ) AS i
)
"""

ENQUEUE = "SELECT * FROM pipe_enqueue($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"

_MARK = """
marked AS (
    INSERT INTO pipe_writer AS w (id, batch) SELECT {writer}, {batch} WHERE EXISTS (SELECT FROM {what})
    ON CONFLICT (id) DO UPDATE SET batch = EXCLUDED.batch, used = now()
)
"""

# A queue without an item that is free is still told, since that is another answer than a queue that is not there.
TAKE = f"""
WITH {DUE},
gone AS (
    DELETE FROM pipe_item AS i USING due WHERE i.seq = due.seq
    RETURNING i.seq, i.queue_id, i.id, i.sender, i.payload, i.created_ms, i.priority, i.attempt
),
{_MARK.format(writer="$3::uuid", batch="$4::bigint", what="gone")}
SELECT q.name AS queue_name, g.* FROM wanted AS q LEFT JOIN gone AS g ON g.queue_id = q.id
ORDER BY g.priority DESC, g.seq
"""

# Waits for a transaction of that writer that has not ended: its row, or the key of it, is locked until then.
ASK = """
INSERT INTO pipe_writer AS w (id, batch) VALUES ($1, 0)
ON CONFLICT (id) DO UPDATE SET batch = w.batch RETURNING batch
"""

PUT_BACK = """
INSERT INTO pipe_item (seq, queue_id, id, sender, payload, created_ms, priority, attempt) OVERRIDING SYSTEM VALUE
SELECT n.* FROM (
    SELECT q.id FROM pipe_queue AS q WHERE q.id = ANY ($2::bigint[]) ORDER BY q.id FOR NO KEY UPDATE
) AS q
JOIN unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::integer[],
    $8::integer[]) AS n (seq, queue_id, id, sender, payload, created_ms, priority, attempt) ON n.queue_id = q.id
ON CONFLICT (seq) DO NOTHING
"""

CREATE = "INSERT INTO pipe_queue (name) VALUES ($1) ON CONFLICT DO NOTHING RETURNING id"

FIND = "SELECT id FROM pipe_queue WHERE name = $1"

LOCK = "SELECT id FROM pipe_queue WHERE name = $1 FOR UPDATE"

COUNTS = f"""
SELECT q.name, count(i.seq) AS number FROM pipe_queue AS q
LEFT JOIN pipe_item AS i ON i.queue_id = q.id AND i.dead_at IS NULL AND {_FREE}
GROUP BY q.id ORDER BY q.name COLLATE "C"
"""

PEEK = f"""
SELECT q.name AS queue_name, i.id, i.sender, i.payload, i.created_ms
FROM pipe_queue AS q JOIN pipe_item AS i ON i.queue_id = q.id AND i.dead_at IS NULL AND {_FREE}
WHERE q.id = $1 ORDER BY i.priority DESC, i.seq LIMIT $2
"""

# Seconds since the oldest item that waits was sent, by the clock of the database, and never less than none.
STATES = f"""
SELECT q.name, q.dedupe_window_s, q.max_attempts, q.priorities,
    count(i.seq) FILTER (WHERE i.dead_at IS NULL AND {_FREE}) AS waiting,
    count(i.seq) FILTER (WHERE i.claim IS NOT NULL AND i.free_at > now()) AS leased,
    count(i.seq) FILTER (WHERE i.dead_at IS NOT NULL OR {_SPENT}) AS dead,
    count(i.seq) FILTER (WHERE i.dead_at IS NULL AND i.claim IS NULL AND i.free_at > now()) AS delayed,
    CASE WHEN count(i.seq) FILTER (WHERE i.dead_at IS NULL AND {_FREE}) > 0 THEN
        greatest(0, extract(epoch FROM now()) - 0.001 * min(i.created_ms)
            FILTER (WHERE i.dead_at IS NULL AND {_FREE}))::float8 END AS oldest_age_s
FROM pipe_queue AS q LEFT JOIN pipe_item AS i ON i.queue_id = q.id
WHERE $1::text IS NULL OR q.name = $1
GROUP BY q.id ORDER BY q.name COLLATE "C"
"""

SET_OPTIONS = """
UPDATE pipe_queue SET dedupe_window_s = coalesce($2::float8, dedupe_window_s),
    max_attempts = coalesce($3::integer, max_attempts), priorities = coalesce($4::text::jsonb, priorities)
WHERE id = $1
"""

# Whoever waits says so on the row that those who add items lock: they see it, or their item is there already.
WATCH = """
UPDATE pipe_queue SET watched_until = greatest(watched_until, now() + make_interval(secs => $2::float8))
WHERE name = $1 AND (watched_until IS NULL OR watched_until < now() + make_interval(secs => $2::float8))
"""

TELL = "SELECT pg_notify($1, $2)"

NEXT_FREE = """
SELECT extract(epoch FROM min(i.free_at) - now())::float8 FROM pipe_item AS i
WHERE i.queue_id = $1 AND i.dead_at IS NULL AND i.free_at > now()
"""

BURY = f"""
UPDATE pipe_item AS i SET claim = NULL, dead_at = i.free_at, free_at = NULL,
    reason = coalesce(i.reason, 'The lease of the last attempt ended.')
FROM pipe_queue AS q WHERE q.id = i.queue_id AND ($1::bigint IS NULL OR q.id = $1) AND {_SPENT}
"""

DEAD = """
SELECT q.name AS queue_name, i.id, i.sender, i.payload, i.created_ms, i.attempt, i.worker, i.reason, i.dead_at,
    i.seq
FROM pipe_item AS i JOIN pipe_queue AS q ON q.id = i.queue_id
WHERE i.queue_id = $1 AND i.dead_at IS NOT NULL AND i.seq > $2 ORDER BY i.seq LIMIT $3
"""

REQUEUE = """
UPDATE pipe_item SET dead_at = NULL, free_at = NULL, worker = NULL, reason = NULL, attempt = 0
WHERE queue_id = $1 AND dead_at IS NOT NULL AND ($2::text IS NULL OR id = $2) RETURNING seq
"""

DISCARD = "DELETE FROM pipe_item WHERE queue_id = $1 AND dead_at IS NOT NULL AND id = $2 RETURNING seq"

EMPTY = tuple(f"DELETE FROM {table} WHERE queue_id = $1" for table in ("pipe_item", "pipe_key"))

DROP = "DELETE FROM pipe_queue WHERE id = $1"

# A mark that is in use is written with every batch; nobody asks for the last one of a week ago.
FORGET = tuple(
    f"""
DELETE FROM {table} WHERE {key} IN (
    SELECT {key.strip("()")} FROM {table} WHERE {old} LIMIT $1 FOR UPDATE SKIP LOCKED)
"""
    for table, key, old in (
        ("pipe_key", "(queue_id, key)", "until < now()"),
        ("pipe_acknowledged", "claim", "acknowledged < now() - interval '1 day'"),
        ("pipe_writer", "id", "used < now() - interval '7 days'"),
    )
)


async def insert_items(
    connection: asyncpg.Connection,
    writer: UUID,
    batch: int,
    items: Sequence[Numbered],
    *,
    keep_s: float,
    make: bool,
) -> list[Any]:
    """Store items in the order given; return a row for each that was not, as the function tells it."""
    new = [one.item for one in items]
    columns = (
        [one.queue for one in new],
        [one.id for one in items],
        [one.created_ms for one in items],
        [one.sender for one in new],
        [one.payload.text for one in new],
        [one.payload.request for one in new],
        [one.key for one in new],
        # The sender is part of what is equal; nothing but a line feed ends it, and a digest has none.
        [f"{one.payload.digest}\n{one.sender}" for one in new],
    )
    return list(await connection.fetch(ENQUEUE, writer, batch, *columns, keep_s, make))


async def take_items(
    connection: asyncpg.Connection, writer: UUID, batch: int, counts: dict[str, int]
) -> dict[str, list[Taken]]:
    """Take up to so many items out of queues; a queue that is missing in the answer does not exist."""
    rows = await connection.fetch(TAKE, list(counts), list(counts.values()), writer, batch)
    taken: dict[str, list[Taken]] = {}
    for row in rows:
        of_queue = taken.setdefault(row["queue_name"], [])
        if row["seq"] is not None:
            of_queue.append(Taken(row["seq"], row["queue_id"], item_of(row), row["priority"], row["attempt"]))
    return taken


async def ask_for_batch(connection: asyncpg.Connection, writer: UUID) -> int:
    """Return the number of the last batch of a writer that was committed, once no other can be."""
    return int(await connection.fetchval(ASK, writer))


async def put_back(connection: AsyncConnection, taken: Iterable[Taken]) -> None:
    """Put items back to their places, if their queues exist."""
    rows = [
        (
            one.seq,
            one.queue_id,
            one.item.id,
            one.item.sender,
            bytes(one.item.payload).decode(),
            one.item.created_at,
            one.priority,
            one.attempt,
        )
        for one in taken
    ]
    await connection.exec_driver_sql(PUT_BACK, tuple(map(list, zip(*rows, strict=True))))


async def create_queue(connection: AsyncConnection, name: str) -> bool:
    """Create a queue; tell whether there was none of that name."""
    return (await connection.exec_driver_sql(CREATE, (name,))).scalar() is not None


async def find_queue(connection: AsyncConnection, name: str) -> int | None:
    """Return the id of a queue, if there is one."""
    found: int | None = (await connection.exec_driver_sql(FIND, (name,))).scalar()
    return found


async def lock_queue(connection: AsyncConnection, name: str) -> int | None:
    """Return the id of a queue, if there is one; nobody adds an item until the end of the transaction."""
    found: int | None = (await connection.exec_driver_sql(LOCK, (name,))).scalar()
    return found


async def drop_queue(connection: AsyncConnection, queue: int) -> None:
    """Delete a queue that is locked, and all that is in it."""
    for statement in (*EMPTY, DROP):
        await connection.exec_driver_sql(statement, (queue,))


async def count_waiting(connection: AsyncConnection) -> dict[str, int]:
    """Return how many items can be had in each queue."""
    return {row.name: row.number for row in await connection.exec_driver_sql(COUNTS)}


async def peek_items(connection: AsyncConnection, queue: int, limit: int) -> list[Any]:
    """Return the next items of a queue."""
    return [item_of(row) for row in await connection.exec_driver_sql(PEEK, (queue, limit))]


async def queue_states(connection: AsyncConnection, name: str | None = None) -> list[QueueState]:
    """Return the figures and options of one queue, or of all."""
    rows = (await connection.exec_driver_sql(STATES, (name,))).all()
    return [_state_of(row) for row in rows]


def _state_of(row: AnyRow) -> QueueState:
    return QueueState(
        row.name,
        int(row.waiting),
        int(row.leased),
        int(row.dead),
        int(row.delayed),
        row.oldest_age_s,
        row.dedupe_window_s,
        row.max_attempts,
        msgspec.convert(_json(row.priorities), list[PriorityRule]),
    )


def _json(value: Any) -> Any:
    return msgspec.json.decode(value) if isinstance(value, str) else value


async def set_options(connection: AsyncConnection, queue: int, options: dict[str, Any]) -> None:
    """Set options of a queue; those that are not named stay."""
    rules = options.get("priorities")
    values = (
        queue,
        options.get("dedupe_window_s"),
        options.get("max_attempts"),
        None if rules is None else msgspec.json.encode(rules).decode(),
    )
    await connection.exec_driver_sql(SET_OPTIONS, values)


async def watch(connection: AsyncConnection, name: str, seconds: float) -> None:
    """Let those who add items to a queue tell of it for so long."""
    await connection.exec_driver_sql(WATCH, (name, seconds))


async def tell_free(connection: AsyncConnection, queue: int) -> None:
    """Tell those who wait at a queue that there may be something."""
    await connection.exec_driver_sql(TELL, (ITEM_CHANNEL, str(queue)))


async def next_free_s(connection: AsyncConnection, queue: int) -> float | None:
    """Return the seconds until a delay or a lease of the queue ends."""
    found: float | None = (await connection.exec_driver_sql(NEXT_FREE, (queue,))).scalar()
    return found


async def bury(connection: AsyncConnection, queue: int | None = None) -> None:
    """Write down which items are dead letters since the lease of their last attempt ended."""
    await connection.exec_driver_sql(BURY, (queue,))


async def dead_letters(
    connection: AsyncConnection, queue: int, *, after: int, limit: int
) -> list[tuple[int, DeadLetter]]:
    """Return dead letters behind a place, each with its own."""
    rows = await connection.exec_driver_sql(DEAD, (queue, after, limit))
    return [
        (row.seq, DeadLetter(item_of(row), row.attempt, row.worker, row.reason, row.dead_at)) for row in rows
    ]


async def requeue(connection: AsyncConnection, queue: int, item: str | None) -> int:
    """Let a dead letter, or all of them, be items again at their old places; return how many."""
    return len((await connection.exec_driver_sql(REQUEUE, (queue, item))).all())


async def discard(connection: AsyncConnection, queue: int, item: str) -> int:
    """Delete a dead letter; return how many that were."""
    return len((await connection.exec_driver_sql(DISCARD, (queue, item))).all())


async def forget(connection: AsyncConnection, *, limit: int) -> int:
    """Delete what nobody asks for any more: old keys, acknowledgements, marks of processes that are gone."""
    return sum([(await connection.exec_driver_sql(one, (limit,))).rowcount for one in FORGET])
