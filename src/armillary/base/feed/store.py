"""Every statement on the feed; what writes is functions of the database, for triggers use them, too."""

# What is put into these texts are constants of this module.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import AnyRow

Position = tuple[int, int, int]
"""Generation, number, id."""

# A name that no topic has leads to no row anywhere, and `horizon` raises.
_TOPIC = "(SELECT t.id FROM feed_topic AS t WHERE t.name = $1)"
_CURRENT = "(SELECT max(g.number) FROM feed_generation AS g)"
# Entries of earlier generations were committed before their server was dumped.
_SETTLED = f"(e.generation < {_CURRENT} OR e.number <= $2::bigint)"

_BOUND = "SELECT feed_settled($1)"

AFTER = f"""
SELECT e.generation, e.number, e.id, e.key, e.payload, e.noted FROM feed_entry AS e
WHERE e.topic = {_TOPIC} AND {_SETTLED}
    AND (e.generation, e.number, e.id) > ($3::integer, $4::bigint, $5::bigint)
ORDER BY e.generation, e.number, e.id LIMIT $6::integer
"""
"""The entries of a topic up to a bound and behind a position, and how many of them."""

_LATEST = f"""
SELECT e.generation, e.number, e.id FROM feed_entry AS e WHERE e.topic = {_TOPIC} AND {_SETTLED}
ORDER BY e.generation DESC, e.number DESC, e.id DESC LIMIT 1
"""

_BEFORE = f"""
SELECT e.generation, e.number, e.id FROM feed_entry AS e WHERE e.topic = {_TOPIC} AND e.noted < $2::timestamptz
ORDER BY e.generation DESC, e.number DESC, e.id DESC LIMIT 1
"""

_HORIZON = "SELECT horizon_generation, horizon_number, horizon_id"

_ENDS = f"""
{_HORIZON}, coalesce((
    SELECT e.number FROM feed_entry AS e WHERE e.topic = t.id AND e.generation = {_CURRENT}
    ORDER BY e.number DESC LIMIT 1
) > $2::bigint, false) AS unsettled
FROM feed_topic AS t WHERE t.name = $1
"""

# In one snapshot, so that nothing is forgotten between the two. What is written behind it and waits is announced
# when it commits.
_PAGE = f"""
WITH ends AS MATERIALIZED ({_ENDS}), found AS MATERIALIZED ({AFTER})
SELECT ends.*, found.* FROM ends LEFT JOIN found ON true ORDER BY found.generation, found.number, found.id
"""

_KNOWN = f"""
SELECT EXISTS (SELECT FROM feed_entry AS e WHERE e.topic = {_TOPIC}
    AND (e.generation, e.number, e.id) = ($2::integer, $3::bigint, $4::bigint))
"""

_PLACE = f"""
{_HORIZON}, EXISTS (SELECT FROM feed_entry AS e WHERE e.topic = t.id
    AND (e.generation, e.number, e.id) = ($2::integer, $3::bigint, $4::bigint)) AS known
FROM feed_topic AS t WHERE t.name = $1
"""

# Generations are few, and in each of them a number is looked up in the primary key.
_GENERATION = f"""
SELECT g.number FROM feed_generation AS g
WHERE EXISTS (
    SELECT FROM feed_entry AS e
    WHERE e.topic = {_TOPIC} AND e.generation = g.number AND e.number = $2::bigint
)
ORDER BY g.number DESC LIMIT 1
"""

