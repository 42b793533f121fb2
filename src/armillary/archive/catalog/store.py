"""Every statement on roots, files, versions and frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Level
from armillary.archive.catalog.models import (
    Location,
    Presence,
    Root,
    Version,
    from_signed,
    hdus_from_json,
    hdus_to_json,
    with_sums,
)
from armillary.archive.catalog.names import SHARED
from armillary.archive.catalog.series import SeriesRow
from armillary.archive.catalog.tables import (
    all_keywords,
    file,
    frame,
    headers_of_series,
    root,
    version,
)
from armillary.archive.models import Identity
from armillary.base.database import AnyRow, driver, home_of
from armillary.base.place import OWN, address_of, url_at

VERSION_COLUMNS = (*version.c, headers_of_series().label("series_headers"), file.c.name)
# Ids are taken beforehand, so that versions, frames and changes that refer to each other go in by COPY.
_NEXT_VERSIONS = "SELECT nextval(pg_get_serial_sequence('version', 'id')) FROM generate_series(1, $1::int)"
_ENSURE = """
INSERT INTO series (id, headers, keywords)
SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::jsonb[]) ON CONFLICT DO NOTHING
"""
# What waited here for somebody who changes the level of a root reads the new one.
_RULES = "SELECT id, visibility, identity FROM root WHERE id = ANY ($1::smallint[]) ORDER BY id FOR SHARE"
# One statement, so that a version is superseded in one step. Each branch has a partial index of its own.
_RETIRE = """
WITH place AS (SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::text[]) AS p (file_id, root_id, path)),
there AS (
    SELECT v.id FROM version AS v JOIN place AS p
        ON v.file_id = p.file_id AND v.root_id = p.root_id AND v.path = p.path
    WHERE v.present
), foremost AS (SELECT id FROM version WHERE file_id = ANY($4::bigint[]) AND canonical)
UPDATE version AS v SET present = v.present AND v.id NOT IN (SELECT id FROM there), canonical = false
FROM (SELECT id FROM there UNION SELECT id FROM foremost) AS retired
WHERE v.id = retired.id
"""
_ROOTS = sa.select(*root.c).order_by(root.c.id)
versions = sa.select(*VERSION_COLUMNS).join_from(version, file, file.c.id == version.c.file_id)


def _version_of(row: AnyRow) -> Version:
    hdus, trailing, trailing_crc = hdus_from_json(row.layout)
    return Version(
        id=row.id,
        file_id=row.file_id,
        name=row.name,
        location=Location(row.root_id, row.path, row.filename),
        container=row.container,
        present=row.present,
        canonical=row.canonical,
        file_size=row.file_size,
        data_size=row.data_size,
        file_crc=from_signed(row.file_crc),
        data_crc=from_signed(row.data_crc),
        file_md5=row.file_md5,
        data_md5=row.data_md5,
        file_sha256=row.file_sha256,
        data_sha256=row.data_sha256,
        mtime_ns=row.mtime_ns,
        identity=row.identity,
        lastmod=row.lastmod,
        entrytime=row.entrytime,
        hdus=hdus,
        trailing=trailing,
        trailing_crc=trailing_crc,
        packed_headers=row.headers,
        series_headers=row.series_headers,
        origin=row.origin,
        previous_id=row.previous_id,
        undo=row.undo,
    )


async def fetch_versions(
    connection: AsyncConnection, query: sa.Select[Any], values: Mapping[str, Any] | None = None
) -> list[Version]:
    """Return the versions that a query chooses from ``versions``, with the values of its parameters."""
    return [_version_of(row) for row in (await connection.execute(query, values)).all()]


async def is_empty(connection: AsyncConnection) -> bool:
    """Tell whether the catalog knows no version of any file."""
    return not await connection.scalar(sa.select(sa.exists(sa.select(version.c.id))))


async def list_roots(connection: AsyncConnection) -> list[Root]:
    """Return every root."""
    rows = (await connection.execute(_ROOTS)).all()
    if not rows:
        return []
    home = home_of(connection)
    return [
        Root(
            row.id,
            row.name,
            url_at(row.path, home),
            row.in_place,
            row.watched,
            row.claimed,
            Level(row.visibility or Level.METADATA),
            Identity(row.identity),
            row.profile,
        )
        for row in rows
    ]


async def unclaimed_roots(connection: AsyncConnection) -> dict[int, str]:
    """Return the names of the roots that the archive may only read, by id."""
    rows = (await connection.execute(sa.select(root.c.id, root.c.name).where(~root.c.claimed))).all()
    return {row.id: row.name for row in rows}


async def claim_root(connection: AsyncConnection, root_id: int, *, claimed: bool = True) -> None:
    """Let the archive change the files of a root, or read them only."""
    await connection.execute(sa.update(root).where(root.c.id == root_id).values(claimed=claimed))


async def insert_root(
    connection: AsyncConnection,
    *,
    name: str,
    place: Path | str,
    in_place: bool,
    watched: bool,
    visibility: Level,
    identity: Identity,
) -> None:
    """Record a root, unless there is one of its place or name already; ``place`` is a path, or a URL."""
    # Those of the archive itself may be links that lead elsewhere, and somewhere else later on.
    elsewhere = place if isinstance(place, str) else address_of(place, home_of(connection))
    address = name if name in OWN else elsewhere
    values: dict[str, Any] = {"name": name, "path": address, "in_place": in_place, "watched": watched}
    values |= {"visibility": _of_frame(visibility), "identity": str(identity)}
    await connection.execute(insert(root).values(values).on_conflict_do_nothing())


def _of_frame(visibility: Level) -> str | None:
    """Return what rows say of a level: nothing of the usual one, so that an upgrade need not write them."""
    return None if visibility is Level.METADATA else str(visibility)


async def set_visibility(connection: AsyncConnection, root_id: int, visibility: Level) -> int:
    """Say what strangers are told of the files of a root; return of how many that is news."""
    value = _of_frame(visibility)
    # First the root: who records versions shares it, and so has either ended or will read the new level.
    await connection.execute(sa.update(root).where(root.c.id == root_id).values(visibility=value))
    of_root = (version.c.id == frame.c.version_id) & (version.c.root_id == root_id)
    news = frame.c.visibility.is_distinct_from(value)
    statement = sa.update(frame).where(of_root, news).values(visibility=value)
    return int((await connection.execute(statement)).rowcount)


async def rules_of(
    connection: AsyncConnection, root_ids: Iterable[int]
) -> dict[int, tuple[str | None, Identity]]:
    """Return what frames of roots say of their visibility, and what makes their files the same.

    Both stay so until the end of the transaction.
    """
    below = await driver(connection)
    rows = await below.fetch(_RULES, sorted(set(root_ids)))
    return {row["id"]: (row["visibility"], Identity(row["identity"])) for row in rows}


async def set_profile(connection: AsyncConnection, root_id: int, profile: str | None) -> None:
    """Say what each file of a root is, or that it is no ingestion root."""
    await connection.execute(sa.update(root).where(root.c.id == root_id).values(profile=profile))


async def set_watched(connection: AsyncConnection, root_id: int, watched: bool) -> None:
    """Say whether new files below a root are taken in by themselves."""
    await connection.execute(sa.update(root).where(root.c.id == root_id).values(watched=watched))


async def versions_by_id(connection: AsyncConnection, ids: Iterable[int]) -> dict[int, Version]:
    """Return versions by id."""
    query = versions.where(version.c.id == sa.any_(sa.cast(list(ids), sa.ARRAY(sa.BigInteger))))
    return {found.id: found for found in await fetch_versions(connection, query)}


async def present_by_label(
    connection: AsyncConnection, labels: Iterable[str]
) -> list[tuple[str, str | None, Version | None]]:
    """Return (label, reduction, present version or None) of every logical file that bears one of the labels."""
    wanted = sa.cast(list(labels), sa.ARRAY(sa.Text))
    query = (
        sa.select(frame.c.data_label, frame.c.reduction, frame.c.file_id)
        .where(frame.c.data_label == sa.any_(wanted))
        .order_by(frame.c.file_id)
    )
    rows = (await connection.execute(query)).all()
    # A second statement instead of a join: with ids at hand the planner takes the index of present versions,
    # whatever it believes about how many frames bear a label.
    ids = sa.cast([row.file_id for row in rows], sa.ARRAY(sa.BigInteger))
    present = versions.where(version.c.file_id == sa.any_(ids), version.c.present)
    found: dict[int, list[Version]] = {}
    for one in await fetch_versions(connection, present):
        found.setdefault(one.file_id, []).append(one)
    return [(row.data_label, row.reduction, one) for row in rows for one in found.get(row.file_id) or (None,)]


_TEXTS = sa.ARRAY(sa.Text)
_TWINS = sa.select(version.c.identity, version.c.root_id, version.c.path, version.c.filename).where(
    version.c.identity == sa.any_(sa.bindparam("identities", type_=_TEXTS)), version.c.present
)


async def present_twins(connection: AsyncConnection, identities: Iterable[str]) -> dict[str, list[Location]]:
    """Return where the present versions with these identities (device and inode) are."""
    found: dict[str, list[Location]] = {}
    for row in (await connection.execute(_TWINS, {"identities": sorted(set(identities))})).all():
        found.setdefault(row.identity, []).append(Location(row.root_id, row.path, row.filename))
    return found


async def present_of(
    connection: AsyncConnection, names: Iterable[str], identities: Iterable[str]
) -> list[Presence]:
    """Return every presence of files that are known by these names alone, or of these files on the disk."""
    wanted = {"names": sorted(set(names)), "identities": sorted(set(identities))}
    return [
        Presence(row.id, row.name, row.identity, Location(row.root_id, row.path, row.filename))
        for row in (await connection.execute(_PRESENT_OF, wanted)).all()
    ]


def _present_of() -> sa.CompoundSelect[Any]:
    """Return the query of `present_of`; made once, since that takes as long as to run it."""
    columns = (version.c.id, file.c.name, version.c.identity, version.c.root_id, version.c.path)
    present = (
        sa.select(*columns, version.c.filename)
        .join_from(version, file, file.c.id == version.c.file_id)
        .where(version.c.present)
    )
    of_names = present.where(
        file.c.name == sa.any_(sa.bindparam("names", type_=_TEXTS)),
        *(file.c.directory == "", file.c.root_id == SHARED),
    )
    files = sa.bindparam("identities", type_=_TEXTS)
    # Two branches, since neither index serves an OR of both conditions.
    return of_names.union(present.where(version.c.identity == sa.any_(files)))


_PRESENT_OF = _present_of()


async def next_version_ids(connection: AsyncConnection, count: int) -> list[int]:
    """Reserve ids for new versions."""
    below = await driver(connection)
    return [row[0] for row in await below.fetch(_NEXT_VERSIONS, count)]


async def retire_present(
    connection: AsyncConnection, places: Sequence[tuple[int, int, str]], file_ids: Sequence[int]
) -> None:
    """Let the versions at (file id, root id, path) be present no more, and none of the files canonical."""
    below = await driver(connection)
    columns = [list(column) for column in zip(*places, strict=True)] or [[], [], []]
    await below.execute(_RETIRE, *columns, list(file_ids))


async def copy_rows(
    connection: AsyncConnection, table: sa.Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Write many rows at once by COPY."""
    # COPY needs no plan, and no other statement for each number of rows.
    below = await driver(connection)
    await below.copy_records_to_table(table.name, records=rows, columns=list(columns))


