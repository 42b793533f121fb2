"""The almanac of sites as documents.

A night whose table is at hand takes less than a change of threads may; all else is computed beside the event loop.
"""

from __future__ import annotations

import csv
import io
import json
from asyncio import get_running_loop
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import lru_cache
from typing import ParamSpec, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.sites.almanac import moon, schedule
from armillary.sites.almanac.documents import (
    NightEvent,
    NightEvents,
    Schedule,
    TabledNight,
    YearEvents,
    utc_text,
)
from armillary.sites.almanac.events import NAMES, events_of
from armillary.sites.almanac.models import MoonPassage, Night, SitePlace, TimedEvent
from armillary.sites.almanac.nights import is_prompt, night_holding, nights_of_year
from armillary.sites.almanac.places import place_of
from armillary.sites.almanac.proper import almanac_of
from armillary.sites.almanac.skies import NightSky, altitudes_of
from armillary.sites.configs import config_of, find_config
from armillary.sky.ephemeris import EPOCH_JD, check_covered
from armillary.sky.timescales import utc_from_tai_day

P = ParamSpec("P")
T = TypeVar("T")
KEPT = 4096
"""Nights whose events are kept, 3 kB each: everybody who looks at a site asks for tonight, again and again."""


async def find_place(connection: AsyncConnection, site: str) -> SitePlace:
    """Return where a site is, by its configuration and that of its WEMA.

    Raises
    ------
    BadSiteName, UnknownSite, PlaceMissing, UnknownZone
    """
    own = json.loads((await config_of(connection, site)).text)
    name = own.get("wema_name")
    wema = await find_config(connection, name) if isinstance(name, str) and name != site else None
    return place_of(site, own, wema)


async def timed_events(place: SitePlace, instant: datetime) -> list[TimedEvent]:
    """Return the events of the night that holds an instant, ordered by time.

    Raises
    ------
    OutsideEphemeris
    """
    night = night_holding(place, instant)
    return list(_timed(place, night) if is_prompt(night) else await _beside(_timed, place, night))


async def night_events(place: SitePlace, instant: datetime) -> NightEvents:
    """Return the night that holds an instant, with its events and its almanac.

    Raises
    ------
    OutsideEphemeris
    """
    night = night_holding(place, instant)
    return _night(place, night) if is_prompt(night) else await _beside(_night, place, night)


async def night_sky(place: SitePlace, night: Night) -> NightSky:
    """Return a night with its events, its almanac, and the altitudes of Sun and Moon.

    Raises
    ------
    OutsideEphemeris
    """
    check_covered(night.night, night.night)
    return _sky(place, night) if is_prompt(night) else await _beside(_sky, place, night)


async def year_events(place: SitePlace, year: int) -> YearEvents:
    """Return the events of all nights whose evenings are in a year.

    Raises
    ------
    OutsideEphemeris
    """
    return await _beside(_year, place, year)


async def moon_passages(
    latitude_deg: float, longitude_deg: float, start: datetime, end: datetime
) -> list[MoonPassage]:
    """Return the rises of the Moon within two instants whose set is within them, too.

    Raises
    ------
    BadPosition, BadSpan, SpanTooLong, OutsideEphemeris
    """
    return await _beside(moon.moon_passages, latitude_deg, longitude_deg, start, end)


async def site_schedule(place: SitePlace, now: datetime) -> Schedule:
    """Return the schedule that a site would compute for itself.

    Raises
    ------
    OutsideEphemeris
    """
    return await _beside(schedule.schedule_of, place, now)


def as_csv(year: YearEvents) -> str:
    """Return the table of a year as text: a row for each night, a column for each event, empty without one."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["night", "start", "end", *NAMES])
    for night in year.nights:
        times = [night.events.get(name) or "" for name in NAMES]
        table.writerow([night.night, utc_text(night.start), utc_text(night.end), *times])
    return text.getvalue()


async def _beside(work: Callable[P, T], *args: P.args, **_: P.kwargs) -> T:
    """Return what a function returns, called in a thread of the almanac."""
    return await get_running_loop().run_in_executor(_threads(), work, *args)


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    # Of its own: requests for many years, whose tables take long, must not keep those of others from going on.
    return ThreadPoolExecutor(2, thread_name_prefix="almanac")


@lru_cache(KEPT)
def _timed(place: SitePlace, night: Night) -> tuple[TimedEvent, ...]:
    return tuple(events_of(place, [night])[0])


def _night(place: SitePlace, night: Night) -> NightEvents:
    events = _timed(place, night)
    return NightEvents(
        site=place.site,
        night=night.night,
        start=night.start,
        end=night.end,
        events=[_event(one) for one in events],
        almanac=almanac_of(place, night),
    )


@lru_cache(KEPT // 8)
def _sky(place: SitePlace, night: Night) -> NightSky:
    return NightSky(_night(place, night), altitudes_of(place, night))


def _event(event: TimedEvent) -> NightEvent:
    if event.tai_day is None:
        return NightEvent(event.name, None, None, None, event.reason)
    instant = utc_from_tai_day(event.tai_day)
    return NightEvent(event.name, event.tai_day + EPOCH_JD, utc_text(instant), instant.timestamp(), None)


def _year(place: SitePlace, year: int) -> YearEvents:
    nights = nights_of_year(place, year)
    rows = [_row(*one) for one in zip(nights, events_of(place, nights), strict=True)]
    return YearEvents(place.site, year, place.zone, rows)


def _row(night: Night, events: list[TimedEvent]) -> TabledNight:
    when = {one.name: one for one in events}
    times = {
        name: utc_text(utc_from_tai_day(found.tai_day))
        if (found := when.get(name)) and found.tai_day is not None
        else None
        for name in NAMES
    }
    missing = {one.name: one.reason for one in events if one.reason is not None}
    return TabledNight(night.night, night.start, night.end, times, missing)
