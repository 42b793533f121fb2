"""Every statement on claims: items that are leased, done, given back."""

# What is put into these texts are constants of this package.
# ruff: noqa: S608

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.pipe.models import Claim, ClaimId, item_of
from armillary.pipe.store import DUE

CLAIM = f"""
WITH {DUE},
leased AS (
    UPDATE pipe_item AS i SET claim = gen_random_uuid(), worker = $3, attempt = i.attempt + 1, reason = NULL,
        free_at = clock_timestamp() + make_interval(secs => $4::float8)
    FROM due WHERE i.seq = due.seq RETURNING i.*
)
SELECT q.name AS queue_name, q.id AS queue, l.* FROM wanted AS q LEFT JOIN leased AS l ON l.queue_id = q.id
ORDER BY l.priority DESC, l.seq
"""

# Of a claim that is lost, too, as long as its item is there.
QUEUE_OF = """
SELECT name FROM pipe_queue WHERE id = coalesce(
    (SELECT queue_id FROM pipe_item WHERE seq = $1),
    (SELECT queue_id FROM pipe_acknowledged WHERE claim = $2))
"""

_OURS = "i.seq = $1 AND i.claim = $2 AND i.free_at > clock_timestamp()"

ACKNOWLEDGE = f"""
WITH gone AS (DELETE FROM pipe_item AS i WHERE {_OURS} RETURNING i.claim, i.queue_id)
INSERT INTO pipe_acknowledged (claim, queue_id) SELECT claim, queue_id FROM gone RETURNING claim
"""

ACKNOWLEDGED = "SELECT claim FROM pipe_acknowledged WHERE claim = $1"

GIVE_BACK = f"""
UPDATE pipe_item AS i SET claim = NULL, reason = $4,
    free_at = CASE WHEN $3::float8 > 0 THEN now() + make_interval(secs => $3::float8) END,
    dead_at = CASE WHEN $5 OR i.attempt >= q.max_attempts THEN now() END
FROM pipe_queue AS q WHERE q.id = i.queue_id AND {_OURS}
RETURNING i.dead_at IS NOT NULL AS dead, i.queue_id
"""

EXTEND = f"""
UPDATE pipe_item AS i SET free_at = clock_timestamp() + make_interval(secs => $3::float8)
WHERE {_OURS} RETURNING i.free_at
"""


async def claim_items(
    connection: AsyncConnection, name: str, *, worker: str, count: int, lease_s: float
) -> tuple[int, list[Claim]] | None:
    """Lease up to ``count`` items; return the id of the queue and the claims, None if there is no such queue."""
    rows = (await connection.exec_driver_sql(CLAIM, ([name], [count], worker, lease_s))).all()
    if not rows:
        return None
    return rows[0].queue, [
        Claim(str(ClaimId(row.seq, row.claim)), item_of(row), row.attempt, row.free_at)
        for row in rows
        if row.seq is not None
    ]


async def queue_of_claim(connection: AsyncConnection, claim: ClaimId) -> str | None:
    """Return the name of the queue whose item a claim holds, or held, if that can be known."""
    found: str | None = (await connection.exec_driver_sql(QUEUE_OF, (claim.seq, claim.token))).scalar()
    return found


async def acknowledge(connection: AsyncConnection, claim: ClaimId) -> bool:
    """Remove the item of a claim; tell whether it is, or was already, removed by this claim."""
    if (await connection.exec_driver_sql(ACKNOWLEDGE, (claim.seq, claim.token))).first():
        return True
    # Another statement, since a repetition may have waited for the first one, and would not see what it wrote.
    return (await connection.exec_driver_sql(ACKNOWLEDGED, (claim.token,))).first() is not None


async def give_back(
    connection: AsyncConnection, claim: ClaimId, *, delay_s: float, reason: str | None, dead: bool
) -> tuple[bool, int] | None:
    """End a claim without success; return whether the item is dead now, and its queue, None if it was not ours."""
    values = (claim.seq, claim.token, delay_s, reason, dead)
    row = (await connection.exec_driver_sql(GIVE_BACK, values)).first()
    return (bool(row.dead), int(row.queue_id)) if row else None


async def extend(connection: AsyncConnection, claim: ClaimId, lease_s: float) -> datetime | None:
    """Let a lease end in so many seconds; return when, None if it was not ours."""
    values = (claim.seq, claim.token, lease_s)
    found: datetime | None = (await connection.exec_driver_sql(EXTEND, values)).scalar()
    return found
