"""Statements on logical files: what makes them, how they are found by name, where they are contested."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog.models import Location, Version
from armillary.archive.catalog.names import SHARED, Called, FileKey
from armillary.archive.catalog.store import fetch_versions, versions
from armillary.archive.catalog.tables import file, root, version
from armillary.base.database import AnyRow, driver

# DO NOTHING returns no row for files that are there, and locks none: DO UPDATE would write a dead row for each.
_CREATE = """
INSERT INTO file (name, directory, root_id) SELECT * FROM unnest($1::text[], $2::text[], $3::smallint[])
ON CONFLICT DO NOTHING RETURNING id, name, directory, root_id
"""
_KNOWN = """
SELECT f.id, f.name, f.directory, f.root_id
FROM unnest($1::text[], $2::text[], $3::smallint[]) AS w (name, directory, root_id)
JOIN file AS f ON f.name = w.name AND f.directory = w.directory AND f.root_id = w.root_id
"""
# Who else moves the same file waits for its row and then finds it elsewhere.
_MOVE = """
UPDATE file AS f SET directory = m.directory, root_id = m.root_id
FROM unnest($1::bigint[], $2::text[], $3::smallint[], $4::text[], $5::smallint[])
    AS m (id, directory_then, root_then, directory, root_id)
WHERE f.id = m.id AND f.directory = m.directory_then AND f.root_id = m.root_then
    AND NOT EXISTS (SELECT FROM file AS o
        WHERE o.name = f.name AND o.directory = m.directory AND o.root_id = m.root_id)
RETURNING f.id
"""
_DIFFER = """
SELECT v.file_id FROM version AS v WHERE v.file_id = ANY ($1::bigint[]) AND v.present
GROUP BY v.file_id HAVING count(DISTINCT (v.data_size, v.data_crc)) > 1
"""
_CONTEST = f"UPDATE file SET contested = true WHERE NOT contested AND id IN ({_DIFFER})"  # noqa: S608

MOST_ALIKE = 50


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a version of a file is or was, and what its content is, without all the rest."""

    version_id: int
    file_id: int
    key: FileKey
    location: Location
    root: str
    identity: str
    present: bool
    canonical: bool
    content: tuple[int, int]
    """Size and checksum of the uncompressed bytes."""

    @property
    def is_shared(self) -> bool:
        """Whether the file is identified by its name alone."""
        return self.key.root_id == SHARED

    @property
    def shown(self) -> str:
        """How the file is to be called so that no other is meant: by its path, below the name of its root."""
        below = f"{self.location.path}/{self.key.name}" if self.location.path else self.key.name
        return f"{self.root}/{below}"


def _columns(keys: Sequence[FileKey]) -> list[list[Any]]:
    return [list(column) for column in zip(*keys, strict=True)] or [[], [], []]


async def ensure_files(
    connection: AsyncConnection, keys: Iterable[FileKey]
) -> tuple[dict[FileKey, int], set[FileKey]]:
    """Return the ids of logical files, and which of them are new here."""
    # In one order, so that transactions that create the same files wait for each other and never in a circle.
    below, wanted = await driver(connection), sorted(set(keys))
    ids = {FileKey(*row[1:]): row[0] for row in await below.fetch(_CREATE, *_columns(wanted))}
    fresh = set(ids)
    if len(ids) < len(wanted):
        ids |= {FileKey(*row[1:]): row[0] for row in await below.fetch(_KNOWN, *_columns(wanted))}
    return ids, fresh


async def move_files(connection: AsyncConnection, moves: Sequence[tuple[int, FileKey, FileKey]]) -> set[int]:
    """Let files be at other places, each from one key to another; return which of them are there now.

    A place that has a file already keeps it, and a file that is no longer where it was then stays.
    """
    if not moves:
        return set()
    then, now = _columns([one[1] for one in moves]), _columns([one[2] for one in moves])
    rows = await (await driver(connection)).fetch(
        _MOVE, [one[0] for one in moves], then[1], then[2], now[1], now[2]
    )
    return {row[0] for row in rows}


async def note_contested(connection: AsyncConnection, file_ids: Sequence[int]) -> None:
    """Note which of some files are in several places with different content."""
    if file_ids:
        await (await driver(connection)).execute(_CONTEST, list(file_ids))


async def shared_name(connection: AsyncConnection, file_id: int) -> str | None:
    """Return the name of a file that is known by its name alone; None if it is not, or there is no such file."""
    query = sa.select(file.c.name).where(
        file.c.id == file_id, file.c.root_id == SHARED, file.c.directory == ""
    )
    return (await connection.execute(query)).scalar()


