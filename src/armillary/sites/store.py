"""Every statement on configurations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import AnyRow
from armillary.sites.documents import ConfigVersion
from armillary.sites.models import Content, StoredConfig

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