async def ensure_series(connection: AsyncConnection, wanted: Mapping[UUID, SeriesRow]) -> None:
    """Record the series that new versions belong to, by id."""
    if wanted:
        below, rows = await driver(connection), wanted.values()
        await below.execute(
            _ENSURE, list(wanted), [row.headers for row in rows], [row.keywords for row in rows]
        )


async def delete_frames(connection: AsyncConnection, file_ids: Sequence[int]) -> None:
    """Forget the frames of files that get new ones."""
    ids = sa.cast(list(file_ids), sa.ARRAY(sa.BigInteger))
    await connection.execute(sa.delete(frame).where(frame.c.file_id == sa.any_(ids)))


async def touch_version(
    connection: AsyncConnection, version_id: int, *, mtime_ns: int, identity: str, lastmod: datetime
) -> None:
    """Record a new time stamp or inode of unchanged bytes."""
    values = {"mtime_ns": mtime_ns, "identity": identity, "lastmod": lastmod}
    await connection.execute(sa.update(version).where(version.c.id == version_id).values(values))


async def set_digests(
    connection: AsyncConnection, one: Version, digests: Mapping[str, str], sums: Mapping[int, int]
) -> None:
    """Record md5 and SHA-256 of a version's bytes, and the sums of its data by HDU."""
    values: dict[str, Any] = dict(digests)
    if sums:
        values["layout"] = hdus_to_json(with_sums(one.hdus, sums), one.trailing, one.trailing_crc)
    await connection.execute(sa.update(version).where(version.c.id == one.id).values(values))


