"""Every statement on products."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog.models import FAILURE, REASON_TYPE, MadeProduct, Product
from armillary.archive.catalog.store import copy_rows
from armillary.archive.catalog.tables import product, version

_COLUMNS = tuple(product.c[name] for name in ("version_id", "kind", "media_type", "sha256", "key", "content"))
WITH_HEADERS = ("unpacked",)
"""Kinds that hold the header of their version, and so are of no use for the next one."""
_OBJECTS = """
SELECT key, version_id, kind FROM product
WHERE key COLLATE "C" > $1 AND ($2::text IS NULL OR key COLLATE "C" <= $2)
"""


async def put_product(connection: AsyncConnection, values: dict[str, Any]) -> None:
    """Put a product of a version on record, in the place of an older one of its kind."""
    statement = insert(product).values(values)
    kept = {key: value for key, value in values.items() if key not in ("version_id", "kind")}
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["version_id", "kind"], set_=kept)
    )


async def note_lack(connection: AsyncConnection, values: dict[str, Any], reason: str) -> None:
    """Note why a product cannot be made: beside one of its kind that is there, or in the place of it."""
    this = (product.c.version_id == values["version_id"]) & (product.c.kind == values["kind"])
    note = sa.cast({FAILURE: reason}, JSONB)
    known = sa.func.coalesce(product.c.parameters, sa.cast({}, JSONB))
    statement = sa.update(product).where(this, product.c.media_type != REASON_TYPE)
    noted = await connection.execute(statement.values(parameters=known.op("||")(note)))
    if not noted.rowcount:
        await put_product(connection, values | {"parameters": {**values["parameters"], FAILURE: reason}})


async def made_products(
    connection: AsyncConnection, version_id: int, kinds: Sequence[str]
) -> dict[str, MadeProduct]:
    """Return what is on record of products of a version, or of the lack of them, and how they were made."""
    query = sa.select(*_COLUMNS, product.c.step, product.c.parameters, product.c.source)
    query = query.where(product.c.version_id == version_id, product.c.kind.in_(kinds))
    rows = (await connection.execute(query)).all()
    return {row.kind: MadeProduct(Product(*row[:6]), row[6], row[7] or {}, row[8]) for row in rows}


async def kinds_made(connection: AsyncConnection, version_ids: Iterable[int]) -> dict[int, set[str]]:
    """Return of which kinds versions have products; the lack of one is none."""
    ids = sa.cast(sorted(version_ids), sa.ARRAY(sa.BigInteger))
    query = sa.select(product.c.version_id, product.c.kind)
    made = query.where(product.c.version_id == sa.any_(ids), product.c.media_type != REASON_TYPE)
    found: dict[int, set[str]] = {}
    for row in await connection.execute(made):
        found.setdefault(row.version_id, set()).add(row.kind)
    return found


async def hand_on_products(connection: AsyncConnection, old: int, new: int, kinds: Sequence[str]) -> None:
    """Let products of a version serve another one, until that has its own."""
    own = product.alias("own")
    has_own = sa.exists().where(own.c.version_id == new, own.c.kind == product.c.kind)
    statement = sa.update(product).where(product.c.version_id == old, product.c.kind.in_(kinds), ~has_own)
    await connection.execute(statement.values(version_id=new))


async def add_products(
    connection: AsyncConnection, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Put products of versions on record that have none yet, many at once; JSON comes as text."""
    if rows:
        await copy_rows(connection, product, columns, rows)


async def get_product(connection: AsyncConnection, version_id: int, kind: str) -> Product | None:
    """Return a product of a version, or the reason why there is none; None if nothing is on record."""
    query = sa.select(*_COLUMNS).where(product.c.version_id == version_id, product.c.kind == kind)
    row = (await connection.execute(query)).first()
    return Product(*row) if row else None


async def move_products(connection: AsyncConnection, pairs: Sequence[tuple[int, int]]) -> None:
    """Let the products of old versions serve the new ones: an edit of the header leaves pixels alone."""
    if not pairs:
        return
    columns = [sa.cast([pair[side] for pair in pairs], sa.ARRAY(sa.BigInteger)) for side in (0, 1)]
    moved = sa.func.unnest(*columns).table_valued("old", "new").render_derived("moved")
    pixels_alone = product.c.kind.not_in(WITH_HEADERS)
    statement = (
        sa.update(product)
        .where(product.c.version_id == moved.c.old, pixels_alone)
        .values(version_id=moved.c.new)
    )
    await connection.execute(statement)


async def recorded_objects(
    connection: AsyncConnection, *, after: str, last: str | None
) -> dict[str, tuple[int, str]]:
    """Return a version and its kind of product for each key on record behind ``after``, up to ``last``."""
    rows = await connection.exec_driver_sql(_OBJECTS, (after, last))
    return {row.key: (row.version_id, row.kind) for row in rows}


async def products_before(
    connection: AsyncConnection, kinds: Sequence[str], step: int, *, limit: int
) -> set[tuple[int, str]]:
    """Return version and kind of some products that an earlier step of their builder made."""
    query = sa.select(product.c.version_id, product.c.kind)
    query = query.where(product.c.kind.in_(kinds), product.c.step < step).limit(limit)
    return {(row.version_id, row.kind) for row in await connection.execute(query)}


async def forget_products(
    connection: AsyncConnection, kinds: Sequence[str], *, before: datetime, limit: int
) -> int:
    """Take up to so many products off the record that were made before an instant; return how many."""
    row = sa.tuple_(product.c.version_id, product.c.kind)
    old = sa.select(product.c.version_id, product.c.kind)
    old = old.where(product.c.kind.in_(kinds), product.c.made < before)
    statement = sa.delete(product).where(row.in_(old.limit(limit).with_for_update(skip_locked=True)))
    return (await connection.execute(statement)).rowcount


async def forget_products_of_files(connection: AsyncConnection, file_ids: Collection[int]) -> None:
    """Take the products of all versions of files off the record; their bytes go with the next clean-up."""
    ids = sa.cast(sorted(file_ids), sa.ARRAY(sa.BigInteger))
    of_files = sa.select(version.c.id).where(version.c.file_id == sa.any_(ids))
    await connection.execute(sa.delete(product).where(product.c.version_id.in_(of_files)))


async def products_inside(connection: AsyncConnection, *, limit: int) -> list[Product]:
    """Return some products whose bytes are in the database, locked."""
    inside = product.c.content.is_not(None) & (product.c.media_type != REASON_TYPE)
    query = sa.select(*_COLUMNS).where(inside).limit(limit).with_for_update(skip_locked=True)
    return [Product(*row) for row in await connection.execute(query)]


async def move_product_out(connection: AsyncConnection, version_id: int, kind: str, key: str) -> None:
    """Record that the bytes of a product are in the store of products."""
    this = (product.c.version_id == version_id) & (product.c.kind == kind)
    await connection.execute(sa.update(product).where(this).values(key=key, content=None))
