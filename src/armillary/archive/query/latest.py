"""The newest frames of each group: of those that all other terms leave, so many for every value of a field."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from armillary.archive.catalog.tables import few, frame
from armillary.archive.fields import GROUPS
from armillary.archive.query.models import Latest
from armillary.errors import BadRequest

MOST = 1000
"""Frames of a group, at most."""
_INDEXED = ("site", "filter")
"""Fields with an index that holds the frames of each value in the order of time."""
_NEWEST = (frame.c.started_at.desc().nulls_last(), frame.c.file_id.desc())


def parse_latest(count: int | None, per: str | None) -> Latest:
    """Return the newest ``count`` frames of every value of the field ``per``.

    Raises
    ------
    BadRequest
        If one of the two is missing or out of bounds.
    """
    if count is None or per is None:
        raise BadRequest("Say both how many of the latest frames, and per which field.")
    if not 1 <= count <= MOST:
        raise BadRequest(f"Between 1 and {MOST} of the latest frames can be asked for, not {count}.")
    if per not in GROUPS:
        raise BadRequest(f"'{per}' is no field to group frames by; use one of {', '.join(GROUPS)}.")
    return Latest(count, per)


def is_latest(
    term: Latest,
    group: sa.ColumnElement[str],
    wanted: Sequence[sa.ColumnElement[bool]],
    rows: sa.FromClause,
) -> sa.ColumnElement[bool]:
    """Return the condition under which a frame is among the newest of its group.

    Parameters
    ----------
    group
        The field that tells to which group a frame belongs; where it tells nothing, the frame is in none.
    wanted
        The conditions under which a frame counts. They are stated again inside of this one.
    rows
        The tables that these speak of. Several rows may be about the same frame.
    """
    if term.per in _INDEXED:
        return frame.c.file_id.in_(_of_each_value(term, group, wanted, rows))
    return frame.c.file_id.in_(_ranked(term, group, wanted, rows))


def _ranked(
    term: Latest,
    group: sa.ColumnElement[str],
    wanted: Sequence[sa.ColumnElement[bool]],
    rows: sa.FromClause,
) -> sa.Select[tuple[int]]:
    """Number the frames of each group: one pass over all frames that count."""
    # Rows of the same frame have the same rank, since they are equal in what is ordered by.
    rank = sa.func.dense_rank().over(partition_by=group, order_by=_NEWEST).label("rank")
    ranked = (
        sa.select(frame.c.file_id, rank)
        .select_from(rows)
        .where(group.is_not(None), *wanted)
        .correlate(None)
        .subquery("ranked")
    )
    return sa.select(ranked.c.file_id).where(ranked.c.rank <= few(term.count))


def _of_each_value(
    term: Latest,
    group: sa.ColumnElement[str],
    wanted: Sequence[sa.ColumnElement[bool]],
    rows: sa.FromClause,
) -> sa.Select[tuple[int]]:
    """Begin at the newest frame of each value: the values are found by steps from one to the next."""
    value = _values(term.per)
    newest = (
        sa.select(frame.c.started_at, frame.c.file_id)
        .distinct()
        .select_from(rows)
        .where(group == value.c.value, *wanted)
        .order_by(*_NEWEST)
        .limit(few(term.count))
        .correlate(value)
        .lateral("newest")
    )
    return sa.select(newest.c.file_id).select_from(value.join(newest, sa.true()))


def _values(name: str) -> sa.CTE:
    """Return all values of an indexed field in order, and a null at the end, which no frame equals."""
    first, following = frame.alias("first"), frame.alias("following")
    value = sa.select(sa.func.min(first.c[name]).label("value")).cte(recursive=True)
    after = (
        sa.select(sa.func.min(following.c[name]))
        .where(following.c[name] > value.c.value)
        .correlate(value)
        .scalar_subquery()
    )
    return value.union_all(sa.select(after).where(value.c.value.is_not(None)))
