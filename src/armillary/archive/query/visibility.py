"""Who may see a file before the world does: one rule, as a Python test and as a clause of SQL.

The rule is header-updates specification, section 7.4: released, or engineering data, or shown a token that
reads everything, or granted the program, observation, instrument or file. What has no release date is released
if its collection is open. If its collection is hidden, nobody is told of a file who may not see it, unless its
metadata were granted: for all others it is not there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Grants, Level, Principal, Scope, Subjects
from armillary.archive.catalog.lookup import Unknown
from armillary.archive.catalog.names import BY_ID, SHARED
from armillary.archive.catalog.tables import file, frame, night_count, root

_HIDDEN = sa.literal_column(f"'{Level.HIDDEN}'", sa.Text)
"""Stated in the text of statements, so that plans which are made without values know how rare it is."""

_GRANTED = file.alias("granted")
"""A name of its own, so that it never means a row of the statement around it."""


class Reason(StrEnum):
    """Why somebody may have a file."""

    RELEASED = "released"
    PI = "pi"
    STAFF = "staff"
    MAGIC = "magic"
    ENGINEERING = "eng"
    INSTRUMENT_TEAM = "inst_team"
    GRANTED = "canhaveit"
    SIGNED = "signed"
    """Who might have it asked for an address that others may use, too."""


def why_visible(row: Mapping[str, Any], viewer: Principal, today: date) -> Reason | None:
    """Return why the viewer may have the pixels of a frame, or None.

    Parameters
    ----------
    row
        ``name``, ``release``, ``visibility``, ``engineering``, ``program``, ``observation_id`` and ``instrument``
        of the frame, and its ``file_id``; the name is None if the file is known by its path.
    today
        The date in UTC; the day of release is public.
    """
    if viewer.may(Scope.ADMIN):
        return Reason.STAFF
    if viewer.may(Scope.READ):
        return Reason.MAGIC
    if row["engineering"]:
        return Reason.ENGINEERING
    release = row["release"]
    if release <= today if release is not None else row["visibility"] == Level.OPEN:
        return Reason.RELEASED
    return _granted(row, viewer.grants)


def _granted(row: Mapping[str, Any], given: Grants | Subjects) -> Reason | None:
    if row["program"] in given.programs:
        return Reason.PI
    if row["observation_id"] in given.observations:
        return Reason.GRANTED
    if row["name"] in given.files or f"{BY_ID}{row['file_id']}" in given.files:
        return Reason.GRANTED
    if row["instrument"] in given.instruments:
        return Reason.INSTRUMENT_TEAM
    return None


def is_known(row: Mapping[str, Any], viewer: Principal, today: date) -> bool:
    """Tell whether the viewer may know that there is such a file; ``row`` as for ``why_visible``."""
    if row["visibility"] != Level.HIDDEN or why_visible(row, viewer, today) is not None:
        return True
    return _granted(row, viewer.grants.metadata) is not None


def shows_coordinates(row: Mapping[str, Any], viewer: Principal, today: date) -> bool:
    """Tell whether the viewer may know where the telescope pointed; ``row`` as for ``why_visible``."""
    if not is_known(row, viewer, today):
        return False
    return not row["proprietary_coordinates"] or why_visible(row, viewer, today) is not None


def sees_everything(viewer: Principal) -> bool:
    """Tell whether no embargo holds for the viewer."""
    return viewer.may(Scope.READ)


def visible(viewer: Principal, today: date) -> sa.ColumnElement[bool]:
    """Return the same rule as a condition on ``frame``, whatever else a statement joins."""
    if sees_everything(viewer):
        return sa.true()
    return sa.or_(
        sa.func.coalesce(frame.c.engineering, False),
        sa.func.coalesce(frame.c.release <= today, False),
        sa.and_(frame.c.release.is_(None), frame.c.visibility.is_not_distinct_from(Level.OPEN)),
        *_of_subjects(viewer.grants),
    )


def known(viewer: Principal, today: date) -> sa.ColumnElement[bool]:
    """Return the condition on ``frame`` under which the viewer may know that there is such a file."""
    if sees_everything(viewer):
        return sa.true()
    # In these words, since the planner knows how many values are null, and takes "distinct from" for "unequal".
    told = sa.or_(frame.c.visibility.is_(None), frame.c.visibility != _HIDDEN)
    return sa.or_(told, visible(viewer, today), *_of_subjects(viewer.grants.metadata))


def counted_known(viewer: Principal, today: date) -> sa.ColumnElement[bool]:
    """Return the condition on ``night_count`` under which the viewer may know of all frames that a row counts.

    Others that the viewer may know of, since they were granted, are `known_singly`.
    """
    if sees_everything(viewer):
        return sa.true()
    granted = viewer.grants.instruments | viewer.grants.metadata.instruments
    instrument = [night_count.c.instrument == _any_of(granted)] if granted else []
    return sa.or_(night_count.c.known_from <= today, *instrument)


def known_singly(viewer: Principal, today: date) -> sa.ColumnElement[bool] | None:
    """Return the condition on ``frame`` of those that the viewer knows beyond `counted_known`, if any may be."""
    told, metadata = viewer.grants, viewer.grants.metadata
    singly = Subjects(
        programs=told.programs | metadata.programs,
        observations=told.observations | metadata.observations,
        files=told.files | metadata.files,
    )
    if sees_everything(viewer) or singly == Subjects():
        return None
    counted = sa.or_(
        sa.func.coalesce(frame.c.engineering, False),
        sa.func.coalesce(frame.c.release <= today, False),
        sa.func.coalesce(frame.c.instrument == _any_of(told.instruments | metadata.instruments), False),
    )
    return sa.and_(frame.c.visibility == _HIDDEN, sa.not_(counted), sa.or_(*_of_subjects(singly)))


def _of_subjects(given: Grants | Subjects) -> list[sa.ColumnElement[bool]]:
    granted = (
        (frame.c.program, given.programs),
        (frame.c.observation_id, given.observations),
        (frame.c.instrument, given.instruments),
    )
    # As arrays, so that the text of a statement does not depend on how much somebody was granted.
    found: list[sa.ColumnElement[bool]] = [column == _any_of(names) for column, names in granted if names]
    ids = [int(name.removeprefix(BY_ID)) for name in given.files if name.startswith(BY_ID)]
    if ids:
        found.append(frame.c.file_id == sa.any_(sa.cast(sorted(ids), sa.ARRAY(sa.BigInteger))))
    if names := [name for name in given.files if not name.startswith(BY_ID)]:
        # As an array, which is made once and costs a row next to nothing: a subquery would weigh on every plan.
        called = sa.func.array(_files_named(names).scalar_subquery(), type_=sa.ARRAY(sa.BigInteger))
        found.append(frame.c.file_id == sa.any_(called))
    return found


def _any_of(names: Iterable[str]) -> sa.ColumnElement[Any]:
    return sa.any_(sa.cast(sorted(names), sa.ARRAY(sa.Text)))


def _files_named(names: Iterable[str]) -> sa.Select[tuple[int]]:
    """Return the ids of files that are known by names alone."""
    shared = sa.and_(_GRANTED.c.directory == "", _GRANTED.c.root_id == SHARED)
    return sa.select(_GRANTED.c.id).where(_GRANTED.c.name == _any_of(names), shared)


def coordinates_visible(viewer: Principal, today: date) -> sa.ColumnElement[bool]:
    """Return the condition under which positions of a frame that is known may be shown and searched."""
    return sa.or_(sa.not_(sa.func.coalesce(frame.c.proprietary_coordinates, False)), visible(viewer, today))


async def hidden_among(
    connection: AsyncConnection, file_ids: Iterable[int], viewer: Principal, today: date
) -> frozenset[int]:
    """Return those of the files whose headers the viewer may not read, for they tell a position."""
    wanted = frozenset(file_ids)
    if sees_everything(viewer) or not wanted:
        return frozenset()
    ids = sa.cast(sorted(wanted), sa.ARRAY(sa.BigInteger))
    query = _hidden(viewer, today).where(frame.c.file_id == sa.any_(ids))
    return frozenset((await connection.scalars(query)).all())


async def any_hidden(
    connection: AsyncConnection, file_ids: sa.Select[Any], viewer: Principal, today: date
) -> bool:
    """Tell whether there is such a file among those that a statement chooses."""
    if sees_everything(viewer):
        return False
    query = _hidden(viewer, today).where(frame.c.file_id.in_(file_ids))
    return bool(await connection.scalar(sa.select(query.exists())))


def _hidden(viewer: Principal, today: date) -> sa.Select[Any]:
    # What is unknown is hidden, too: a file without a program is not of the program that was granted.
    shown = sa.and_(known(viewer, today), coordinates_visible(viewer, today))
    return sa.select(frame.c.file_id).where(shown.is_not(sa.true()))


async def hides_files(connection: AsyncConnection) -> bool:
    """Tell whether there is a collection of whose files strangers are told nothing: a look at the few roots."""
    return bool(await connection.scalar(sa.select(sa.exists().where(root.c.visibility == Level.HIDDEN))))


async def unknown_among(
    connection: AsyncConnection, file_ids: Iterable[int], viewer: Principal, today: date
) -> frozenset[int]:
    """Return those of the files of which the viewer may not know that they are there."""
    wanted = frozenset(file_ids)
    if sees_everything(viewer) or not wanted or not await hides_files(connection):
        return frozenset()
    ids = sa.cast(sorted(wanted), sa.ARRAY(sa.BigInteger))
    # Of what has no frame any more nobody can say whether it was to be known.
    return wanted - set((await connection.scalars(known_files(viewer, today, ids))).all())


def unknown_to(viewer: Principal, today: date) -> Unknown:
    """Return what tells which files the viewer may not know of, for those who look files up."""

    async def unknown(connection: AsyncConnection, file_ids: Collection[int]) -> Collection[int]:
        return await unknown_among(connection, file_ids, viewer, today)

    return unknown


def known_files(
    viewer: Principal, today: date, ids: sa.ColumnElement[Any] | None = None
) -> sa.Select[tuple[int]]:
    """Return the query of the ids of files that the viewer may know of, of some files or of all."""
    query = sa.select(frame.c.file_id).where(known(viewer, today))
    return query if ids is None else query.where(frame.c.file_id == sa.any_(ids))