async def present_by_name(connection: AsyncConnection, names: Iterable[str]) -> list[Version]:
    """Return all present versions of files with these logical names."""
    wanted = sa.cast(list(names), sa.ARRAY(sa.Text))
    return await fetch_versions(connection, versions.where(file.c.name == sa.any_(wanted), version.c.present))


async def present_of_files(connection: AsyncConnection, file_ids: Iterable[int]) -> list[Version]:
    """Return the present versions of files."""
    ids = sa.cast(sorted(file_ids), sa.ARRAY(sa.BigInteger))
    wanted = versions.where(version.c.file_id == sa.any_(ids), version.c.present)
    return await fetch_versions(connection, wanted.order_by(version.c.id))


async def present_named(connection: AsyncConnection, names: Iterable[str], *, most: int) -> list[Version]:
    """Return the present versions of logical names, ``most`` of each name."""
    wanted = sa.func.unnest(sa.cast(sorted(set(names)), sa.ARRAY(sa.Text)))
    asked = wanted.table_valued("name").render_derived("asked")
    found = (
        sa.select(version.c.id)
        .join_from(file, version, version.c.file_id == file.c.id)
        .where(file.c.name == asked.c.name, version.c.present)
        .limit(sa.literal_column(str(most), sa.Integer))
        .correlate(asked)
        .lateral("found")
    )
    chosen = sa.select(found.c.id).select_from(asked.join(found, sa.true()))
    return await fetch_versions(connection, versions.where(version.c.id.in_(chosen)).order_by(version.c.id))


async def present_in(connection: AsyncConnection, places: Iterable[tuple[str, str]]) -> list[Version]:
    """Return the present versions at (path, logical name) of whatever root."""
    wanted = sorted(set(places))
    columns = [sa.cast([place[at] for place in wanted], sa.ARRAY(sa.Text)) for at in (0, 1)]
    place = sa.func.unnest(*columns).table_valued("path", "name").render_derived("place")
    query = versions.join(place, at_place(place.c.name, place.c.path)).where(version.c.present)
    return await fetch_versions(connection, query.order_by(version.c.id))


