"""Look up one version of a file, or its frame."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import store
from armillary.archive.catalog.models import Version
from armillary.archive.errors import VersionNotFound


async def version_number(connection: AsyncConnection, file_id: int, number: int) -> Version:
    """Return the version of a file by its number in the history, the first being 1.

    Raises
    ------
    VersionNotFound
        With the numbers that there are.
    """
    versions = await store.versions_of(connection, file_id)
    if not 1 <= number <= len(versions):
        raise VersionNotFound(f"There is no version {number}; the file has versions 1 to {len(versions)}.")
    return versions[number - 1]


async def frame_of_file(connection: AsyncConnection, file_id: int) -> dict[str, Any] | None:
    """Return the frame of a file as a plain mapping."""
    row = await store.frame_row(connection, file_id)
    return dict(row._mapping) if row else None
