"""Every statement on change sets and their files."""

# What is put into these texts are constants of this module.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.query.service import Members
from armillary.base.database import AnyRow
from armillary.base.work import admin, joins
from armillary.edits.changesets.models import ChangeSet, ChangeSetState, Wanted

_COLUMNS = "id, actor, address, why, batch, wanted, state, reverter, created, finished"
_members = sa.table("change_set_file", sa.column("change_set"), sa.column("file_id"), sa.column("state"))

# Statistics of tables that have just been filled are wrong; the only good plans go through the indexes. A set of a
# million files is filled by the statement before, and autovacuum looks at it minutes later.
BY_INDEX = """
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
       set_config('enable_mergejoin', 'off', true)
"""

INSERT = """
INSERT INTO change_set (id, actor, address, why, batch, wanted, state, created)
VALUES ($1, $2, $3, $4, $5, $6, 'applying', $7)
"""

# From the records of edits and not from their orders: those of a large set are forgotten while it still runs.
SETTLE = """
UPDATE change_set_file AS m SET
    state = CASE WHEN m.state = 'queued' THEN e.outcome WHEN e.outcome = 'failed' THEN 'kept' ELSE 'reverted' END,
    edit_id = CASE WHEN m.state = 'queued' THEN e.id ELSE m.edit_id END,
    error = e.error
FROM edit AS e
WHERE m.change_set = $1 AND m.state IN ('queued', 'reverting') AND e.order_id = m.order_id
"""

UNSETTLED = f"""
SELECT m.order_id FROM change_set_file AS m
WHERE m.change_set = $1 AND m.state IN ('queued', 'reverting') AND NOT {joins.is_unfinished("m.order_id")}
"""

LOSE = """
UPDATE change_set_file SET state = CASE state WHEN 'queued' THEN 'failed' ELSE 'kept' END,
    error = 'its work order ended without a record; see the log of the worker'
WHERE change_set = $1 AND state IN ('queued', 'reverting') AND order_id = ANY($2::bigint[])
"""

# A file whose order failed waits with that order's number: the next one takes its place.
NEXT_WAITING = f"""
SELECT m.file_id, f.name, {joins.place_of("m.order_id")} AS place
FROM change_set_file AS m JOIN file AS f ON f.id = m.file_id
WHERE m.change_set = $1 AND m.state = 'waiting' ORDER BY m.file_id LIMIT $2
"""

# Marked files leave these states, so that the next page begins at the front and no position has to be kept.
NEXT_CHANGED = """
SELECT m.file_id, m.edit_id, e.version_after FROM change_set_file AS m JOIN edit AS e ON e.id = m.edit_id
WHERE m.change_set = $1 AND m.state = 'changed' ORDER BY m.file_id LIMIT $2
"""

MARK = """
UPDATE change_set_file AS m SET state = u.state, order_id = u.order_id, error = u.error
FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::text[]) AS u (file_id, state, order_id, error)
WHERE m.change_set = $1 AND m.file_id = u.file_id
"""

QUEUED = "SELECT order_id FROM change_set_file WHERE change_set = $1 AND state = 'queued'"

WAIT_AGAIN = """
UPDATE change_set_file AS m SET state = 'waiting', order_id = gone.place
FROM unnest($2::bigint[], $3::bigint[]) AS gone (id, place)
WHERE m.change_set = $1 AND m.state = 'queued' AND m.order_id = gone.id
"""

_OVERTAKEN = f"""
m.state = 'failed' AND EXISTS (
    SELECT FROM edit AS e
    WHERE e.file_id = m.file_id AND e.outcome = 'changed' AND {joins.place_of("e.order_id")} > m.order_id)
"""

OVERTAKEN = f"""
UPDATE change_set_file AS m SET error = 'a later edit of the file has been carried out, which this one would undo'
WHERE m.change_set = $1 AND {_OVERTAKEN}
"""