async def add_warnings(connection: AsyncConnection, version_id: int, warnings: Sequence[str]) -> None:
    """Add warnings to the frame of a version, those that it has already left out."""
    for warning in warnings:
        # Judged by the statement that writes: two workers that found the same add it once.
        lacks = sa.not_(sa.literal(warning) == sa.any_(frame.c.warnings))
        added = sa.func.array_append(frame.c.warnings, sa.cast(warning, sa.Text))
        statement = sa.update(frame).where(frame.c.version_id == version_id, lacks).values(warnings=added)
        await connection.execute(statement)


async def versions_of(connection: AsyncConnection, file_id: int) -> list[Version]:
    """Return every version of a file, oldest first."""
    return await fetch_versions(
        connection, versions.where(version.c.file_id == file_id).order_by(version.c.id)
    )


async def version_ids_of(connection: AsyncConnection, file_id: int) -> list[int]:
    """Return the ids of every version of a file, oldest first."""
    query = sa.select(version.c.id).where(version.c.file_id == file_id).order_by(version.c.id)
    return list((await connection.scalars(query)).all())


async def present_after(connection: AsyncConnection, version_id: int, count: int) -> list[Version]:
    """Return the next present versions in order of id, for walks over the whole archive."""
    # By id, not by offset: what is edited meanwhile gets a higher id and is met later, and nothing is met twice.
    query = versions.where(version.c.present, version.c.id > version_id).order_by(version.c.id).limit(count)
    return await fetch_versions(connection, query)


