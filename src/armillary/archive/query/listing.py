"""Lists of versions and their frames: what a selection finds, in order of file name unless it says otherwise."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import repeat
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal
from armillary.archive.catalog.models import Location
from armillary.archive.catalog.tables import few, file, frame, version
from armillary.archive.fields import HOT, POINTING
from armillary.archive.products.service import DIGEST, PREVIEW
from armillary.archive.query import visibility
from armillary.archive.query.conditions import column, conditions, listed, metadata_ready
from armillary.archive.query.models import Selection, SortedBy
from armillary.base.database import AnyRow
from armillary.base.work.busy import busy_keys
from armillary.settings import ArchiveSettings

Column = Sequence[Any]
_decoded = json.JSONDecoder().raw_decode
_FILE = (
    "id",
    "file_id",
    "root_id",
    "path",
    "filename",
    "container",
    "file_size",
    "data_size",
    "file_md5",
    "data_md5",
    "lastmod",
    "entrytime",
    "present",
    "canonical",
)
_UNLISTED = frozenset({"site", "night", "ended_at", "proprietary_coordinates", "profile"})
"""Columns of a frame that no list shows."""
_IDS = 10_000
_STATE = (version.c.file_id, version.c.id, version.c.filename)


@dataclass(frozen=True, slots=True)
class Listing:
    """Some of what was asked for; ``truncated`` says whether rows were left out."""

    names: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    truncated: bool

    def columns(self, names: Iterable[str]) -> dict[str, Column]:
        """Return values of all rows, name by name; what a frame does not tell is None.

        A list has thousands of rows of sixty values: only loops that are not Python's are fast enough.
        """
        found: dict[str, Column] = dict(
            zip(self.names, zip(*self.rows, strict=True) if self.rows else repeat(()), strict=False)
        )
        details = [_decoded(text)[0] for text in found.get("details", ())]
        return {
            name: found[name] if name in found else list(map(dict.get, details, repeat(name)))
            for name in names
        }


@dataclass(frozen=True, slots=True)
class Lister:
    """Who asks, when, and how much of an answer there may be."""

    viewer: Principal
    today: date
    settings: ArchiveSettings

    def limit(self, selection: Selection) -> int:
        """Return the most rows of a list."""
        return self.settings.open_limit if selection.is_open else self.settings.closed_limit

    async def files(self, connection: AsyncConnection, selection: Selection) -> Listing:
        """Return the versions that are selected; ``pending`` tells whether work on a file is unfinished."""
        columns = [file.c.name, *(version.c[name] for name in _FILE), metadata_ready().label("mdready")]
        return await self._rows(connection, selection, columns)

    async def frames(self, connection: AsyncConnection, selection: Selection) -> Listing:
        """Return the versions that are selected, with the frames of their files.

        ``coordinates_visible`` tells whether the viewer may know where a telescope pointed.
        """
        columns: list[sa.ColumnElement[Any]] = [file.c.name, *(version.c[name] for name in _FILE)]
        # The details as text: the driver would decode them one by one, at three times the cost.
        columns += [metadata_ready().label("mdready"), sa.cast(frame.c.details, sa.Text).label("details")]
        columns += [frame.c[one.name] for one in HOT if one.name not in _UNLISTED]
        columns.append(visibility.coordinates_visible(self.viewer, self.today).label("coordinates_visible"))
        return await self._rows(connection, selection, columns)

    async def names(self, connection: AsyncConnection, selection: Selection) -> Listing:
        """Return the names of the files of which a version is selected, each once."""
        limit = self.limit(selection)
        query = self._query(selection, [file.c.name]).group_by(file.c.name).limit(few(limit + 1))
        # Several versions of a file may be selected: its place is that of the first of them.
        query = query.order_by(*self._order(selection, of_groups=True), file.c.name)
        rows = (await connection.execute(query)).all()
        return Listing(("name",), rows[:limit], len(rows) > limit)

    async def states(
        self, connection: AsyncConnection, selection: Selection, *, after: tuple[int, int], count: int
    ) -> Sequence[AnyRow]:
        """Return label, digest and quality of the next versions in order of (file id, version id).

        A caller walks through all of them page by page: however many there are, none is kept in memory, and
        no connection is held while a slow client reads. A file that changes on the way is met once.
        While the digest of a version is on its way, digest and time are those of the version before it.
        """
        key = sa.tuple_(version.c.file_id, version.c.id)
        query = self._query(selection, _told())
        # Said of every table, so that joins by merging begin there too instead of at the first row.
        begun = (column >= after[0] for column in (file.c.id, frame.c.file_id, version.c.file_id))
        query = query.where(key > sa.tuple_(*after), *begun)
        query = query.order_by(version.c.file_id, version.c.id).limit(few(count))
        return list((await connection.execute(query)).all())

    async def sorted_ids(self, connection: AsyncConnection, selection: Selection) -> Sequence[int]:
        """Return the ids of all versions that are selected, in the order that is asked for, eight bytes each."""
        order = (*self._order(selection), file.c.name, version.c.id)
        query = self._query(selection, [version.c.id]).order_by(*order)
        ids = array("q")
        async for some in (await connection.stream_scalars(query)).partitions(_IDS):
            ids.extend(some)
        return ids

    async def states_of(self, connection: AsyncConnection, ids: Sequence[int]) -> Sequence[AnyRow]:
        """Return what `states` returns, of these versions and in their order."""
        wanted = version.c.id == sa.any_(sa.cast(list(ids), sa.ARRAY(sa.BigInteger)))
        query = sa.select(*_told()).select_from(listed).where(wanted)
        found = {row.id: row for row in await connection.execute(query)}
        return [found[one] for one in ids if one in found]

    def _query(self, selection: Selection, columns: Sequence[sa.ColumnElement[Any]]) -> sa.Select[Any]:
        wanted = conditions(selection.terms, self.viewer, self.today)
        return sa.select(*columns).select_from(listed).where(*wanted)

    def _order(self, selection: Selection, *, of_groups: bool = False) -> list[sa.ColumnElement[Any]]:
        """Return by what a list is sorted before it is by name."""
        return [self._sorted(one, of_groups=of_groups) for one in selection.order]

    def _sorted(self, one: SortedBy, *, of_groups: bool) -> sa.ColumnElement[Any]:
        value = column(one.field)
        if one.field in POINTING:
            # The place of a row among others would tell what its own value is not shown for.
            value = sa.case((visibility.coordinates_visible(self.viewer, self.today), value))
        if of_groups:
            if isinstance(value.type, sa.Boolean):
                value = sa.cast(value, sa.Integer)
            value = sa.func.max(value) if one.descending else sa.func.min(value)
        return (value.desc() if one.descending else value.asc()).nulls_last()

    async def _rows(
        self, connection: AsyncConnection, selection: Selection, columns: Sequence[sa.ColumnElement[Any]]
    ) -> Listing:
        limit = self.limit(selection)
        order = (*self._order(selection), file.c.name, version.c.id)
        query = self._query(selection, columns).order_by(*order).limit(few(limit + 1))
        result = await connection.execute(query)
        names, rows = tuple(result.keys()), result.all()
        marks = await _pending(connection, rows[:limit])
        marked = [(*row, mark) for row, mark in zip(rows, marks, strict=False)]
        return Listing((*names, "pending"), marked, len(rows) > limit)


def _told() -> list[sa.ColumnElement[Any]]:
    """Return the columns of states."""
    return [*_STATE, _digested("data_md5"), _digested("entrytime"), frame.c.data_label, frame.c.qa_state]


def _digested(name: str) -> sa.ColumnElement[Any]:
    """Return a value of the newest version up to this one whose digest is known."""
    former = version.alias("former")
    latest = (
        sa.select(former.c[name])
        .where(former.c.file_id == version.c.file_id, former.c.id < version.c.id)
        .where(former.c.root_id == version.c.root_id, former.c.path == version.c.path)
        .where(former.c.data_md5.is_not(None))
        .order_by(former.c.id.desc())
        .limit(sa.literal_column("1", sa.Integer))
    )
    return sa.case((version.c.data_md5.is_not(None), version.c[name]), else_=latest.scalar_subquery()).label(
        name
    )


async def _pending(connection: AsyncConnection, rows: Sequence[AnyRow]) -> list[bool]:
    """Tell of each row whether an order on exactly that file, or on the digests of that version, waits or runs."""
    keys = [(Location(row.root_id, row.path, row.filename).file_key, f"{DIGEST}:{row.id}") for row in rows]
    every = {key for pair in keys for key in pair}
    busy = await busy_keys(connection, every, besides=(PREVIEW,)) if every else set()
    return [not busy.isdisjoint(pair) for pair in keys]
