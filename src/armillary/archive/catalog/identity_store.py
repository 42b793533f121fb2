"""Statements that give the files of a root another identity."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog.models import Location
from armillary.archive.models import Identity
from armillary.base.database import driver

# First the root: who records versions shares it, and so has either ended or will read the new rule.
_SET = "UPDATE root SET identity = $2 WHERE id = $1"
# Each file of the root stays where it is present and canonical, or else where it was last.
_HOMES = """
CREATE TEMPORARY TABLE home ON COMMIT DROP AS
SELECT DISTINCT ON (v.file_id) v.file_id, v.root_id, v.path, v.canonical
FROM version AS v JOIN file AS f ON f.id = v.file_id AND f.root_id = 0
WHERE (v.present OR v.canonical)
    AND EXISTS (SELECT FROM version AS o
        WHERE o.file_id = v.file_id AND o.root_id = $1 AND (o.present OR o.canonical))
ORDER BY v.file_id, v.present DESC, v.canonical DESC, v.id DESC
"""
_SETTLE = """
UPDATE file AS f SET root_id = h.root_id, directory = h.path FROM home AS h
WHERE f.id = h.file_id AND h.root_id = $1
"""
# What lies elsewhere under the name is another file from now on, or what lies here if the file stays elsewhere.
_APART = """
UPDATE version AS v SET present = false FROM home AS h
WHERE v.file_id = h.file_id AND v.present AND (v.root_id, v.path) <> (h.root_id, h.path)
    AND $1 IN (v.root_id, h.root_id)
RETURNING v.root_id, v.path, v.filename
"""
_UNCERTAIN = """
SELECT v.root_id, v.path, v.filename FROM home AS h JOIN version AS v ON v.file_id = h.file_id AND v.present
WHERE h.root_id = $1 AND NOT h.canonical AND (v.root_id, v.path) = (h.root_id, h.path)
"""

_RIVALS = """
SELECT f.name,
    array_agg(DISTINCT r.name || '/' || CASE v.path WHEN '' THEN '' ELSE v.path || '/' END || f.name) AS places
FROM file AS f
JOIN version AS v ON v.file_id = f.id AND v.present
JOIN root AS r ON r.id = v.root_id
WHERE f.root_id IN (0, $1)
    AND f.name IN (SELECT name FROM file WHERE root_id IN (0, $1) GROUP BY name HAVING count(*) > 1)
GROUP BY f.name HAVING count(DISTINCT f.id) > 1 AND count(DISTINCT (v.data_size, v.data_crc)) > 1
ORDER BY f.name LIMIT $2
"""
# Of several files of one name, the one that is present and newest becomes all of them.
_HEIRS = """
CREATE TEMPORARY TABLE heir ON COMMIT DROP AS
SELECT f.id, first_value(f.id) OVER (
    PARTITION BY f.name ORDER BY coalesce(v.present, false) DESC, v.id DESC NULLS LAST, f.id) AS heir
FROM file AS f LEFT JOIN version AS v ON v.file_id = f.id AND v.canonical
WHERE f.root_id IN (0, $1)
    AND f.name IN (SELECT name FROM file WHERE root_id IN (0, $1) GROUP BY name HAVING count(*) > 1)
"""
_MERGE = (
    "DELETE FROM heir WHERE id = heir",
    "DELETE FROM frame USING heir WHERE frame.file_id = heir.id",
    "UPDATE version SET file_id = heir.heir, canonical = false FROM heir WHERE version.file_id = heir.id",
    "UPDATE edit SET file_id = heir.heir FROM heir WHERE edit.file_id = heir.id",
    "DELETE FROM change_set_file AS m USING heir WHERE m.file_id = heir.id"
    " AND EXISTS (SELECT FROM change_set_file AS o WHERE o.change_set = m.change_set AND o.file_id = heir.heir)",
    "UPDATE change_set_file SET file_id = heir.heir FROM heir WHERE change_set_file.file_id = heir.id",
    "DELETE FROM file USING heir WHERE file.id = heir.id",
)
_SHARE = "UPDATE file SET root_id = 0, directory = '' WHERE root_id = $1"


async def set_identity(connection: AsyncConnection, root_id: int, identity: Identity) -> None:
    """Say what makes the files of a root the same files; whoever records some waits until the end."""
    await connection.exec_driver_sql(_SET, (root_id, str(identity)))


async def tell_apart(connection: AsyncConnection, root_id: int) -> list[Location]:
    """Let the files of a root be known by their paths; return what has to be taken in again as other files."""
    below = await driver(connection)
    await below.execute(_HOMES, root_id)
    await below.execute(_SETTLE, root_id)
    rows = [*await below.fetch(_APART, root_id), *await below.fetch(_UNCERTAIN, root_id)]
    return [Location(row["root_id"], row["path"], row["filename"]) for row in rows]


async def rivals(connection: AsyncConnection, root_id: int, *, most: int) -> dict[str, list[str]]:
    """Return the present places of those names that would mean several contents without their paths."""
    rows = await (await driver(connection)).fetch(_RIVALS, root_id, most)
    return {row["name"]: sorted(row["places"]) for row in rows}


async def merge(connection: AsyncConnection, root_id: int) -> None:
    """Let the files of a root be known by their names alone; copies, and what is gone, become one file each."""
    below = await driver(connection)
    await below.execute(_HEIRS, root_id)
    for statement in _MERGE:
        await below.execute(statement)
    await below.execute(_SHARE, root_id)
