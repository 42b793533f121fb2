"""Control rooms, and browsers that people share."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from armillary.access.errors import ScopeMissing, Unauthorized
from armillary.access.models import ANYBODY, Scope
from armillary.api.http.calls import Ctx
from armillary.api.photon_ranch.parameters import Asked, Parameters
from armillary.api.photon_ranch.replies import Refused, as_json, raw
from armillary.api.photon_ranch.rights import in_parameters, in_path, needs, permits, reads
from armillary.base.log import get_logger
from armillary.sites.errors import BadSiteName
from armillary.sites.rooms import service
from armillary.sites.rooms.errors import FAILURES, BadBrowser, NoSuchRoom

log = get_logger(__name__)
router = APIRouter()
_SITE = in_path("site")


@router.get("/control_room/{site}", dependencies=reads(_SITE), include_in_schema=False)
async def room(ctx: Ctx, request: Request, site: str, asked: Asked) -> Response:
    """Return the room of a site, and make it if there is none and whoever asks may do that."""
    _check_site(asked, site)
    may_make = permits(request, ctx.principal, Scope.ROOM, site)
    try:
        found = await service.get_room(ctx.context, site, actor=ctx.principal.name, may_make=may_make)
    except BadSiteName:
        raise
    except NoSuchRoom:
        raise (Unauthorized if ctx.principal is ANYBODY else ScopeMissing) from None
    except FAILURES as error:
        log.warning("no room", site=site, error=error.message)
        return raw("failed to get room", HTTPStatus.INTERNAL_SERVER_ERROR)
    return as_json(found.document | {"is_deleted": False})


@router.delete("/control_room/{site}", dependencies=needs(Scope.ROOM, _SITE), include_in_schema=False)
async def delete_room(ctx: Ctx, site: str, asked: Asked) -> Response:
    """Delete the room of a site."""
    _check_site(asked, site)
    try:
        await service.delete_room(ctx.context, site, actor=ctx.principal.name)
    except NoSuchRoom:
        return raw("no such room found")
    except FAILURES as error:
        return raw(f"the room has not been deleted: {error.message}", HTTPStatus.BAD_GATEWAY)
    return raw("room has been deleted")


@router.api_route(
    "/control_room/{site}/restart",
    methods=["GET", "POST"],
    dependencies=needs(Scope.ROOM, _SITE),
    include_in_schema=False,
)
async def restart_room(ctx: Ctx, site: str, asked: Asked) -> Response:
    """Put a new room in the place of the one that a site has."""
    _check_site(asked, site)
    try:
        await service.restart_room(ctx.context, site, actor=ctx.principal.name)
    except NoSuchRoom:
        return raw(f"no control room found for site {site}", HTTPStatus.NOT_FOUND)
    except FAILURES as error:
        found = await service.find_room(ctx.context, site)
        body = {"message": error.message, "site": site, "room_data": found.document if found else None}
        return as_json(body, HTTPStatus.INTERNAL_SERVER_ERROR)
    return raw("control room restarted successfully")


@router.post(
    "/new_remotehq_browser",
    dependencies=needs(Scope.ROOM, in_parameters("site"), guarded=True),
    include_in_schema=False,
)
async def new_browser(ctx: Ctx, asked: Asked) -> Response:
    """Start a browser that people share, and return what the provider says."""
    resolution = asked.text("resolution", default="medium")
    page = asked.text("initial_url", default="about:blank")
    try:
        reply = await service.new_browser(ctx.context, resolution, page, actor=ctx.principal.name)
    except BadBrowser:
        raise
    except FAILURES as error:
        return as_json({"message": error.message}, HTTPStatus.BAD_GATEWAY)
    return as_json(reply.body, reply.status)


def _check_site(asked: Parameters, site: str) -> None:
    """Refuse a request whose body speaks of another site than its path."""
    if asked.body.get("site", site) != site:
        raise Refused("Field site should be that of the path.")
