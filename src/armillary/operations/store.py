"""Every statement of an operator's look at the database."""

# What is put into these texts are constants of this module.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import AnyRow

PRESENCE = 0x4152_4D57
"""The class of the advisory locks by which living workers are told from dead ones."""

SAMPLE_ROWS = 20_000
COUNTED_ROWS = 200_000
"""Larger tables are estimated: counting them would read them whole."""

NAMES = (
    "SELECT v.id, f.name FROM version AS v JOIN file AS f ON f.id = v.file_id WHERE v.id = ANY($1::bigint[])"
)

# Locks are those of the whole server; other databases of it have workers, too.
_ALIVE = """
EXISTS (SELECT FROM pg_locks AS l
    WHERE l.locktype = 'advisory' AND l.classid = $1::bigint::oid AND l.objid = p.id::bigint::oid
        AND l.objsubid = 2 AND l.granted
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""

WORKERS = f"""
SELECT p.owners, p.name, p.host, p.pid, p.slots, p.metrics,
    extract(epoch FROM clock_timestamp() - p.started)::float8 AS up_s,
    extract(epoch FROM clock_timestamp() - p.seen)::float8 AS seen_s
FROM worker_process AS p WHERE {_ALIVE} ORDER BY p.name, p.id
"""

REGISTER = """
INSERT INTO worker_process (owners, name, host, pid, slots) VALUES ($1, $2, $3, $4, $5) RETURNING id
"""

REGISTERED = "SELECT unnest(owners) AS owner FROM worker_process"

FORGET_DEAD = f"DELETE FROM worker_process AS p WHERE NOT {_ALIVE} AND seen < now() - interval '1 minute'"

SIZES = """
SELECT relname, greatest(reltuples, 0)::bigint AS tuples, greatest(pg_relation_size(oid), 1) AS bytes
FROM pg_class WHERE oid IN ('file'::regclass, 'version'::regclass)
"""

COUNT = """
SELECT (SELECT count(*) FROM file) AS files, count(*) AS versions,
    coalesce(sum(file_size) FILTER (WHERE present), 0)::bigint AS bytes FROM version
"""

SAMPLE = """
SELECT count(*) AS versions, coalesce(sum(file_size) FILTER (WHERE present), 0)::bigint AS bytes
FROM version TABLESAMPLE SYSTEM ({percent})
"""

# A version is replaced when the next one of its place is recorded.
_REPLACED = """
EXISTS (SELECT FROM version AS n WHERE n.file_id = v.file_id AND n.id > v.id
    AND n.root_id = v.root_id AND n.path = v.path AND n.entrytime < $1::timestamptz)
"""

# Both the latest edit that is not undone, which a revert takes back unless told otherwise, and the latest of
# all, which may be a revert itself. From one of several edits that landed together, the way back leads through
# the reverts of the others.
_AROUND_LATEST = """
EXISTS (
    (SELECT e.version_before, e.version_after FROM edit AS e
        WHERE e.file_id = v.file_id AND e.outcome = 'changed' AND e.reverts IS NULL
            AND NOT EXISTS (SELECT FROM edit AS r
                WHERE r.file_id = e.file_id AND r.reverts = e.id AND r.outcome = 'changed')
            AND (v.id IN (e.version_before, e.version_after)
                OR v.id > e.version_after AND EXISTS (SELECT FROM edit AS t
                    WHERE t.file_id = e.file_id AND t.version_after = e.version_after AND t.id <> e.id
                        AND t.outcome = 'changed'))
            AND NOT EXISTS (SELECT FROM edit AS l
                WHERE l.file_id = e.file_id AND l.id > e.id AND l.outcome = 'changed' AND l.reverts IS NULL
                    AND NOT EXISTS (SELECT FROM edit AS r
                        WHERE r.file_id = l.file_id AND r.reverts = l.id AND r.outcome = 'changed')))
    UNION ALL
    (SELECT e.version_before, e.version_after FROM edit AS e
        WHERE e.file_id = v.file_id AND e.outcome = 'changed' AND v.id IN (e.version_before, e.version_after)
            AND NOT EXISTS (SELECT FROM edit AS l
                WHERE l.file_id = e.file_id AND l.id > e.id AND l.outcome = 'changed')))
"""

THIN = f"""
UPDATE version SET headers = '', series_id = NULL, undo = NULL
WHERE id IN (SELECT v.id FROM version AS v
    WHERE v.id > $2::bigint AND NOT v.present AND NOT v.canonical AND octet_length(v.headers) > 0
        AND {_REPLACED} AND NOT {_AROUND_LATEST}
    ORDER BY v.id LIMIT $3)
