"""A calendar of nights: how many frames each has of those that a search means."""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from fastapi import Request, Response

from armillary.api.http.calls import Call, Ctx
from armillary.archive.query import service as query
from armillary.archive.query.models import Latest, Term, field_of
from armillary.console.frames import refuse, searched
from armillary.console.rendering import page_or_part
from armillary.console.routing import anybody, page_router
from armillary.errors import BadRequest

router = page_router()
MONTHS, STEPS = 3, 4
_YEARS = (1800, 2200)


@dataclass(frozen=True, slots=True)
class Day:
    """A night of a calendar: how many frames it has, and how dark it is drawn, from 0 to 4."""

    night: date
    frames: int
    step: int


@dataclass(frozen=True, slots=True)
class Month:
    """A month: its first day, and its weeks from Monday on; days of other months are None."""

    first: date
    weeks: Sequence[Sequence[Day | None]]


@router.get("/frames/calendar", dependencies=anybody)
async def nights(request: Request, ctx: Ctx) -> Response:
    """Show months with the number of frames of each night, of all nights that a search could mean."""
    search = await searched(request, ctx)
    refuse(search)
    # A calendar of the one night that was chosen would lead to no other.
    # Which are the latest of something is said of all of them, and not of those of some months.
    terms = [one for one in search.terms if field_of(one) != "night" and not isinstance(one, Latest)]
    asked = search.given.get("month") or search.given.get("night", "")[:7]
    last = _month(asked) if asked else await _latest(ctx, terms)
    first = back(last, MONTHS - 1)
    async with ctx.context.database.begin() as connection:
        counted = await query.count_nights(
            connection,
            terms,
            ctx.principal,
            today=ctx.today,
            first=first,
            last=back(last, -1) - timedelta(days=1),
        )
    counts = {one.night: one.frames for one in counted}
    months = [month_of(back(last, ago), counts) for ago in reversed(range(MONTHS))]
    values = {
        "search": search,
        "months": months,
        "total": sum(counts.values()),
        "before": f"{back(last, MONTHS):%Y-%m}",
        "after": f"{back(last, -MONTHS):%Y-%m}",
    }
    return page_or_part(request, "calendar.html", "months", values)


def month_of(first: date, counts: Mapping[date, int]) -> Month:
    """Return a month, given how many frames nights have."""
    most = max(counts.values(), default=0)
    weeks = calendar.Calendar().monthdatescalendar(first.year, first.month)
    return Month(
        first,
        [[_day(day, counts, most) if day.month == first.month else None for day in one] for one in weeks],
    )


def _day(night: date, counts: Mapping[date, int], most: int) -> Day:
    frames = counts.get(night, 0)
    return Day(night, frames, -(-frames * STEPS // most) if frames else 0)


def back(month: date, ago: int) -> date:
    """Return the first day of the month so many months before another."""
    number = month.year * 12 + month.month - 1 - ago
    return date(min(max(number // 12, _YEARS[0]), _YEARS[1]), number % 12 + 1, 1)


def _month(text: str) -> date:
    try:
        found = date.fromisoformat(f"{text}-01")
    except ValueError:
        raise BadRequest(f"'{text[:20]}' is no month; write YYYY-MM.") from None
    if not _YEARS[0] < found.year < _YEARS[1]:
        raise BadRequest(f"'{text[:20]}' is not between {_YEARS[0]} and {_YEARS[1]}.")
    return found


async def _latest(call: Call, terms: Sequence[Term]) -> date:
    """Return the month of the newest night that has frames, or this one."""
    async with call.context.database.begin() as connection:
        newest = await query.count_nights(connection, terms, call.principal, today=call.today, newest=1)
    return (newest[0].night if newest else call.today).replace(day=1)
