"""Nights: the sky over a site, what was exposed, what was noted; and the sites with their latest nights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from armillary.access.models import Scope
from armillary.access.service import Rules
from armillary.api.http.calls import Call, Ctx
from armillary.archive.query import service as query
from armillary.console.grounds import Ground, ground_of
from armillary.console.nightchart import Scale, Tick, chart_of
from armillary.console.rendering import page, page_or_part
from armillary.console.routing import anybody, page_router
from armillary.errors import BadRequest, NotFound
from armillary.sites import service as sites
from armillary.sites.almanac import service as almanac
from armillary.sites.almanac.documents import SunAlmanac
from armillary.sites.almanac.models import Missing, Night
from armillary.sites.documents import LogEntry
from armillary.sites.models import LogQuery, is_site
from armillary.sky.errors import OutsideEphemeris
from armillary.sky.nights import night_bounds, night_of

router = page_router()
MOST_SITES, LATEST = 1000, 14
MOST_ENTRIES = 200
LOG, CONFIG = "/v1/nightlog/{site}", "/v1/{site}/config/effective"
"""The routes that tell what stands in the night log, and that a site is configured."""
FIRST_YEAR, LAST_YEAR = 1850, 2200
_DAY = timedelta(days=1)
_DATE = re.compile(r"\d{4}-\d\d-\d\d|\d{8}", re.ASCII)
WORDS = {
    Missing.STAYS_ABOVE: "does not occur: the Sun stays above all night",
    Missing.STAYS_BELOW: "does not occur: the Sun stays below all night",
}
_SUN = {
    "set": "Sunset",
    "civil_dusk": "Civil dusk",
    "nautical_dusk": "Nautical dusk",
    "astronomical_dusk": "Astronomical dusk",
    "antitransit": "Middle of the night",
    "astronomical_dawn": "Astronomical dawn",
    "nautical_dawn": "Nautical dawn",
    "civil_dawn": "Civil dawn",
    "rise": "Sunrise",
}


class NoSuchNight(NotFound):
    """There is no such night: nothing is known of the site, or its calendar leaves the date out."""

    code = "night_not_found"


@dataclass(frozen=True, slots=True)
class Happening:
    """A line of the table of events: when, or why it does not occur."""

    name: str
    at: datetime | None
    local: str | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Visited:
    """A site with its latest nights."""

    site: str
    nights: list[query.NightCount]


@router.get("/nights", dependencies=anybody)
async def overview(request: Request, ctx: Ctx) -> Response:
    """Show the sites with their latest nights."""
    visited = await _visited(ctx)
    seen = {one.site for one in visited}
    others = [one for one in await _configured(request, ctx) if one not in seen]
    return page_or_part(request, "nights.html", "nights", {"visited": visited, "others": others})


@router.get("/nights/{site:path}/{day}", dependencies=anybody)
async def night(request: Request, ctx: Ctx, site: str, day: str) -> Response:
    """Show a night of a site: altitudes, twilights, events, exposures, and the night log."""
    ground = await ground_of(ctx.context, site)
    span, exposures = await _exposed(ctx, ground, _span(ground, _date(day)))
    beside = await _beside(ctx, site, span)
    if not (ground.known or exposures or beside["before"] or beside["after"]):
        raise NoSuchNight(f"Nothing is known of a site '{site[:100]}'.")
    log = await _log(ctx, site, span) if _opens(request, ctx, LOG, site) else None
    sky, lack = await _sky(ground, span)
    scale = Scale(span.start, span.end)
    chart = chart_of(scale, ground.zone, sky, exposures, log or (), site_events=ground.configured)
    now = ctx.context.clock.now()
    values = beside | {
        "ground": ground,
        "exposures": exposures,
        "night": span,
        "chart": chart,
        "sky": sky,
        "lack": lack,
        "log": log,
        "sun": list(_sun(sky.night.almanac.sun, ground.zone)) if sky else [],
        "moon": list(_moon(sky, ground.zone)) if sky else [],
        "events": list(_events(sky, ground.zone)) if sky and ground.configured else [],
        "now_x": scale.at(now) if span.start <= now < span.end else None,
        "address_of": lambda one: _address(site, one),
        "listed": lambda instrument: _list(site, instrument, span.start, span.end),
        "all_listed": _list(site, "", span.start, span.end),
    }
    return page(request, "night.html", values)


@router.get("/nights/{site:path}", dependencies=anybody)
async def latest(request: Request, ctx: Ctx, site: str) -> Response:
    """Lead to the latest night of a site that has frames, or to the present one."""
    ground = await ground_of(ctx.context, site)
    now = ctx.context.clock.now()
    async with ctx.context.database.begin() as connection:
        found = await query.night_beside(connection, site, ctx.principal, ctx.today, before=now + _DAY)
    if found is None and not ground.known:
        raise NoSuchNight(f"Nothing is known of a site '{site[:100]}'.")
    day = found or night_of(now, ground.rule)
    return RedirectResponse(f"/nights/{quote(site)}/{day}", HTTPStatus.SEE_OTHER)


def _date(text: str) -> date:
    try:
        found = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise BadRequest(
            f"'{text[:50]}' is no night; use a date from {FIRST_YEAR} to {LAST_YEAR}, as 2026-01-01."
        )
    return found


def _span(ground: Ground, day: date) -> Night:
    """Return the night of a date from its beginning to its end."""
    start, end = night_bounds(day, ground.rule)
    if start >= end:
        raise NoSuchNight(f"The calendar of '{ground.site}' leaves {day} out: its time zone changed then.")
    return Night(day, start, end)


async def _exposed(call: Call, ground: Ground, span: Night) -> tuple[Night, list[query.Exposed]]:
    """Return the exposures of a night, and the night.

    Of a site that nobody has placed only its frames say which night is theirs, and so when it was.
    """
    site, viewer, today = ground.site, call.principal, call.today
    if ground.known:
        terms = query.terms_of(site=site, since=span.start, until=span.end)
    else:
        terms = query.terms_of(site=site, night=span.night)
    async with call.context.database.begin() as connection:
        found = await query.exposures(connection, terms, viewer, today)
    if found and not span.start <= found[0].started_at <= found[-1].started_at < span.end:
        middle = found[0].started_at + (found[-1].started_at - found[0].started_at) / 2
        start = middle.replace(minute=0, second=0, microsecond=0) - _DAY / 2
        span = Night(span.night, start, start + _DAY)
    return span, found


async def _beside(call: Call, site: str, span: Night) -> dict[str, date | None]:
    """Return the nights before and after one, and those of them that have frames."""
    viewer, today = call.principal, call.today
    async with call.context.database.begin() as connection:
        before = await query.night_beside(connection, site, viewer, today, before=span.start)
        after = await query.night_beside(connection, site, viewer, today, after=span.end)
    yesterday, tomorrow = span.night - _DAY, span.night + _DAY
    return {"before": before, "after": after, "yesterday": yesterday, "tomorrow": tomorrow}


async def _sky(ground: Ground, span: Night) -> tuple[almanac.NightSky | None, str]:
    """Return the sky over a night, or why there is none."""
    if ground.place is None:
        return None, ground.lack
    try:
        return await almanac.night_sky(ground.place, span), ""
    except OutsideEphemeris as error:
        return None, error.message


async def _log(call: Call, site: str, span: Night) -> list[LogEntry]:
    """Return what was noted in a night, in order."""
    if not is_site(site):
        return []
    wanted = LogQuery(since=span.start, until=span.end)
    async with call.context.database.begin() as connection:
        found = await sites.search_log(connection, site, wanted, limit=MOST_ENTRIES)
    return found.entries[::-1]


def _opens(request: Request, call: Call, route: str, site: str | None) -> bool:
    """Tell whether a route about a site tells its visitor something, as the mode of the archive says."""
    rules: Rules = request.app.state.rules
    return rules.opens(route, Scope.READ) or call.principal.may(Scope.READ, on=site)


async def _configured(request: Request, call: Call) -> list[str]:
    """Return the names of configured sites, to those who may read configurations."""
    if not _opens(request, call, CONFIG, None):
        return []
    async with call.context.database.begin() as connection:
        return sorted(await sites.site_names(connection))


async def _visited(call: Call) -> list[Visited]:
    """Return the sites that have frames, with their latest nights."""
    viewer, today = call.principal, call.today
    async with call.context.database.begin() as connection:
        newest = await query.search(
            connection, query.terms_of(latest=1, per="site"), viewer, today=today, limit=MOST_SITES
        )
        sites_seen = sorted({one["site"] for one in newest.frames if one["site"]})
        return [
            Visited(
                site,
                await query.count_nights(
                    connection, query.terms_of(site=site), viewer, today=today, newest=LATEST
                ),
            )
            for site in sites_seen
        ]


def _local(at: datetime, zone: ZoneInfo | None) -> str | None:
    return f"{at.astimezone(zone):%H:%M}" if zone else None


def _happening(name: str, text: str | None, zone: ZoneInfo | None, why: Missing | None) -> Happening:
    if text is None:
        return Happening(name, None, None, WORDS[why] if why else "does not occur in this night")
    at = datetime.fromisoformat(text)
    return Happening(name, at, _local(at, zone))


def _sun(told: SunAlmanac, zone: ZoneInfo | None) -> Iterator[Happening]:
    for field, name in _SUN.items():
        yield _happening(name, getattr(told, field), zone, told.missing.get(field))


def _moon(sky: almanac.NightSky, zone: ZoneInfo | None) -> Iterator[Happening]:
    told = sky.night.almanac.moon
    for name, text in (("Moonrise", told.rise), ("Moon highest", told.transit), ("Moonset", told.set)):
        yield _happening(name, text, zone, None)


def _events(sky: almanac.NightSky, zone: ZoneInfo | None) -> Iterator[Happening]:
    for one in sky.night.events:
        yield _happening(one.name, one.utc, zone, one.reason)


def _address(site: str, tick: Tick) -> str:
    """Return where a tick leads: to the file, or to the list of the exposures that it stands for."""
    first = tick.first
    if len(tick.exposures) == 1:
        return "/files/" + quote(f"{first.path}/{first.name}" if first.path else first.name)
    until = tick.last.started_at + timedelta(seconds=1)
    return _list(site, first.instrument, first.started_at, until)


def _list(site: str, instrument: str, since: datetime, until: datetime) -> str:
    """Return the search for the frames of a site within a span."""
    asked = {"site": site, "instrument": instrument, "since": _text(since), "until": _text(until)}
    return "/frames?" + urlencode({name: value for name, value in asked.items() if value})


def _text(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
