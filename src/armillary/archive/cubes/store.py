"""Statements on cubes, their observations, tags and derived data."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.cubes.models import Cube, Snapshot
from armillary.archive.cubes.tables import cube, cube_derived, cube_tag, observation

_LOCKS = 0x4152_4355
_HOLD = "SELECT pg_try_advisory_xact_lock($1, hashtext($2))"
_AWAIT = "SELECT pg_advisory_xact_lock($1, hashtext($2))"


async def hold_oids(connection: AsyncConnection, oids: Iterable[str]) -> bool:
    """Hold some oids until the end of the transaction; tell whether nobody else has one of them."""
    for oid in sorted(set(oids)):
        found = await connection.exec_driver_sql(_HOLD, (_LOCKS, oid))
        if not found.scalar_one():
            return False
    return True


async def await_oids(connection: AsyncConnection, oids: Iterable[str]) -> None:
    """Hold some oids until the end of the transaction, as soon as nobody else has one of them."""
    for oid in sorted(set(oids)):
        await connection.exec_driver_sql(_AWAIT, (_LOCKS, oid))


async def cubes_at(connection: AsyncConnection, root_id: int, path: str) -> list[Cube]:
    """Return the cubes that a file of a root is, by the key of the file."""
    return await _found(connection, sa.and_(cube.c.root_id == root_id, cube.c.path == path))


async def cubes_of_files(connection: AsyncConnection, file_ids: Collection[int]) -> list[Cube]:
    """Return the cubes of files."""
    ids = sa.cast(sorted(file_ids), sa.ARRAY(sa.BigInteger))
    return await _found(connection, cube.c.file_id == sa.any_(ids))


async def cubes_called(connection: AsyncConnection, oids: Collection[str]) -> dict[str, Cube]:
    """Return cubes by their oids, those that there are."""
    names = sa.cast(sorted(oids), sa.ARRAY(sa.Text))
    return {one.oid: one for one in await _found(connection, cube.c.oid == sa.any_(names))}


async def cube_by_id(connection: AsyncConnection, cube_id: int) -> Cube | None:
    """Return a cube, None if there is no such."""
    found = await _found(connection, cube.c.id == cube_id)
    return found[0] if found else None


async def cubes_by_id(connection: AsyncConnection, cube_ids: Collection[int]) -> list[Cube]:
    """Return cubes, those that there are."""
    ids = sa.cast(sorted(cube_ids), sa.ARRAY(sa.BigInteger))
    return await _found(connection, cube.c.id == sa.any_(ids))


async def cubes_with_other_tags(
    connection: AsyncConnection, vocabularies: str, *, after: int, count: int
) -> list[Cube]:
    """Return cubes whose tags were found by other vocabularies, by their ids from behind one."""
    told = cube.c.snapshot["vocabularies"].astext
    other = sa.and_(told.is_distinct_from(vocabularies), cube.c.id > after)
    rows = await connection.execute(sa.select(cube).where(other).order_by(cube.c.id).limit(count))
    return [_cube_of(row) for row in rows.mappings()]


async def _found(connection: AsyncConnection, condition: sa.ColumnElement[bool]) -> list[Cube]:
    rows = await connection.execute(sa.select(cube).where(condition).order_by(cube.c.id))
    return [_cube_of(row) for row in rows.mappings()]


def _cube_of(row: Mapping[Any, Any]) -> Cube:
    values = {name: row[name] for name in Cube.__dataclass_fields__ if name not in ("warnings", "snapshot")}
    return Cube(**values, warnings=tuple(row["warnings"]), snapshot=Snapshot.of_json(row["snapshot"]))


async def put_cube(connection: AsyncConnection, values: Mapping[str, Any], *, now: datetime) -> int:
    """Record a cube by its oid, or anew; return its id."""
    statement = insert(cube).values({**values, "added": now, "updated": now})
    news = {name: statement.excluded[name] for name in (*values, "updated") if name != "oid"}
    made = statement.on_conflict_do_update(index_elements=[cube.c.oid], set_=news).returning(cube.c.id)
    return int((await connection.execute(made)).scalar_one())


async def delete_cubes(connection: AsyncConnection, cube_ids: Collection[int]) -> None:
    """Forget cubes with their tags and derived data."""
    await connection.execute(sa.delete(cube).where(cube.c.id.in_(cube_ids)))


async def put_observation(connection: AsyncConnection, key: str) -> int:
    """Return the id of the observation of a key, which stays locked until the end of the transaction."""
    statement = insert(observation).values(key=key)
    made = statement.on_conflict_do_update(index_elements=[observation.c.key], set_={"key": key})
    return int((await connection.execute(made.returning(observation.c.id))).scalar_one())


async def settle_observations(connection: AsyncConnection, ids: Collection[int]) -> None:
    """Let observations begin and end with their cubes; those without cubes are deleted."""
    for one in sorted(ids):
        # In one order, so that two transactions never wait for each other.
        await connection.execute(sa.select(observation.c.id).where(observation.c.id == one).with_for_update())
        span = sa.select(
            sa.func.min(cube.c.date_beg), sa.func.max(sa.func.coalesce(cube.c.date_end, cube.c.date_beg))
        )
        begin, end = (await connection.execute(span.where(cube.c.observation_id == one))).one()
        here = observation.c.id == one
        used = sa.exists().where(cube.c.observation_id == one)
        await connection.execute(sa.update(observation).where(here).values(date_beg=begin, date_end=end))
        await connection.execute(sa.delete(observation).where(here, ~used))


async def spans_of_observations(
    connection: AsyncConnection, ids: Collection[int]
) -> dict[int, tuple[datetime | None, datetime | None]]:
    """Return begin and end of observations by their ids."""
    query = sa.select(observation).where(observation.c.id.in_(ids))
    return {row.id: (row.date_beg, row.date_end) for row in await connection.execute(query)}


async def put_tags(connection: AsyncConnection, cube_id: int, tags: Sequence[tuple[str, str]]) -> None:
    """Give a cube these pairs of vocabulary and term, and no others."""
    await connection.execute(sa.delete(cube_tag).where(cube_tag.c.cube_id == cube_id))
    rows = [{"cube_id": cube_id, "vocabulary": name, "term": term} for name, term in dict.fromkeys(tags)]
    if rows:
        await connection.execute(sa.insert(cube_tag), rows)


async def tags_of(connection: AsyncConnection, cube_ids: Collection[int]) -> dict[int, list[tuple[str, str]]]:
    """Return the pairs of vocabulary and term of cubes, by their ids."""
    query = sa.select(cube_tag).where(cube_tag.c.cube_id.in_(cube_ids))
    found: dict[int, list[tuple[str, str]]] = {one: [] for one in cube_ids}
    for row in await connection.execute(query.order_by(cube_tag.c.vocabulary, cube_tag.c.term)):
        found[row.cube_id].append((row.vocabulary, row.term))
    return found


async def derived_of(
    connection: AsyncConnection, cube_id: int, kind: str
) -> tuple[str, bytes, datetime] | None:
    """Return media type, content and the time of derived data, None if there are none of the kind."""
    query = sa.select(cube_derived.c.media_type, cube_derived.c.content, cube_derived.c.made)
    here = sa.and_(cube_derived.c.cube_id == cube_id, cube_derived.c.kind == kind)
    row = (await connection.execute(query.where(here))).first()
    return (row.media_type, row.content, row.made) if row else None


async def derived_kinds_of(connection: AsyncConnection, cube_ids: Collection[int]) -> dict[int, set[str]]:
    """Return of which kinds cubes have derived data, by their ids."""
    query = sa.select(cube_derived.c.cube_id, cube_derived.c.kind)
    found: dict[int, set[str]] = {}
    for row in await connection.execute(query.where(cube_derived.c.cube_id.in_(cube_ids))):
        found.setdefault(row.cube_id, set()).add(row.kind)
    return found


async def put_derived(
    connection: AsyncConnection, cube_id: int, kind: str, media_type: str, content: bytes, *, now: datetime
) -> None:
    """Record derived data of a cube."""
    values = {"media_type": media_type, "content": content, "made": now}
    statement = insert(cube_derived).values(cube_id=cube_id, kind=kind, **values)
    keys = [cube_derived.c.cube_id, cube_derived.c.kind]
    await connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values))


async def drop_derived(connection: AsyncConnection, cube_id: int, kind: str) -> None:
    """Forget derived data of a kind."""
    here = sa.and_(cube_derived.c.cube_id == cube_id, cube_derived.c.kind == kind)
    await connection.execute(sa.delete(cube_derived).where(here))


async def keep_derived(connection: AsyncConnection, cube_id: int, kinds: Collection[str]) -> None:
    """Forget derived data of a cube but those of some kinds."""
    here = sa.and_(cube_derived.c.cube_id == cube_id, cube_derived.c.kind.not_in(kinds))
    await connection.execute(sa.delete(cube_derived).where(here))