RETURNING id
"""

REPLACED = f"SELECT v.id FROM version AS v WHERE v.id = ANY($2::bigint[]) AND {_REPLACED}"


async def rows(connection: AsyncConnection, statement: str, *values: object) -> list[AnyRow]:
    """Return the rows of one of the statements of this module."""
    return list((await connection.exec_driver_sql(statement, values)).all())


async def totals(
    connection: AsyncConnection, *, counted_rows: int = COUNTED_ROWS
) -> tuple[dict[str, int], bool]:
    """Return ``files``, ``versions`` and ``bytes``, and whether they are exact.

    Of tables with more than ``counted_rows`` they are estimates.
    """
    sizes = {row.relname: row.tuples for row in await rows(connection, SIZES)}
    if max(sizes.values()) <= counted_rows:
        return dict((await rows(connection, COUNT))[0]._mapping), True
    percent = min(100.0, 100.0 * SAMPLE_ROWS / sizes["version"])
    sample = (await rows(connection, SAMPLE.format(percent=f"{percent:.4f}")))[0]
    mean = sample.bytes / max(sample.versions, 1)
    return {
        "files": sizes["file"],
        "versions": sizes["version"],
        "bytes": round(mean * sizes["version"]),
    }, False


async def about_server(connection: AsyncConnection) -> tuple[str, int]:
    """Return the version of PostgreSQL and the size of the database in bytes."""
    query = "SELECT current_setting('server_version'), pg_database_size(current_database())"
    row = (await rows(connection, query))[0]
    return str(row[0]), int(row[1])


async def names_of_versions(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, str]:
    """Return the names of the files of versions."""
    return {row.id: row.name for row in await rows(connection, NAMES, list(ids))} if ids else {}


async def destinations(connection: AsyncConnection) -> list[AnyRow]:
    """Return the servers that versions are sent to."""
    query = (
        "SELECT name, active, away_until, coalesce(error, '') AS error FROM export_destination ORDER BY name"
    )
    return await rows(connection, query)


async def register(
    connection: asyncpg.Connection, *, owners: Sequence[str], name: str, host: str, pid: int, slots: int
) -> int:
    """Enter a worker, alive until the session ends; return its number."""
    async with connection.transaction():
        number: int = await connection.fetchval(REGISTER, list(owners), name, host, pid, slots)
        await connection.execute("SELECT pg_advisory_lock($1::int, $2::int)", PRESENCE, number)
    return number


async def beat(connection: asyncpg.Connection, number: int, metrics: str) -> None:
    """Give a sign of life, with what the worker has counted so far."""
    query = "UPDATE worker_process SET seen = clock_timestamp(), metrics = $2 WHERE id = $1"
    await connection.execute(query, number, metrics)


async def sign_off(connection: asyncpg.Connection, number: int) -> None:
    """Take a worker off the register."""
    await connection.execute("DELETE FROM worker_process WHERE id = $1", number)


async def forget_dead(connection: AsyncConnection) -> int:
    """Take those off the register that died without a word; return how many."""
    return int((await connection.exec_driver_sql(FORGET_DEAD, (PRESENCE,))).rowcount)


async def living(connection: AsyncConnection) -> list[Any]:
    """Return the workers whose session lives."""
    return await rows(connection, WORKERS, PRESENCE)


async def has_tables(connection: AsyncConnection) -> bool:
    """Tell whether the database holds anything."""
    query = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    return bool((await rows(connection, query))[0][0])


async def move_root(connection: AsyncConnection, name: str, address: str) -> None:
    """Record that the files of a root are below the directory of the archive now, which may change them."""
    query = "UPDATE root SET path = $2, claimed = true WHERE name = $1"
    await connection.exec_driver_sql(query, (name, address))


async def leave_root(connection: AsyncConnection, name: str, path: str) -> None:
    """Record that the files of a root are where they were; those in another archive's directory are its own."""
    query = "UPDATE root SET path = $2, claimed = claimed AND left(path, 1) = '/' WHERE name = $1"
    await connection.exec_driver_sql(query, (name, path))


async def set_identities(connection: AsyncConnection, identities: Sequence[tuple[int, str]]) -> None:
    """Record, by version id, which files on the disk hold the versions now."""
    query = """
    UPDATE version AS v SET identity = i.identity
    FROM unnest($1::bigint[], $2::text[]) AS i (id, identity) WHERE v.id = i.id
    """
    ids = [number for number, _ in identities]
    await connection.exec_driver_sql(query, (ids, [identity for _, identity in identities]))


async def thin(connection: AsyncConnection, *, before: datetime, after_id: int, limit: int) -> list[int]:
    """Forget headers and recipes of versions replaced ``before``, in order of id; return which."""
    found = await connection.exec_driver_sql(THIN, (before, after_id, limit))
    return sorted(found.scalars())


async def replaced(connection: AsyncConnection, ids: Sequence[int], *, before: datetime) -> set[int]:
    """Return which of the versions were replaced before an instant."""
    return {row.id for row in await rows(connection, REPLACED, before, list(ids))}