def at_place(name: sa.ColumnElement[Any], path: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Return whether a version lies in a directory under a logical name, by the index of files."""
    # Thousands of directories may have a file of one name.
    directories = sa.any_(array([path, sa.literal_column("''", sa.Text)]))
    return sa.and_(file.c.name == name, file.c.directory == directories, version.c.path == path)


def _present_at() -> sa.Select[Any]:
    """Return the query of the present versions at places; made once, since that takes as long as to run it."""
    # One statement text for any number of places: it is prepared once, and a join with an array is never a scan.
    columns = (
        sa.bindparam("root_ids", type_=sa.ARRAY(sa.SmallInteger)),
        sa.bindparam("paths", type_=sa.ARRAY(sa.Text)),
        sa.bindparam("names", type_=sa.ARRAY(sa.Text)),
    )
    place = sa.func.unnest(*columns).table_valued("root_id", "path", "name").render_derived("place")
    return versions.join(place, at_place(place.c.name, place.c.path)).where(
        version.c.root_id == place.c.root_id, version.c.present
    )


_PRESENT_AT = _present_at()


async def present_at(
    connection: AsyncConnection, places: Iterable[tuple[int, str, str]]
) -> dict[tuple[int, str, str], Version]:
    """Return the present versions at (root id, path, logical name)."""
    wanted = sorted(set(places))
    columns = {
        "root_ids": [place[0] for place in wanted],
        "paths": [place[1] for place in wanted],
        "names": [place[2] for place in wanted],
    }
    found = await fetch_versions(connection, _PRESENT_AT, columns)
    return {(one.location.root_id, one.location.path, one.name): one for one in found}


async def settled_at(
    connection: AsyncConnection, places: Sequence[tuple[int, str, str]]
) -> dict[tuple[int, str, str], Version]:
    """Return the versions at places that are present until this transaction ends: who records others waits for it.

    Who is just recording others is waited for: whatever is put on record for a version that is on its way out
    would stay behind.
    """
    found = await present_at(connection, places)
    while True:
        ids = {one.id for one in found.values()}
        shared = sa.select(version.c.id).where(
            version.c.id == sa.any_(sa.cast(sorted(ids), sa.ARRAY(sa.BigInteger)))
        )
        await connection.execute(shared.order_by(version.c.id).with_for_update(read=True))
        found = await present_at(connection, places)
        if {one.id for one in found.values()} == ids:
            return found


_WHEREABOUTS = (
    *(version.c.id, version.c.file_id, file.c.name, file.c.directory, file.c.root_id.label("of_root")),
    *(version.c.root_id, version.c.path, version.c.filename, root.c.name.label("root")),
    *(version.c.identity, version.c.present, version.c.canonical, version.c.data_size, version.c.data_crc),
)
_standing = (
    sa.select(*_WHEREABOUTS)
    .join_from(file, version, version.c.file_id == file.c.id)
    .join(root, root.c.id == version.c.root_id)
)


async def whereabouts(connection: AsyncConnection, called: Called) -> list[Whereabouts]:
    """Return the present and the canonical versions of every file that somebody may mean, in order of id."""
    wanted = _standing.where(file.c.name == called.name, sa.or_(version.c.present, version.c.canonical))
    if called.path is not None:
        paths = {path for _, path in called.alternatives}
        meant = [
            version.c.path == path if name is None else sa.and_(root.c.name == name, version.c.path == path)
            for name, path in called.alternatives
        ]
        wanted = wanted.where(file.c.directory.in_(sorted({*paths, ""})), sa.or_(*meant))
    return await _told(connection, wanted.order_by(version.c.id))


async def same_content(
    connection: AsyncConnection, checksums: Iterable[int]
) -> list[tuple[int, int, Whereabouts]]:
    """Return size and checksum, as stored, of canonical versions with these checksums, of files known by path.

    Of one checksum there are at most ``MOST_ALIKE``: bytes that very many files have in common identify none.
    """
    rows = (await connection.execute(_SAME_CONTENT, {"checksums": sorted(set(checksums))})).all()
    return [(row.file_size, row.file_crc, _whereabouts_of(row)) for row in rows]


def _same_content() -> sa.Select[Any]:
    asked = sa.func.unnest(sa.bindparam("checksums", type_=sa.ARRAY(sa.BigInteger)))
    one = asked.table_valued("crc").render_derived("asked")
    alike = (
        sa.select(version.c.id)
        .where(version.c.file_crc == one.c.crc, version.c.canonical)
        .limit(sa.literal_column(str(MOST_ALIKE), sa.Integer))
        .correlate(one)
        .lateral("alike")
    )
    chosen = sa.select(alike.c.id).select_from(one.join(alike, sa.true()))
    query = _standing.add_columns(version.c.file_size, version.c.file_crc).where(
        version.c.id.in_(chosen), file.c.root_id != SHARED
    )
    return query.order_by(version.c.id)


_SAME_CONTENT = _same_content()


async def contested(
    connection: AsyncConnection, *, names: Iterable[str] | None = None, most: int
) -> list[Whereabouts]:
    """Return the places of files that are in several of them with different content, in order of name.

    Parameters
    ----------
    names
        The logical names that are asked about; all without.
    most
        How many files, at most.
    """
    few = sa.select(file.c.id).where(file.c.contested)
    if names is not None:
        few = few.where(file.c.name == sa.any_(sa.cast(sorted(set(names)), sa.ARRAY(sa.Text))))
    differ = (
        sa.select(version.c.file_id)
        .join(file, file.c.id == version.c.file_id)
        .where(version.c.file_id.in_(few), version.c.present)
        .group_by(version.c.file_id, file.c.name)
        .having(sa.func.count(sa.distinct(sa.tuple_(version.c.data_size, version.c.data_crc))) > 1)
        .order_by(file.c.name)
        .limit(most)
    )
    wanted = _standing.where(version.c.present, version.c.file_id.in_(differ))
    return await _told(connection, wanted.order_by(file.c.name, version.c.id))


async def _told(connection: AsyncConnection, query: sa.Select[Any]) -> list[Whereabouts]:
    return [_whereabouts_of(row) for row in (await connection.execute(query)).all()]


def _whereabouts_of(row: AnyRow) -> Whereabouts:
    return Whereabouts(
        version_id=row.id,
        file_id=row.file_id,
        key=FileKey(row.name, row.directory, row.of_root),
        location=Location(row.root_id, row.path, row.filename),
        root=row.root,
        identity=row.identity,
        present=row.present,
        canonical=row.canonical,
        content=(row.data_size, row.data_crc),
    )
