"""Every statement on configurations, notes and the night log."""

# What is put into these texts are constants of this module.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import AnyRow
from armillary.sites.documents import ConfigVersion, LogEntry
from armillary.sites.models import Author, Content, LogQuery, Note, StoredConfig

# Whoever comes second waits here, and then reads what the first one has written: see `lock`.
LOCK = """
INSERT INTO site_config AS c (site, version) VALUES ($1, 0)
ON CONFLICT (site) DO UPDATE SET version = c.version RETURNING version
"""

_STORED = """
SELECT v.site, v.version, v.sha256, v.content AS text
FROM site_config AS c JOIN site_config_version AS v ON v.site = c.site AND v.version = c.version
WHERE v.content IS NOT NULL
"""
FIND = f"{_STORED} AND c.site = $1"
ALL = f"{_STORED} ORDER BY c.site"

SITES = """
SELECT c.site FROM site_config AS c JOIN site_config_version AS v ON v.site = c.site AND v.version = c.version
WHERE v.content IS NOT NULL
"""

ADD = """
INSERT INTO site_config_version (site, version, created, actor, sha256, warnings, content)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
ADVANCE = "UPDATE site_config SET version = $2 WHERE site = $1"

VERSIONS = """
SELECT version, created AS created_at, actor, sha256, warnings FROM site_config_version
WHERE site = $1 ORDER BY version
"""
VERSION = """
SELECT site, version, created AS created_at, actor, sha256, warnings, content FROM site_config_version
WHERE site = $1 AND version = $2
"""

PUT_NOTE = """
INSERT INTO night_note (site, content, created, expires) VALUES ($1, $2, $3, $4)
ON CONFLICT (site) DO UPDATE SET content = EXCLUDED.content, created = EXCLUDED.created, expires = EXCLUDED.expires
"""
NOTE = "SELECT site, content AS text, created, expires FROM night_note WHERE site = $1 AND expires > $2"
DROP_NOTE = "DELETE FROM night_note WHERE site = $1"

_ENTRY = "id, site, night, created AS created_at, author, verified, entry AS text, corrects"
ADD_ENTRY = f"""
INSERT INTO night_log (site, night, created, author, verified, entry, note, corrects)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {_ENTRY}
"""
HAS_ENTRY = "SELECT EXISTS (SELECT FROM night_log WHERE site = $1 AND id = $2)"
_WANTED = """
FROM night_log WHERE site = $1
    AND ($2::date IS NULL OR night = $2)
    AND ($3::timestamptz IS NULL OR created >= $3)
    AND ($4::timestamptz IS NULL OR created < $4)
    AND ($5::text IS NULL OR position(lower($5) IN lower(entry)) > 0 OR position(lower($5) IN lower(author)) > 0)
"""
ENTRIES_BEFORE = f"SELECT {_ENTRY} {_WANTED} AND id < $6 ORDER BY id DESC LIMIT $7"
ENTRIES_AFTER = f"SELECT {_ENTRY} {_WANTED} AND id > $6 ORDER BY id LIMIT $7"


async def lock(connection: AsyncConnection, site: str) -> int:
    """Let nobody else change the configuration of a site until the transaction ends; return the last version."""
    return int((await connection.exec_driver_sql(LOCK, (site,))).scalar_one())


async def find(connection: AsyncConnection, site: str) -> StoredConfig | None:
    """Return the configuration of a site, if it has one."""
    row = (await connection.exec_driver_sql(FIND, (site,))).mappings().first()
    return StoredConfig(**row) if row else None


async def every(connection: AsyncConnection) -> list[StoredConfig]:
    """Return the configurations of all sites, by name."""
    rows = (await connection.exec_driver_sql(ALL)).mappings()
    return [StoredConfig(**row) for row in rows]


async def sites(connection: AsyncConnection) -> list[str]:
    """Return the sites that have a configuration."""
    return list((await connection.exec_driver_sql(SITES)).scalars())


async def add(
    connection: AsyncConnection,
    site: str,
    version: int,
    content: Content | None,
    *,
    actor: str,
    warnings: Sequence[str],
    now: datetime,
) -> None:
    """Add the next version, which is the present one from now on; the site is locked."""
    sha256, text = (content.sha256, content.text) if content else (None, None)
    await connection.exec_driver_sql(ADD, (site, version, now, actor, sha256, list(warnings), text))
    await connection.exec_driver_sql(ADVANCE, (site, version))


async def versions(connection: AsyncConnection, site: str) -> list[ConfigVersion]:
    """Return all versions of a configuration, oldest first."""
    rows = (await connection.exec_driver_sql(VERSIONS, (site,))).mappings()
    return [ConfigVersion(**row) for row in rows]


async def version(connection: AsyncConnection, site: str, number: int) -> AnyRow | None:
    """Return one version with its content, as it is stored."""
    return (await connection.exec_driver_sql(VERSION, (site, number))).first()


async def put_note(connection: AsyncConnection, note: Note) -> None:
    """Put a note in the place of the one of before."""
    await connection.exec_driver_sql(PUT_NOTE, (note.site, note.text, note.created, note.expires))


async def note(connection: AsyncConnection, site: str, now: datetime) -> Note | None:
    """Return the note of a site unless it has expired."""
    row = (await connection.exec_driver_sql(NOTE, (site, now))).mappings().first()
    return Note(**row) if row else None


async def drop_note(connection: AsyncConnection, site: str) -> None:
    """Remove the note of a site."""
    await connection.exec_driver_sql(DROP_NOTE, (site,))


async def add_entry(
    connection: AsyncConnection,
    site: str,
    text: str,
    *,
    night: date,
    now: datetime,
    author: Author,
    note: str | None = None,
    corrects: int | None = None,
) -> LogEntry:
    """Add an entry to the log; ``note`` is the note as it was sent, if it was one."""
    values = (site, night, now, author.name, author.verified, text, note, corrects)
    return LogEntry(**(await connection.exec_driver_sql(ADD_ENTRY, values)).mappings().one())


async def has_entry(connection: AsyncConnection, site: str, number: int) -> bool:
    """Tell whether the log of a site has an entry."""
    return bool((await connection.exec_driver_sql(HAS_ENTRY, (site, number))).scalar())


async def entries(
    connection: AsyncConnection, site: str, query: LogQuery, *, place: int, limit: int, forward: bool
) -> list[LogEntry]:
    """Return entries behind a place, forward or backward from there."""
    statement = ENTRIES_AFTER if forward else ENTRIES_BEFORE
    values = (site, query.night, query.since, query.until, query.text, place, limit)
    rows = (await connection.exec_driver_sql(statement, values)).mappings()
    return [LogEntry(**row) for row in rows]
