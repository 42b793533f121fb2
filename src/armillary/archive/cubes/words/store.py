"""Every statement on the vocabularies that were read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.cubes.words.vocabularies import Vocabulary

FIND = """
SELECT name, source, terms, digest, etag, modified, error, extract(epoch FROM now() - checked)::float8 AS age_s
FROM vocabulary WHERE name = ANY ($1::text[])
"""

# A worker that read an older copy meanwhile is not told of its own change.
PUT = """
INSERT INTO vocabulary AS v (name, source, terms, digest, etag, modified, fetched, checked)
VALUES ($1, $2, $3::text[], $4, $5, $6, now(), now())
ON CONFLICT (name) DO UPDATE SET source = EXCLUDED.source, terms = EXCLUDED.terms, digest = EXCLUDED.digest,
    etag = EXCLUDED.etag, modified = EXCLUDED.modified, fetched = now(), checked = now(), error = NULL
"""

CHECKED = "UPDATE vocabulary SET checked = now(), error = NULL WHERE name = $1 AND source = $2"

FAILED = """
INSERT INTO vocabulary (name, source, checked, error) VALUES ($1, $2, now(), $3)
ON CONFLICT (name) DO UPDATE SET checked = now(), error = EXCLUDED.error
"""


@dataclass(frozen=True, slots=True)
class Copy:
    """What was read of a vocabulary, and when it was asked for last.

    ``terms`` is None as long as nothing could be read; ``source`` is where they come from. ``etag`` and
    ``modified`` are what a server says of its copy.
    """

    name: str
    source: str
    terms: tuple[str, ...] | None
    digest: str | None
    etag: str | None
    modified: str | None
    error: str | None
    age_s: float

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The vocabulary, if there is one."""
        if self.terms is None or self.digest is None:
            return None
        return Vocabulary(self.name, self.terms, self.digest)


async def find(connection: AsyncConnection, names: Collection[str]) -> dict[str, Copy]:
    """Return the copies of vocabularies by their names."""
    rows = (await connection.exec_driver_sql(FIND, (list(names),))).mappings()
    return {
        row["name"]: Copy(**{**row, "terms": None if row["terms"] is None else tuple(row["terms"])})
        for row in rows
    }


async def put(
    connection: AsyncConnection,
    source: str,
    vocabulary: Vocabulary,
    *,
    etag: str | None,
    modified: str | None,
) -> None:
    """Record what was read."""
    columns = (vocabulary.name, source, list(vocabulary.terms), vocabulary.digest, etag, modified)
    await connection.exec_driver_sql(PUT, columns)


async def checked(connection: AsyncConnection, name: str, source: str) -> None:
    """Record that the source has nothing new."""
    await connection.exec_driver_sql(CHECKED, (name, source))


async def failed(connection: AsyncConnection, name: str, source: str, error: str) -> None:
    """Record that the source could not be read; an older copy stays, with what it was read from."""
    await connection.exec_driver_sql(FAILED, (name, source, error))
