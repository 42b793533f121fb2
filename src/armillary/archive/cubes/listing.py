"""Which cubes somebody may know of, page by page, and all that is told of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal
from armillary.archive.catalog import product_store
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Version
from armillary.archive.catalog.tables import frame
from armillary.archive.cubes import store
from armillary.archive.cubes.errors import CubeNotFound
from armillary.archive.cubes.models import Cube
from armillary.archive.cubes.tables import cube, cube_derived, cube_tag
from armillary.archive.errors import FileEmbargoed
from armillary.archive.query import service as query

MAX_PAGE = 100
_WITH_FRAMES = cube.join(frame, frame.c.file_id == cube.c.file_id)


@dataclass(frozen=True, slots=True)
class Disk:
    """A circle on the solar disk: its centre and radius in arcsec, west and north positive."""

    x: float
    y: float
    radius: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeFilter:
    """Which cubes are asked for; what is None does not matter.

    Parameters
    ----------
    begin, end
        An interval that a cube overlaps, its ends included.
    tags
        By vocabularies, terms of which a cube has one at least.
    disk
        What its field overlaps.
    """

    oid: str | None = None
    filename: str | None = None
    instrument: str | None = None
    begin: datetime | None = None
    end: datetime | None = None
    tags: Mapping[str, Collection[str]] | None = None
    disk: Disk | None = None


@dataclass(frozen=True, slots=True)
class ShownCube:
    """A cube with all that is told of it.

    Parameters
    ----------
    version
        What is known of its file, which may be gone.
    observation
        Begin and end of the observation.
    derived, products
        The kinds of what was derived from it, and of its pictures and movies.
    readable
        Whether the viewer may have the file, and what was made of its data.
    open_headers
        Whether the viewer may read its headers, too: they may tell a position that is not public.
    """

    cube: Cube
    version: Version
    tags: Sequence[tuple[str, str]]
    observation: tuple[datetime | None, datetime | None]
    derived: frozenset[str]
    products: frozenset[str]
    readable: bool
    open_headers: bool

    def check_readable(self) -> None:
        """Refuse the file, and what was made of its data.

        Raises
        ------
        FileEmbargoed
            If they are not for the viewer.
        """
        if not self.readable:
            raise FileEmbargoed(
                f"The data of '{self.cube.oid}' are not public yet; show a token that may read it."
            )

    def check_headers(self) -> None:
        """Refuse the headers.

        Raises
        ------
        FileEmbargoed
            If they are not for the viewer.
        """
        if not self.open_headers:
            raise FileEmbargoed(
                f"The headers of '{self.cube.oid}' tell a position that is not public yet;"
                " show a token that may read it."
            )


@dataclass(frozen=True, slots=True)
class CubePage:
    """Some of the cubes that were asked for, and how many these are in all."""

    cubes: list[ShownCube]
    count: int


async def list_cubes(
    connection: AsyncConnection, wanted: CubeFilter, viewer: Principal, *, today: date, first: int, most: int
) -> CubePage:
    """Return the cubes that fit, as far as the viewer may know of them: the latest first, from one on."""
    conditions, rows = _conditions(wanted, viewer, today), await _rows(connection, wanted, viewer)
    conditions += [query.known(viewer, today)] if rows is _WITH_FRAMES else []
    counted = sa.select(sa.func.count()).select_from(rows).where(*conditions)
    count = int((await connection.execute(counted)).scalar_one())
    # In the words of the index: all cubes begin at some time.
    order = (cube.c.date_beg.desc(), cube.c.id.desc())
    page = sa.select(cube.c.id).select_from(rows).where(*conditions).order_by(*order)
    ids = list((await connection.scalars(page.offset(first).limit(most))).all()) if count > first else []
    return CubePage(await _shown(connection, ids, viewer, today), count)


async def _rows(connection: AsyncConnection, wanted: CubeFilter, viewer: Principal) -> sa.FromClause:
    """Return cubes, with their frames if it depends on these which cubes the viewer may know of, or find."""
    if query.sees_everything(viewer):
        return cube
    return _WITH_FRAMES if wanted.disk is not None or await query.hides_files(connection) else cube


async def show_cube(
    connection: AsyncConnection, cube_id: int, viewer: Principal, *, today: date
) -> ShownCube:
    """Return a cube.

    Raises
    ------
    CubeNotFound
        If there is none of that id that the viewer may know of.
    """
    known = (
        sa.select(cube.c.id).select_from(_WITH_FRAMES).where(cube.c.id == cube_id, query.known(viewer, today))
    )
    ids = list((await connection.scalars(known)).all())
    found = await _shown(connection, ids, viewer, today)
    if not found:
        raise CubeNotFound
    return found[0]


def _conditions(wanted: CubeFilter, viewer: Principal, today: date) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.oid is not None:
        found.append(cube.c.oid == wanted.oid)
    if wanted.filename is not None:
        found.append(sa.func.regexp_replace(cube.c.path, "^.*/", "") == wanted.filename)
    if wanted.instrument is not None:
        found.append(sa.func.lower(cube.c.instrument) == wanted.instrument.lower())
    if wanted.end is not None:
        found.append(cube.c.date_beg <= wanted.end)
    if wanted.begin is not None:
        # What tells no end is a point in time.
        found.append(sa.func.coalesce(cube.c.date_end, cube.c.date_beg) >= wanted.begin)
    for vocabulary, terms in (wanted.tags or {}).items():
        found.append(_tagged(vocabulary, terms))
    if wanted.disk is not None:
        # Where a cube is was derived from its data, so that finding it there would tell what is not public.
        found += [query.visible(viewer, today), _overlaps(wanted.disk)]
    return found


def _tagged(vocabulary: str, terms: Collection[str]) -> sa.ColumnElement[bool]:
    words = sa.cast(sorted({one.lower() for one in terms}), sa.ARRAY(sa.Text))
    return sa.exists().where(
        cube_tag.c.cube_id == cube.c.id,
        cube_tag.c.vocabulary == vocabulary,
        sa.func.lower(cube_tag.c.term) == sa.any_(words),
    )


def _overlaps(disk: Disk) -> sa.ColumnElement[bool]:
    """Return the condition that a circle touches the box of a cube."""
    box, (x, y, radius) = cube_derived.c.disk, (disk.x, disk.y, disk.radius)
    corners = [sa.func.point(x - radius, y - radius), sa.func.point(x + radius, y + radius)]
    return sa.exists().where(
        cube_derived.c.cube_id == cube.c.id,
        # The first is what the index finds, the second leaves out what only the corners of the circle touch.
        box.bool_op("&&")(sa.func.box(*corners)),
        box.op("<->", return_type=sa.Double())(sa.func.point(x, y)) <= radius,
    )


async def show_cubes(
    connection: AsyncConnection, cubes: Sequence[Cube], viewer: Principal, *, today: date
) -> list[ShownCube]:
    """Return all that is told of some cubes, in their order, to a viewer who may know of them."""
    return await _shown(connection, [one.id for one in cubes], viewer, today)


async def _shown(
    connection: AsyncConnection, ids: Sequence[int], viewer: Principal, today: date
) -> list[ShownCube]:
    """Return cubes by their ids, in that order; those that are gone meanwhile are left out."""
    cubes = {one.id: one for one in await store.cubes_by_id(connection, ids)}
    found = [cubes[one] for one in ids if one in cubes]
    frames = await _frames(connection, {one.file_id for one in found}, viewer, today)
    versions = await catalog.versions_by_id(connection, [row.version_id for row in frames.values()])
    tags = await store.tags_of(connection, ids)
    spans = await store.spans_of_observations(connection, {one.observation_id for one in found})
    derived = await store.derived_kinds_of(connection, ids)
    products = await product_store.kinds_made(connection, versions)
    return [
        ShownCube(
            one,
            versions[row.version_id],
            tags[one.id],
            spans.get(one.observation_id, (None, None)),
            frozenset(derived.get(one.id, ())),
            frozenset(products.get(row.version_id, ())),
            bool(row.readable),
            bool(row.open_headers),
        )
        for one in found
        if (row := frames.get(one.file_id)) is not None
    ]


async def _frames(
    connection: AsyncConnection, file_ids: Collection[int], viewer: Principal, today: date
) -> dict[int, Any]:
    """Return which version the frames of files are of, and what the viewer may have of them."""
    columns = (
        frame.c.file_id,
        frame.c.version_id,
        sa.func.coalesce(query.visible(viewer, today), False).label("readable"),
        sa.func.coalesce(query.coordinates_visible(viewer, today), False).label("open_headers"),
    )
    ids = sa.cast(sorted(file_ids), sa.ARRAY(sa.BigInteger))
    rows = await connection.execute(sa.select(*columns).where(frame.c.file_id == sa.any_(ids)))
    return {row.file_id: row for row in rows}