# Since the first edit of the window, not over its whole length: a set that has just begun is not slow.
RATE = """
SELECT count(*) / greatest(extract(epoch FROM now() - min(finished)), 0.1)
FROM edit WHERE change_set = $1 AND finished > now() - make_interval(secs => $2::float8)
HAVING count(*) > 0
"""

FILES = """
SELECT m.file_id, f.name, m.state, m.edit_id, m.error FROM change_set_file AS m JOIN file AS f ON f.id = m.file_id
WHERE m.change_set = $1 AND m.state = ANY($2::text[]) AND m.file_id > $3 ORDER BY m.file_id LIMIT $4
"""

IS_HELD = f"""
SELECT EXISTS (SELECT FROM change_set_file AS m
    WHERE m.change_set = $1 AND m.state IN ('queued', 'reverting') AND {joins.is_held("m.order_id")})
"""


async def insert(
    connection: AsyncConnection, values: Sequence[object], members: Members, change_set: int
) -> int:
    """Record a change set with the files that it means now; return how many."""
    await connection.exec_driver_sql(INSERT, tuple(values))
    chosen = members.subquery()
    rows = sa.select(sa.literal(change_set), chosen.c.file_id, sa.literal("waiting"))
    result = await connection.execute(
        sa.insert(_members).from_select(["change_set", "file_id", "state"], rows)
    )
    return int(result.rowcount)


def _of(row: AnyRow) -> ChangeSet:
    return ChangeSet(
        row.id,
        row.actor,
        row.address,
        row.why,
        row.batch,
        Wanted.of_text(row.wanted),
        ChangeSetState(row.state),
        row.reverter,
        row.created,
        row.finished,
    )


async def find(connection: AsyncConnection, change_set: int, *, lock: bool = False) -> ChangeSet | None:
    """Return a change set; with ``lock`` nobody else changes it until the end of the transaction."""
    query = f"SELECT {_COLUMNS} FROM change_set WHERE id = $1{' FOR UPDATE' if lock else ''}"
    row = (await connection.exec_driver_sql(query, (change_set,))).first()
    return _of(row) if row else None


async def latest(connection: AsyncConnection, *, before: int | None, count: int) -> list[ChangeSet]:
    """Return change sets, newest first, beginning below an id."""
    query = f"""
    SELECT {_COLUMNS} FROM change_set WHERE $1::bigint IS NULL OR id < $1::bigint ORDER BY id DESC LIMIT $2
    """
    rows = (await connection.exec_driver_sql(query, (before, count))).all()
    return [_of(row) for row in rows]


async def set_state(
    connection: AsyncConnection,
    change_set: int,
    state: ChangeSetState,
    *,
    finished: datetime | None = None,
    reverter: str | None = None,
) -> None:
    """Record what a change set does from now on."""
    query = """
    UPDATE change_set SET state = $2, finished = $3, reverter = coalesce($4::text, reverter) WHERE id = $1
    """
    await connection.exec_driver_sql(query, (change_set, str(state), finished, reverter))


async def by_index(connection: AsyncConnection) -> None:
    """Let the statements of this transaction find their rows by indexes."""
    await connection.exec_driver_sql(BY_INDEX)


async def settle(connection: AsyncConnection, change_set: int) -> int:
    """Note how the orders ended that did; return how many."""
    return int((await connection.exec_driver_sql(SETTLE, (change_set,))).rowcount)


async def unsettled(connection: AsyncConnection, change_set: int) -> list[int]:
    """Return orders of the change set that ended, although no record of their outcome was seen."""
    return list((await connection.exec_driver_sql(UNSETTLED, (change_set,))).scalars().all())


async def lose(connection: AsyncConnection, change_set: int, order_ids: Sequence[int]) -> None:
    """Give up files whose orders are gone without a trace."""
    await connection.exec_driver_sql(LOSE, (change_set, list(order_ids)))


