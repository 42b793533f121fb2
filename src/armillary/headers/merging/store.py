"""Every statement on merges: which file is of which image, and which revision it has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.headers.merging.threeway import Conflict

# Other bytes of the file have no header again.
_NOTE = """
INSERT INTO header_merge AS m (file, instrument, image_id, detector)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS n (file, instrument, image_id, detector)
ON CONFLICT (file) DO UPDATE SET instrument = EXCLUDED.instrument, image_id = EXCLUDED.image_id,
    detector = EXCLUDED.detector, revision = NULL, merged = NULL, conflicts = '[]'
"""
_COLUMNS = (
    "m.file, m.instrument, m.image_id, m.detector, m.revision, m.merged, m.conflicts::text AS conflicts"
)
_DUE = f"""
SELECT {_COLUMNS}, (e.latest->'raw'->>'revision')::integer AS latest
FROM header_merge AS m
JOIN exposure AS e ON e.instrument = m.instrument AND e.image_id = m.image_id
WHERE m.instrument = $1 AND (e.latest->'raw'->>'revision')::integer > coalesce(m.revision, 0)
    AND m.file > $2
ORDER BY m.file LIMIT $3
"""  # noqa: S608
_DONE = "UPDATE header_merge SET revision = $2, merged = now(), conflicts = $3::text::json WHERE file = $1"
_OF_FILE = f"SELECT {_COLUMNS}, NULL::integer AS latest FROM header_merge AS m WHERE m.file = $1"  # noqa: S608
_KNOWN = "SELECT image_id FROM exposure WHERE instrument = $1 AND image_id = ANY ($2::text[])"
# The side-cars are compressed; which samples a card is of is looked up in those of the night, one by one.
_OF_NIGHT = """
SELECT DISTINCT ON (r.exposure) r.image_id, r.revision, r.sidecar FROM header_revision AS r
WHERE r.instrument = $1 AND r.day_obs = $2 AND r.product = 'raw'
ORDER BY r.exposure, r.revision DESC
"""
_FILES = """
SELECT m.image_id, f.name FROM header_merge AS m JOIN file AS f ON f.id = m.file
WHERE m.instrument = $1 AND m.image_id = ANY ($2::text[]) ORDER BY m.image_id, f.name
"""
_conflicts = msgspec.json.Decoder(list[Conflict])


class Merged(Struct, frozen=True):
    """A file and the revision of the header that was merged into it last, None if it waits for one."""

    file: int
    instrument: str
    image_id: str
    detector: str
    revision: int | None
    merged: datetime | None
    conflicts: list[Conflict]
    latest: int | None = None


async def note(connection: AsyncConnection, instrument: str, found: Sequence[tuple[int, str, str]]) -> None:
    """Note files, each with the id of its image and its detector: they wait for their header."""
    files, images, detectors = zip(*found, strict=True)
    await connection.exec_driver_sql(
        _NOTE, (list(files), [instrument] * len(files), list(images), list(detectors))
    )


async def due(connection: AsyncConnection, instrument: str, *, after: int, limit: int) -> list[Merged]:
    """Return files whose image has a later revision than they have, in the order of their ids."""
    rows = await connection.exec_driver_sql(_DUE, (instrument, after, limit))
    return [_merged(dict(row._mapping)) for row in rows]


async def done(connection: AsyncConnection, file: int, revision: int, conflicts: Sequence[Conflict]) -> None:
    """Note that a file has a revision."""
    told = msgspec.json.encode(conflicts).decode()
    await connection.exec_driver_sql(_DONE, (file, revision, told))


async def of_file(connection: AsyncConnection, file: int) -> Merged | None:
    """Return what is known of a file, None if it is of no image."""
    row = (await connection.exec_driver_sql(_OF_FILE, (file,))).first()
    return _merged(dict(row._mapping)) if row else None


async def known_images(connection: AsyncConnection, instrument: str, images: Sequence[str]) -> set[str]:
    """Return those of some image ids that events have named."""
    rows = await connection.exec_driver_sql(_KNOWN, (instrument, list(images)))
    return set(rows.scalars())


async def sidecars_of(
    connection: AsyncConnection, instrument: str, night: str
) -> list[tuple[str, int, bytes]]:
    """Return image id, revision and compressed side-car of the latest headers of a night."""
    rows = await connection.exec_driver_sql(_OF_NIGHT, (instrument, night))
    return [(row.image_id, row.revision, row.sidecar) for row in rows]


async def files_of(
    connection: AsyncConnection, instrument: str, images: Sequence[str]
) -> dict[str, list[str]]:
    """Return the names of the files of some images."""
    found: dict[str, list[str]] = {}
    for row in await connection.exec_driver_sql(_FILES, (instrument, list(images))):
        found.setdefault(row.image_id, []).append(row.name)
    return found


def _merged(row: dict[str, object]) -> Merged:
    conflicts = _conflicts.decode(str(row["conflicts"]))
    return Merged(**(row | {"conflicts": conflicts}))  # type: ignore[arg-type]
