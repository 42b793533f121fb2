"""Events of a night, and rises of the Moon, as the clients of Photon Ranch read them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Response

from armillary.api.http.calls import Ctx
from armillary.api.http.values import plain
from armillary.api.photon_ranch.parameters import Asked, Parameters
from armillary.api.photon_ranch.replies import Refused, as_json, raw
from armillary.api.photon_ranch.rights import in_parameters, reads
from armillary.sites.almanac import service
from armillary.sites.almanac.errors import (
    BadInstant,
    BadPosition,
    BadSpan,
    PlaceMissing,
    SpanTooLong,
    UnknownZone,
)
from armillary.sites.almanac.models import MoonPassage, SitePlace, TimedEvent
from armillary.sites.errors import BadSiteName, UnknownSite
from armillary.sky.errors import OutsideEphemeris

router = APIRouter()
NULLS = "X-Armillary-Events-Null"
"""The header that says why events are null."""
_NO_SITE = "Missing 'site' query string request parameter."
_UNKNOWN_SITE = "The specified sitecode did not match any config file."
_NO_PLACE = (
    "Site config missing required parameters. Please ensure it includes latitude, longitude, elevation, "
    "reference_ambient, reference_pressure, and TZ_database_name."
)
_BAD_MOMENTS = "Error with format of start/end times. Format should be like: '2020-12-31T01:00:00Z. "


@router.get("/events", dependencies=reads(in_parameters("site")))
async def events(ctx: Ctx, asked: Asked) -> Response:
    """Tell the events of the night of a site that holds an instant, as Julian dates in TAI.

    What does not occur is null, and the header X-Armillary-Events-Null says why. With `detail=1` the answer is
    that of `/v1/events`.
    """
    site = asked.given("site")
    if not isinstance(site, str) or not site:
        return _error(_NO_SITE, HTTPStatus.BAD_REQUEST)
    try:
        when = asked.given("when")
        instant = ctx.context.clock.now() if when in (None, "") else service.read_instant(when)
        async with ctx.context.database.look() as connection:
            place = await service.find_place(connection, site)
        return await _answer(place, instant, detail=asked.flag("detail"))
    except (BadSiteName, UnknownSite):
        return _error(_UNKNOWN_SITE)
    except PlaceMissing:
        return _error(_NO_PLACE)
    except UnknownZone as error:
        return _error(f"Invalid timezone name from site config: '{error.zone}'")
    except (BadInstant, OutsideEphemeris) as error:
        return _error(error.message, HTTPStatus.BAD_REQUEST)


async def _answer(place: SitePlace, instant: datetime, *, detail: bool) -> Response:
    if detail:
        return as_json(plain(await service.night_events(place, instant)))
    found = await service.timed_events(place, instant)
    shown = {one.name: None if one.tai_day is None else one.tai_day + service.EPOCH_JD for one in found}
    nulls = _nulls(found)
    return as_json(shown, headers={NULLS: nulls} if nulls else None)


def _nulls(events: Iterable[TimedEvent]) -> str:
    return ", ".join(f"{quote(one.name, safe='')}={one.reason}" for one in events if one.reason)


def _error(text: str, status: int = HTTPStatus.INTERNAL_SERVER_ERROR) -> Response:
    # Clients know what is wrong with a configuration by a fault of the server.
    return as_json({"error": text}, status)


@router.get("/events/moon/rise-set-illum", dependencies=reads())
async def moon(asked: Asked) -> Response:
    """Tell the rises of the Moon between two times, with the transit and the set that follow."""
    latitude, longitude = asked.number("lat"), asked.number("lng")
    try:
        start, end = (_moment(asked, name) for name in ("start", "end"))
        found = await service.moon_passages(latitude, longitude, start, end)
    except BadPosition as error:
        raise Refused("Fields lat and lng should be degrees: -90 to 90, and -180 to 360.") from error
    except SpanTooLong as error:
        raise Refused("Fields start and end should be 400 days apart at most.") from error
    except (BadInstant, BadSpan, OutsideEphemeris):
        return raw(_BAD_MOMENTS, HTTPStatus.NOT_FOUND)
    return as_json([_passage(one) for one in found])


def _moment(asked: Parameters, name: str) -> datetime:
    value = asked.given(name)
    if not isinstance(value, str):
        raise BadInstant
    return service.read_moment(value)


def _passage(found: MoonPassage) -> dict[str, Any]:
    return {
        "illumination": found.illumination,
        "rise": _second(found.rise),
        "set": _second(found.set),
        "transit": _second(found.transit),
    }


def _second(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"