async def next_waiting(connection: AsyncConnection, change_set: int, count: int) -> list[AnyRow]:
    """Return (file id, name, place in the queue of the file) of the next files to be edited."""
    return list((await connection.exec_driver_sql(NEXT_WAITING, (change_set, count))).all())


async def next_changed(connection: AsyncConnection, change_set: int, count: int) -> list[AnyRow]:
    """Return (file id, edit id, version after it) of the next edits to be taken back."""
    return list((await connection.exec_driver_sql(NEXT_CHANGED, (change_set, count))).all())


async def mark(
    connection: AsyncConnection,
    change_set: int,
    rows: Sequence[tuple[int, str, int | None, str | None]],
) -> None:
    """Record (file id, state, order, error) of some files."""
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        await connection.exec_driver_sql(MARK, (change_set, *columns))


async def withdraw(connection: AsyncConnection, change_set: int) -> int:
    """Take the orders back that nobody has begun; their files wait again. Return how many.

    Without those a stop is at once, whatever waits behind other work.
    """
    queued = (await connection.exec_driver_sql(QUEUED, (change_set,))).scalars().all()
    gone = await admin.withdraw(connection, queued)
    values = (change_set, list(gone), list(gone.values()))
    return int((await connection.exec_driver_sql(WAIT_AGAIN, values)).rowcount)


async def try_kept_again(connection: AsyncConnection, change_set: int) -> None:
    """Let files whose edit could not be taken back count as changed, for another try."""
    query = "UPDATE change_set_file SET state = 'changed' WHERE change_set = $1 AND state = 'kept'"
    await connection.exec_driver_sql(query, (change_set,))


async def try_failed_again(connection: AsyncConnection, change_set: int) -> None:
    """Let files that were refused or failed wait once more; what happened stays on record.

    Those that failed keep their place among the edits of the file: one that was overtaken stays as it is.
    """
    await connection.exec_driver_sql(OVERTAKEN, (change_set,))
    query = f"""
    UPDATE change_set_file AS m SET state = 'waiting', edit_id = NULL, error = NULL,
        order_id = CASE m.state WHEN 'failed' THEN m.order_id END
    WHERE m.change_set = $1 AND m.state IN ('refused', 'failed') AND NOT ({_OVERTAKEN})
    """
    await connection.exec_driver_sql(query, (change_set,))


async def in_flight(connection: AsyncConnection, change_set: int) -> int:
    """Return how many files have an order that has not ended as far as is known."""
    query = """
    SELECT count(*) FROM change_set_file WHERE change_set = $1 AND state IN ('queued', 'reverting')
    """
    return int((await connection.exec_driver_sql(query, (change_set,))).scalar() or 0)


async def is_held(connection: AsyncConnection, change_set: int) -> bool:
    """Tell whether an order of the change set waits for room."""
    return bool((await connection.exec_driver_sql(IS_HELD, (change_set,))).scalar())


async def counts(connection: AsyncConnection, change_set: int) -> dict[str, int]:
    """Return how many files are in each state that occurs."""
    query = "SELECT state, count(*) AS files FROM change_set_file WHERE change_set = $1 GROUP BY state"
    rows = (await connection.exec_driver_sql(query, (change_set,))).all()
    return {row.state: row.files for row in rows}


async def rate(connection: AsyncConnection, change_set: int, window_s: float) -> float:
    """Return the files per second of the last while."""
    return float((await connection.exec_driver_sql(RATE, (change_set, window_s))).scalar() or 0)


async def files(
    connection: AsyncConnection, change_set: int, states: Sequence[str], *, after: int, count: int
) -> list[AnyRow]:
    """Return the next files of a change set that are in one of the states, in order of their id."""
    values = (change_set, list(states), after, count)
    return list((await connection.exec_driver_sql(FILES, values)).all())


def file_ids(change_set: int) -> sa.Select[Any]:
    """Return the statement that chooses the files of a change set."""
    return sa.select(_members.c.file_id).where(_members.c.change_set == change_set)
