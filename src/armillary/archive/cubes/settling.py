"""Which cubes of an ingestion root something has happened to, though their files are as they were.

A picture or a movie beside a file came, changed or went; a vocabulary or an instrument profile changed; a step
makes other things than it did. One statement and one look at the directories tell, for thousands of cubes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog.models import Location, Root
from armillary.archive.cubes.models import VERSIONS
from armillary.archive.cubes.words.refresh import configured
from armillary.archive.cubes.words.vocabularies import digest_of
from armillary.archive.intake.profiles import profiles_of
from armillary.archive.products.origins import SIDECARS, Where, of_file, stem_of
from armillary.base.database import driver
from armillary.base.store import StoredObject
from armillary.context import Context
from armillary.fits.containers import logical_name

# A picture or movie that an order named stays until another order says otherwise.
_CUBES = """
SELECT c.path, c.snapshot->>'mapping' AS mapping, c.snapshot->'steps' AS steps,
    c.snapshot->>'vocabularies' AS vocabularies,
    jsonb_object_agg(p.kind, p.source) FILTER (WHERE p.kind IS NOT NULL) AS sources
FROM cube AS c JOIN frame AS f ON f.file_id = c.file_id
LEFT JOIN product AS p ON p.version_id = f.version_id AND p.kind = ANY ($2::text[])
    AND p.parameters->>'named' IS NULL
WHERE c.root_id = $1 GROUP BY c.id
"""
_FROM_DATA = f"{Where.DATA}:"
Sidecars = Mapping[str, StoredObject]
"""Pictures and movies below a root by their keys."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the snapshot of every settled cube says."""

    mapping: str
    vocabularies: str | None


async def unsettled(context: Context, root: Root) -> list[Location]:
    """Return where the files of those cubes are that a run would find something to do for."""
    settings = context.settings
    async with context.database.begin() as connection:
        vocabularies = digest_of(await configured(connection, settings.sst))
        rows = await _cubes(connection, root)
    if not rows or root.path is None:
        return []
    wanted = _Wanted(profiles_of(settings.archive.profiles).digest, vocabularies)
    beside = await asyncio.to_thread(_sidecars, root.path, {row["path"].rpartition("/")[0] for row in rows})
    return [Location.of_key(root.id, row["path"]) for row in rows if not _is_settled(row, wanted, beside)]


async def _cubes(connection: AsyncConnection, root: Root) -> list[Any]:
    return list(await (await driver(connection)).fetch(_CUBES, root.id, list(SIDECARS)))


def _is_settled(row: Any, wanted: _Wanted, beside: Sidecars) -> bool:
    known = (row["mapping"], row["vocabularies"])
    if known != (wanted.mapping, wanted.vocabularies) or row["steps"] != dict(VERSIONS):
        return False
    sources = row["sources"] or {}
    return all(_is_same(row["path"], kind, sources.get(kind), beside) for kind in SIDECARS if kind in sources)


def _is_same(path: str, kind: str, source: str | None, beside: Sidecars) -> bool:
    """Tell whether a product is made of what it would be made of now; of what was never made an order tells."""
    stem = stem_of(logical_name(path))
    found = next((beside[stem + one] for one in SIDECARS[kind] if stem + one in beside), None)
    if source is None:
        return found is None
    return (
        source.startswith(_FROM_DATA)
        if found is None
        else source == of_file(Where.SIDECAR, found).fingerprint
    )


def _sidecars(base: Path, directories: set[str]) -> dict[str, StoredObject]:
    """Return the pictures and movies in some directories below a root."""
    endings = tuple(one for kind in SIDECARS.values() for one in kind)
    found = {}
    for directory in directories:
        try:
            with os.scandir(base / directory) as entries:
                for entry in entries:
                    if entry.name.endswith(endings):
                        key, state = f"{directory}/{entry.name}" if directory else entry.name, entry.stat()
                        found[key] = StoredObject(key, state.st_size, state.st_mtime_ns, "")
        except OSError:
            # Its files are gone, and that is told of them.
            continue
    return found
