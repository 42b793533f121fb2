"""One instant of the database, seen by a dump and by whoever lists the files that belong to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from armillary.archive.catalog.models import from_signed
from armillary.archive.intake.service import INGEST, INGEST_UPLOAD
from armillary.base.database import let_go
from armillary.base.work.admin import arguments_of_kind
from armillary.context import Context

PRESENT = """
SELECT v.id, v.root_id, v.path, v.filename, v.file_size, v.file_crc, v.mtime_ns
FROM version AS v WHERE v.present AND v.root_id = ANY($1::smallint[]) ORDER BY v.id
"""
RECIPES = """
SELECT DISTINCT v.root_id, recipe FROM version AS v, unnest(string_to_array(v.undo, ',')) AS recipe
WHERE v.undo <> '' ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class File:
    """A stored file that the snapshot believes to be present."""

    version_id: int
    root_id: int
    key: str
    size: int
    crc: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class View:
    """The database at one instant; ``name`` lets other sessions see the same."""

    name: str
    connection: asyncpg.Connection

    async def files(self, root_ids: list[int]) -> AsyncIterator[File]:
        """Yield the present files of some roots."""
        async for row in self.connection.cursor(PRESENT, root_ids, prefetch=1000):
            key = f"{row['path']}/{row['filename']}" if row["path"] else row["filename"]
            crc = from_signed(row["file_crc"])
            yield File(row["id"], row["root_id"], key, row["file_size"], crc, row["mtime_ns"])

    async def recipes(self) -> AsyncIterator[tuple[int, str]]:
        """Yield (root id, name) of every undo recipe that a version needs."""
        async for row in self.connection.cursor(RECIPES, prefetch=1000):
            yield row["root_id"], row["recipe"]

    async def uploads(self) -> list[dict[str, Any]]:
        """Return the arguments of uploads that wait for a worker."""
        return await arguments_of_kind(self.connection, INGEST_UPLOAD)

    async def waiting(self) -> list[dict[str, Any]]:
        """Return the arguments of ingests that wait for a worker."""
        return await arguments_of_kind(self.connection, INGEST)


@asynccontextmanager
async def viewing(context: Context) -> AsyncIterator[View]:
    """Hold one instant of the database while the block runs."""
    connection = await context.database.dedicated()
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield View(await connection.fetchval("SELECT pg_export_snapshot()"), connection)
    finally:
        await let_go(connection)