# Whatever its age, an entry is kept as long as others may come before it. Those that go are a first part of the
# topic without a gap, and the horizon is the last of them.
_FORGET = f"""
WITH oldest AS (
    SELECT e.generation, e.number, e.id, e.noted < $3::timestamptz AND {_SETTLED} AND NOT EXISTS (
        SELECT FROM feed_consumer AS c WHERE c.topic = e.topic
            AND (c.generation, c.number, c.id) < (e.generation, e.number, e.id)
    ) AS past
    FROM feed_entry AS e WHERE e.topic = {_TOPIC}
    ORDER BY e.generation, e.number, e.id LIMIT $4::integer
), first AS (
    SELECT generation, number, id, bool_and(past) OVER (ORDER BY generation, number, id) AS past FROM oldest
), gone AS (
    DELETE FROM feed_entry AS e USING first AS f
    WHERE f.past AND e.topic = {_TOPIC}
        AND (e.generation, e.number, e.id) = (f.generation, f.number, f.id)
    RETURNING e.generation, e.number, e.id
), horizon AS (
    UPDATE feed_topic AS t
    SET horizon_generation = l.generation, horizon_number = l.number, horizon_id = l.id
    FROM (SELECT * FROM gone ORDER BY generation DESC, number DESC, id DESC LIMIT 1) AS l WHERE t.name = $1
)
SELECT count(*) FROM gone
"""

_REGISTER = f"""
INSERT INTO feed_consumer (topic, name, generation, number, id)
VALUES ({_TOPIC}, $2, $3::integer, $4::bigint, $5::bigint) ON CONFLICT DO NOTHING
"""
_OF_CONSUMER = f"WHERE topic = {_TOPIC} AND name = $2"
_ACKNOWLEDGED = f"SELECT generation, number, id FROM feed_consumer {_OF_CONSUMER}"
# Compared again when another call has moved it meanwhile.
_ACKNOWLEDGE = f"""
UPDATE feed_consumer SET generation = $3::integer, number = $4::bigint, id = $5::bigint, seen = now()
{_OF_CONSUMER} AND (generation, number, id) < ($3::integer, $4::bigint, $5::bigint)
"""
# Who looks every second need not write as often.
_SEE = f"UPDATE feed_consumer SET seen = now() {_OF_CONSUMER} AND seen < now() - interval '10 seconds'"
_UNREGISTER = f"DELETE FROM feed_consumer {_OF_CONSUMER}"

_BEGIN = "INSERT INTO feed_generation (number) SELECT max(number) + $1::integer FROM feed_generation"


async def append(
    connection: AsyncConnection, topic: str, keys: Sequence[str], payloads: Sequence[str]
) -> None:
    """Write entries, whose payloads are texts of JSON."""
    query = "SELECT feed_append($1, $2::text[], $3::text[]::jsonb[])"
    await connection.exec_driver_sql(query, (topic, list(keys), list(payloads)))


async def settled(connection: AsyncConnection, topic: str) -> int:
    """Return the number up to which the next statement sees all that will ever be written to a topic."""
    return int((await connection.exec_driver_sql(_BOUND, (topic,))).scalar_one())


async def page(
    connection: AsyncConnection, topic: str, position: Position, bound: int, limit: int
) -> tuple[Position, bool, list[AnyRow]]:
    """Return the last entry that was forgotten, whether there are entries above a bound, and those up to it."""
    rows = (await connection.exec_driver_sql(_PAGE, (topic, bound, *position, limit))).all()
    if not rows:
        raise LookupError(f"the feed has no topic '{topic}'")
    first = rows[0]
    horizon = first.horizon_generation, first.horizon_number, first.horizon_id
    return horizon, first.unsettled, [row for row in rows if row.id is not None]


async def latest(connection: AsyncConnection, topic: str, bound: int) -> AnyRow | None:
    """Return the position of the last entry up to a bound."""
    return (await connection.exec_driver_sql(_LATEST, (topic, bound))).first()


async def before(connection: AsyncConnection, topic: str, instant: datetime) -> AnyRow | None:
    """Return the position of the last entry that was noted before an instant."""
    return (await connection.exec_driver_sql(_BEFORE, (topic, instant))).first()


async def is_known(connection: AsyncConnection, topic: str, position: Position) -> bool:
    """Tell whether an entry was written at this very position."""
    return bool((await connection.exec_driver_sql(_KNOWN, (topic, *position))).scalar())


