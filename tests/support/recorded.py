"""Frames in the catalog that no file is behind: any fields, recorded by the way that all versions take."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import HduRecord, Location
from armillary.archive.catalog.service import NewVersion
from armillary.archive.fields import UNTOLD
from armillary.fits.cards import END
from armillary.fits.models import BLOCK
from tests.support.archive import Archive

NOW = datetime(2026, 1, 2, tzinfo=UTC)
_HEADER = (f"{'SIMPLE  =                    T':<80}".encode() + END).ljust(BLOCK)


async def record(archive: Archive, frames: Mapping[str, Mapping[str, Any]]) -> None:
    """Record a version of each file, with these fields of its frame; nothing is told of the others."""
    async with archive.context.database.begin() as connection:
        path = archive.directory / "recorded"
        root = await catalog.ensure_root(connection, "recorded", path, in_place=False)
        new = [_version(root.id, name, {**UNTOLD, **fields}) for name, fields in frames.items()]
        await catalog.record_versions(connection, new, now=NOW)


def _version(root_id: int, name: str, fields: Mapping[str, Any]) -> NewVersion:
    return NewVersion(
        name=name,
        location=Location(root_id, "", name),
        container="plain",
        file_size=BLOCK,
        data_size=BLOCK,
        file_crc=0,
        data_crc=0,
        mtime_ns=0,
        identity=f"recorded:{name}",
        hdus=(HduRecord("PRIMARY", "", 1, BLOCK, 0, 0),),
        trailing=0,
        trailing_crc=0,
        headers=(_HEADER,),
        origin="ingest",
        fields=fields,
    )