async def present_states(connection: AsyncConnection, root_id: int) -> list[tuple[Location, tuple[int, int]]]:
    """Return the place of every present file of a root, with its size and time stamp."""
    columns = (version.c.path, version.c.filename, version.c.file_size, version.c.mtime_ns)
    query = sa.select(*columns).where(version.c.root_id == root_id, version.c.present)
    rows = (await connection.execute(query)).all()
    return [(Location(root_id, row.path, row.filename), (row.file_size, row.mtime_ns)) for row in rows]


async def mark_absent(connection: AsyncConnection, version_ids: Sequence[int]) -> None:
    """Record that the bytes of versions are gone from storage."""
    ids = sa.cast(list(version_ids), sa.ARRAY(sa.BigInteger))
    await connection.execute(sa.update(version).where(version.c.id == sa.any_(ids)).values(present=False))


async def frame_row(connection: AsyncConnection, file_id: int) -> AnyRow | None:
    """Return the frame of a file, with all its keywords.

    ``name`` is that of the file if it is known by its name alone, and null otherwise.
    """
    columns: list[sa.ColumnElement[Any]] = [c for c in frame.c if c.name not in ("keywords", "series_id")]
    columns += [
        all_keywords().label("keywords"),
        sa.case((file.c.root_id == SHARED, file.c.name)).label("name"),
    ]
    query = sa.select(*columns).join_from(frame, file, file.c.id == frame.c.file_id)
    return (await connection.execute(query.where(frame.c.file_id == file_id))).first()
