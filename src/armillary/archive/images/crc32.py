"""Checksums as zip files have them (ISO 3309), noted when a file arrives: a zip needs no second reading."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog.models import Location
from armillary.base.store import Snapshot

READ = 1 << 20
_NOTE = sa.text("""
INSERT INTO object_crc32 (version_id, crc32)
SELECT v.id, :crc32 FROM version AS v
WHERE v.root_id = :root_id AND v.path = :path AND v.filename = :filename AND v.present
ON CONFLICT (version_id) DO UPDATE SET crc32 = excluded.crc32
""")


def of_snapshot(snapshot: Snapshot) -> int:
    """Return the checksum of all bytes of an opened file."""
    crc, offset = 0, 0
    while chunk := snapshot.read_at(offset, READ):
        crc, offset = zlib.crc32(chunk, crc), offset + len(chunk)
    return crc


async def note(connection: AsyncConnection, place: Location, crc32: int) -> None:
    """Put the checksum of the bytes at a place on record, with the version that is present there."""
    values = {"root_id": place.root_id, "path": place.path, "filename": place.filename, "crc32": crc32}
    await connection.execute(_NOTE, values)


async def known(connection: AsyncConnection, version_ids: Iterable[int]) -> dict[int, int]:
    """Return the checksums on record of these versions."""
    query = sa.text("SELECT version_id, crc32 FROM object_crc32 WHERE version_id = ANY(:ids)")
    rows = await connection.execute(query, {"ids": sorted(set(version_ids))})
    return {row.version_id: row.crc32 for row in rows}
