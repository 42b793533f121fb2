"""What the schema is made of, as text that can be compared: what migrations make, and what a database has.

The revision of a database says which migrations ran, not what they were: a database that an unreleased version
made, or that was changed by hand, can have the revision and not the schema. ``schema.txt`` of the package holds
what the migrations of this version make; ``scripts/schema.py`` writes it, and a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

import sqlalchemy as sa

Schema = Mapping[str, str]
"""Definitions by what they define, such as ``column frame.night``."""

OBJECTS = """
WITH tables AS (
    SELECT c.oid, c.relname AS name FROM pg_class AS c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
)
SELECT 'table ' || name, '' FROM tables
UNION ALL
SELECT 'column ' || t.name || '.' || a.attname,
    format_type(a.atttypid, a.atttypmod)
    || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
    || CASE a.attidentity WHEN 'a' THEN ' identity always' WHEN 'd' THEN ' identity by default' ELSE '' END
    || CASE WHEN a.attcollation NOT IN (0, y.typcollation) THEN ' collate ' || o.collname ELSE '' END
    || CASE WHEN a.attstorage <> y.typstorage THEN ' storage ' || a.attstorage::text ELSE '' END
    || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
FROM tables AS t JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type AS y ON y.oid = a.atttypid LEFT JOIN pg_collation AS o ON o.oid = a.attcollation
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
UNION ALL
-- Newer servers list NOT NULL among the constraints, too; it is told with the column.
SELECT 'constraint ' || t.name || '.' || c.conname, pg_get_constraintdef(c.oid)
FROM tables AS t JOIN pg_constraint AS c ON c.conrelid = t.oid AND c.contype IN ('c', 'f', 'p', 'u', 'x')
UNION ALL
SELECT CASE WHEN i.indisunique THEN 'unique index ' ELSE 'index ' END || t.name || '.' || c.relname,
    pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' (invalid)' END
FROM tables AS t JOIN pg_index AS i ON i.indrelid = t.oid JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
UNION ALL
SELECT 'trigger ' || t.name || '.' || g.tgname,
    pg_get_triggerdef(g.oid) || CASE g.tgenabled WHEN 'O' THEN '' ELSE ' (disabled)' END
FROM tables AS t JOIN pg_trigger AS g ON g.tgrelid = t.oid AND NOT g.tgisinternal
UNION ALL
SELECT 'function ' || p.oid::regprocedure::text, md5(pg_get_functiondef(p.oid)) FROM pg_proc AS p
WHERE p.pronamespace = 'public'::regnamespace AND p.prokind IN ('f', 'p')
"""
GRANTS = """
WITH tables AS (
    SELECT c.oid, c.relname AS name FROM pg_class AS c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
),
roles AS (SELECT oid, rolname AS name FROM pg_roles WHERE rolname = ANY(:roles)),
granted AS (
    SELECT r.oid AS role, t.oid AS relation, r.name || ' ' || p AS told, p, t.name,
        has_table_privilege(r.oid, t.oid, p) AS whole
    FROM tables AS t, roles AS r, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p
)
SELECT 'grant ' || told || ' on ' || name, '' FROM granted WHERE whole
UNION ALL
SELECT 'grant ' || told || ' on ' || name || '.' || a.attname, ''
FROM granted JOIN pg_attribute AS a ON a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
WHERE NOT whole AND p <> 'DELETE' AND has_column_privilege(role, relation, a.attnum, p)
UNION ALL
SELECT 'grant ' || r.name || ' ' || p || ' on ' || c.relname, ''
FROM roles AS r, pg_class AS c, unnest(ARRAY['USAGE', 'SELECT']) AS p
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'S' AND has_sequence_privilege(r.oid, c.oid, p)
UNION ALL
SELECT 'grant ' || r.name || ' EXECUTE on ' || p.oid::regprocedure::text, '' FROM roles AS r, pg_proc AS p
WHERE p.pronamespace = 'public'::regnamespace AND p.prokind IN ('f', 'p')
    AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
"""
ROLES = ("armillary_worker", "armillary_web")
BINDING = ("column", "constraint", "trigger", "unique index")
"""What keeps the program from writing its rows if it is there without belonging there."""


@dataclass(frozen=True, slots=True)
class Differences:
    """How a schema differs from what it should be: what it lacks, has otherwise, has besides."""

    missing: tuple[str, ...]
    other: tuple[str, ...]
    extra: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.other or self.extra)

    def lines(self) -> list[str]:
        """Return one line per difference."""
        told = {"missing": self.missing, "different": self.other, "not expected": self.extra}
        return [f"{how}: {what}" for how, all_of_it in told.items() for what in all_of_it]


def expected() -> Schema:
    """Return the schema that the migrations of this version make."""
    text = resources.files("armillary.migrations").joinpath("schema.txt").read_text(encoding="utf-8")
    return parse(text)


def found(connection: sa.Connection) -> Schema:
    """Return the schema that a database has."""
    # Names of other schemas than this one are told with them.
    connection.execute(sa.text("SELECT set_config('search_path', 'public', true)"))
    rows = [*connection.execute(sa.text(OBJECTS))]
    rows += connection.execute(sa.text(GRANTS), {"roles": list(ROLES)})
    return {what: " ".join(definition.split()) for what, definition in rows}


def compare(want: Schema, have: Schema) -> Differences:
    """Return how ``have`` differs from ``want``.

    Tables, functions, plain indexes and rights that only ``have`` has are no difference: the site may have made
    them for itself, and the program works beside them.
    """
    tables, there = _tables(want), _tables(have)
    return Differences(
        # What belongs to a table that is missing says nothing more.
        missing=tuple(
            sorted(
                what
                for what in want.keys() - have.keys()
                if what.startswith("table ") or _table(what) not in tables - there
            )
        ),
        other=tuple(sorted(what for what in want.keys() & have.keys() if want[what] != have[what])),
        extra=tuple(sorted(what for what in have.keys() - want.keys() if _binds(what, tables))),
    )


def _tables(schema: Schema) -> set[str]:
    return {_table(what) for what in schema if what.startswith("table ")}


def _table(what: str) -> str:
    return what.rpartition(" ")[2].partition(".")[0]


def _binds(what: str, tables: set[str]) -> bool:
    return what.rpartition(" ")[0] in BINDING and _table(what) in tables


def write(schema: Schema) -> str:
    """Return a schema as text, a line each, sorted."""
    lines: Sequence[str] = sorted(f"{what}: {how}" if how else what for what, how in schema.items())
    return "\n".join(lines) + "\n"


def parse(text: str) -> Schema:
    """Return what ``write`` has written."""
    pairs = (line.partition(": ") for line in text.splitlines() if line)
    return {what: how for what, _, how in pairs}
