"""How many frames nights have, of those that the viewer may know of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal
from armillary.archive.catalog.tables import few, frame, night_count
from armillary.archive.query.conditions import conditions, only_needed
from armillary.archive.query.models import Among, Anything, Between, Term
from armillary.archive.query.visibility import counted_known, known_singly

UNDATED = sa.literal_column("'infinity'::date", sa.Date)
"""The night of frames without one."""
MOST_NIGHTS = 3700
"""Nights that one answer tells of, at most: ten years."""


class Part(StrEnum):
    """By what the frames of a night are told apart."""

    SITE = "site"
    INSTRUMENT = "instrument"
    OBSERVATION_TYPE = "observation_type"


_PARTS = frozenset(map(str, Part))


@dataclass(frozen=True, slots=True)
class NightCount:
    """So many frames of a night, alike in the parts that were asked for."""

    night: date
    parts: tuple[str | None, ...]
    frames: int


async def count_nights(
    connection: AsyncConnection,
    terms: Sequence[Term],
    viewer: Principal,
    *,
    today: date,
    first: date | None = None,
    last: date | None = None,
    newest: int | None = None,
    by: Sequence[Part] = (),
) -> list[NightCount]:
    """Return how many frames nights have, newest night first, those left out that have none.

    Parameters
    ----------
    terms
        What has to hold of frames. If it is all about what is counted, counts are read, however many frames there
        are; for anything else the frames of these nights are.
    first, last
        The nights between which others are left out, both included.
    newest
        How many nights to tell of at most, the newest of those that have frames; never more than `MOST_NIGHTS`.
    by
        What to tell apart.
    """
    if newest is not None or not _is_short(first, last):
        rows = _rows(terms, viewer, today, first, last).subquery("rows")
        found = await _newest(connection, rows, min(newest or MOST_NIGHTS, MOST_NIGHTS))
        if not found:
            return []
        first, last = min(found), max(found)
    rows = _rows(terms, viewer, today, first, last).subquery("rows")
    parts = [rows.c[one] for one in by]
    total = sa.func.sum(rows.c.frames)
    query = sa.select(rows.c.night, *parts, sa.cast(total, sa.BigInteger)).group_by(rows.c.night, *parts)
    query = query.having(total > 0).order_by(rows.c.night.desc(), *parts)
    return [
        NightCount(night, tuple(told), frames)
        for night, *told, frames in (await connection.execute(query)).all()
    ]


async def _newest(connection: AsyncConnection, rows: sa.Subquery, most: int) -> Sequence[date]:
    """Return the newest nights that have frames."""
    nights = sa.select(rows.c.night).group_by(rows.c.night).having(sa.func.sum(rows.c.frames) > 0)
    nights = nights.order_by(rows.c.night.desc()).limit(few(most))
    return (await connection.execute(nights)).scalars().all()


def _is_short(first: date | None, last: date | None) -> bool:
    """Tell whether there are no more nights between two than one answer tells of."""
    return first is not None and last is not None and (last - first).days < MOST_NIGHTS


async def counted_total(
    connection: AsyncConnection, terms: Sequence[Term], viewer: Principal, *, today: date
) -> int | None:
    """Return of how many frames the terms hold, or None if that is not counted."""
    if not is_counted(terms):
        return None
    rows = _counted(terms, viewer, today).subquery("rows")
    return int(await connection.scalar(sa.select(sa.func.coalesce(sa.func.sum(rows.c.frames), 0))) or 0)


def is_counted(terms: Iterable[Term]) -> bool:
    """Tell whether counts alone say of how many frames the terms hold."""
    return all(_is_counted(term) for term in terms)


def _is_counted(term: Term) -> bool:
    match term:
        case Anything():
            return True
        case Among(field, _):
            return field in _PARTS
        case Between("night", low, high):
            return not isinstance(low, datetime | float) and not isinstance(high, datetime | float)
    return False


def _rows(
    terms: Sequence[Term], viewer: Principal, today: date, first: date | None, last: date | None
) -> sa.Select[Any] | sa.CompoundSelect[Any]:
    """Return the query of counts whose sums are wanted: of a night, with its parts."""
    between = Between("night", first, last, "[]")
    if is_counted(terms):
        return _counted((*terms, between), viewer, today, night_count.c.night < UNDATED)
    wanted = conditions((*terms, between), viewer, today, rows=only_needed)
    return _singly([*wanted, frame.c.night.is_not(None)])


def _counted(
    terms: Sequence[Term], viewer: Principal, today: date, *dated: sa.ColumnElement[bool]
) -> sa.Select[Any] | sa.CompoundSelect[Any]:
    columns = [night_count.c[name] for name in ("night", *Part, "frames")]
    wanted = [counted_known(viewer, today), *dated]
    for term in terms:
        match term:
            case Among(name, values):
                wanted.append(night_count.c[name].in_(values))
            case Between(_, low, high, ends):
                night = night_count.c.night
                if low is not None:
                    wanted.append(night >= low if ends[0] == "[" else night > low)
                if high is not None:
                    wanted.append(night <= high if ends[1] == "]" else night < high)
    counted = sa.select(*columns).where(*wanted)
    singly = known_singly(viewer, today)
    if singly is None:
        return counted
    nights = [frame.c.night.is_not(None)] if dated else []
    return counted.union_all(_singly([*conditions(terms, viewer, today, rows=only_needed), singly, *nights]))


def _singly(wanted: Sequence[sa.ColumnElement[bool]]) -> sa.Select[Any]:
    columns: list[sa.ColumnElement[Any]] = [frame.c[name] for name in ("night", *Part)]
    one = sa.literal_column("1::bigint", sa.BigInteger).label("frames")
    return sa.select(*columns, one).select_from(only_needed(wanted)).where(*wanted)
