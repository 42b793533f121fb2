"""Every statement on the feed of changes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import AnyRow

CHANNEL = "archive_changed"
"""Triggers notify it whenever they recorded changes."""

# Rows of earlier generations were committed before their server was dumped.
_CURRENT = "(SELECT max(number) FROM change_generation)"
_SETTLED = f"(c.generation < {_CURRENT} OR c.xid < pg_snapshot_xmin(pg_current_snapshot()))"

AFTER = f"""
SELECT c.generation, c.xid::text::bigint AS xid, c.id, c.kind, c.version_id AS version, c.present, c.canonical,
    file.name, v.path, v.filename, v.origin, v.previous_id AS previous, v.file_size, v.data_size,
    v.file_md5, v.data_md5, v.lastmod, v.entrytime,
    ARRAY(SELECT e.id FROM edit AS e WHERE e.version_after = c.version_id AND e.outcome = 'changed'
        AND c.kind = 'changed' ORDER BY e.id) AS edits
FROM (
    SELECT * FROM change AS c
    WHERE (c.generation, c.xid, c.id) > ($1::integer, $2::text::xid8, $3::bigint) AND {_SETTLED}
    ORDER BY c.generation, c.xid, c.id LIMIT $4::integer
) AS c
JOIN file ON file.id = c.file_id
LEFT JOIN version AS v ON v.id = c.version_id
ORDER BY c.generation, c.xid, c.id
"""  # noqa: S608  (constants of this module)
"""The settled changes behind a position: generation, transaction, number; and how many of them."""

_UNSETTLED = f"""
SELECT EXISTS (SELECT FROM change AS c
    WHERE c.generation = {_CURRENT} AND c.xid >= pg_snapshot_xmin(pg_current_snapshot()))
"""  # noqa: S608

_LATEST = f"""
SELECT c.generation, c.xid::text::bigint AS xid, c.id FROM change AS c WHERE {_SETTLED}
ORDER BY c.generation DESC, c.xid DESC, c.id DESC LIMIT 1
"""  # noqa: S608

# Whatever its age, a change is kept as long as an older transaction may put others before it. Those that go are
# a first part of the feed without a gap, and the horizon is the last of them.
_FORGET = f"""
WITH oldest AS (
    SELECT c.generation, c.xid, c.id, c.noted < $1::timestamptz AND {_SETTLED} AS past
    FROM change AS c ORDER BY c.generation, c.xid, c.id LIMIT $2::integer
), first AS (
    SELECT generation, xid, id, bool_and(past) OVER (ORDER BY generation, xid, id) AS past FROM oldest
), gone AS (
    DELETE FROM change AS c USING first AS f
    WHERE f.past AND (c.generation, c.xid, c.id) = (f.generation, f.xid, f.id)
    RETURNING c.generation, c.xid, c.id
), horizon AS (
    INSERT INTO change_horizon (generation, xid, id)
    SELECT generation, xid, id FROM gone ORDER BY generation DESC, xid DESC, id DESC LIMIT 1
    ON CONFLICT (single) DO UPDATE
    SET generation = EXCLUDED.generation, xid = EXCLUDED.xid, id = EXCLUDED.id
)
SELECT count(*) FROM gone
"""  # noqa: S608

_HORIZON = "SELECT generation, xid::text::bigint AS xid, id FROM change_horizon"

_KNOWN = """
SELECT EXISTS (SELECT FROM change WHERE generation = $1::integer AND xid = $2::text::xid8 AND id = $3::bigint)
"""


async def after(connection: AsyncConnection, position: tuple[int, int, int], limit: int) -> list[AnyRow]:
    """Return the changes behind a position that no running transaction can precede any more."""
    generation, xid, number = position
    found = await connection.exec_driver_sql(AFTER, (generation, str(xid), number, limit))
    return list(found.all())


async def any_unsettled(connection: AsyncConnection) -> bool:
    """Tell whether committed changes wait for older transactions to end."""
    return bool((await connection.exec_driver_sql(_UNSETTLED)).scalar())


async def latest(connection: AsyncConnection) -> AnyRow | None:
    """Return the position of the last change that readers may see."""
    return (await connection.exec_driver_sql(_LATEST)).first()


async def is_known(connection: AsyncConnection, position: tuple[int, int, int]) -> bool:
    """Tell whether a change was recorded at this very position."""
    generation, xid, number = position
    return bool((await connection.exec_driver_sql(_KNOWN, (generation, str(xid), number))).scalar())


async def horizon(connection: AsyncConnection) -> tuple[int, int, int] | None:
    """Return the position of the last change that was forgotten, or None."""
    row = (await connection.exec_driver_sql(_HORIZON)).first()
    return (row.generation, row.xid, row.id) if row else None


async def forget(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Forget the oldest changes, up to ``limit``, if they were noted before an instant; return how many."""
    return int((await connection.exec_driver_sql(_FORGET, (before, limit))).scalar() or 0)