async def place(connection: AsyncConnection, topic: str, position: Position) -> tuple[bool, Position]:
    """Tell whether an entry was written at this very position; and the position of the last that was forgotten."""
    row = (await connection.exec_driver_sql(_PLACE, (topic, *position))).first()
    if row is None:
        raise LookupError(f"the feed has no topic '{topic}'")
    return row.known, (row.horizon_generation, row.horizon_number, row.horizon_id)


async def generation_of(connection: AsyncConnection, topic: str, number: int) -> int | None:
    """Return the latest generation in which something was written under a number; None if nothing is kept."""
    found: int | None = (await connection.exec_driver_sql(_GENERATION, (topic, number))).scalar()
    return found


async def horizon(connection: AsyncConnection, topic: str) -> Position:
    """Return the position of the last entry that was forgotten; zeros if none was."""
    return await _horizon(connection, topic, "")


async def share_horizon(connection: AsyncConnection, topic: str) -> None:
    """Let nobody forget entries until the transaction ends."""
    await _horizon(connection, topic, " FOR SHARE")


async def lock_horizon(connection: AsyncConnection, topic: str) -> None:
    """Let nobody else forget entries, or register a consumer, until the transaction ends."""
    await _horizon(connection, topic, " FOR UPDATE")


async def _horizon(connection: AsyncConnection, topic: str, lock: str) -> Position:
    query = f"{_HORIZON} FROM feed_topic WHERE name = $1{lock}"
    row = (await connection.exec_driver_sql(query, (topic,))).first()
    if row is None:
        raise LookupError(f"the feed has no topic '{topic}'")
    return row.horizon_generation, row.horizon_number, row.horizon_id


async def forget(connection: AsyncConnection, topic: str, bound: int, *, before: datetime, limit: int) -> int:
    """Forget the oldest entries up to a bound, ``limit`` at most, noted before an instant; return how many."""
    found = await connection.exec_driver_sql(_FORGET, (topic, bound, before, limit))
    return int(found.scalar() or 0)


async def register(connection: AsyncConnection, topic: str, name: str, position: Position) -> None:
    """Enter a consumer that is not there yet."""
    await connection.exec_driver_sql(_REGISTER, (topic, name, *position))


async def acknowledged(connection: AsyncConnection, topic: str, name: str) -> Position | None:
    """Return what a consumer has acknowledged; None if it is not registered."""
    row = (await connection.exec_driver_sql(_ACKNOWLEDGED, (topic, name))).first()
    return (row.generation, row.number, row.id) if row else None


async def see(connection: AsyncConnection, topic: str, name: str) -> None:
    """Note that a consumer was here."""
    await connection.exec_driver_sql(_SEE, (topic, name))


async def acknowledge(connection: AsyncConnection, topic: str, name: str, position: Position) -> None:
    """Move what a consumer has acknowledged forward, if that is forward."""
    await connection.exec_driver_sql(_ACKNOWLEDGE, (topic, name, *position))


async def unregister(connection: AsyncConnection, topic: str, name: str) -> bool:
    """Remove a consumer; tell whether it was there."""
    return bool((await connection.exec_driver_sql(_UNREGISTER, (topic, name))).rowcount)


async def notice_restore(connection: AsyncConnection) -> bool:
    """Begin a new generation if recorded transactions lie in the future of this server; tell whether."""
    return bool((await connection.exec_driver_sql("SELECT feed_notice_restore()")).scalar())


async def begin_generation(connection: AsyncConnection, leap: int) -> None:
    """Begin a generation that is so many above the last one."""
    await connection.exec_driver_sql(_BEGIN, (leap,))


async def last_number(connection: AsyncConnection) -> int:
    """Return the number of the entry that was written last, of any topic; 0 if there never was one."""
    query = "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('feed_entry', 'id')::regclass), 0)"
    return int((await connection.exec_driver_sql(query)).scalar() or 0)
