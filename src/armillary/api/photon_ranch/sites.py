"""Configurations of sites. Every reply to a PUT is a JSON object: clients repeat for ever what is none."""

from __future__ import annotations

import json
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from armillary.access.models import Scope
from armillary.api.http.body import read_body
from armillary.api.http.calls import Ctx
from armillary.api.http.conditional import not_modified
from armillary.api.photon_ranch.replies import as_json
from armillary.api.photon_ranch.rights import anybody, in_path, needs, reads
from armillary.errors import ArmillaryError
from armillary.sites import service
from armillary.sites.models import PutOutcome

router = APIRouter()
_SITE = in_path("site")
_SET = ("1", "true", "yes", "on")


@router.get("/all/config", dependencies=reads(), include_in_schema=False)
async def every_config(ctx: Ctx) -> Response:
    """Return the configurations of all sites, by name."""
    async with ctx.context.database.begin() as connection:
        found = await service.all_configs(connection)
    members = (f"{json.dumps(one.site)}: {one.text}" for one in found)
    return _json(f"{{{', '.join(members)}}}")


@router.api_route(
    "/all/config",
    methods=["PUT", "POST", "PATCH", "DELETE"],
    dependencies=anybody(),
    include_in_schema=False,
)
async def no_site(request: Request) -> Response:
    """Refuse to take `all` for a site."""
    raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "GET"})


@router.get("/{site}/config", dependencies=reads(_SITE), include_in_schema=False)
async def config(ctx: Ctx, request: Request, site: str) -> Response:
    """Return the configuration of a site, as it was sent."""
    try:
        async with ctx.context.database.begin() as connection:
            found = await service.config_of(connection, site)
    except ArmillaryError as error:
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        return as_json({"error": error.message}, HTTPStatus.NOT_FOUND)
    headers = {"ETag": found.etag, "X-Armillary-Config-Version": str(found.version)}
    known = request.headers.get("if-none-match")
    if not_modified(found.etag, ctx.context.clock.now(), if_none_match=known, if_modified_since=None):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return _json(f'{{"site": {json.dumps(site)}, "configuration": {found.text}}}', headers)


@router.put("/{site}/config", dependencies=needs(Scope.CONFIG, _SITE), include_in_schema=False)
async def put_config(ctx: Ctx, request: Request, site: str) -> Response:
    """Store the configuration of a site."""
    try:
        body = await read_body(request, ctx.context.settings.photon_ranch.max_config)
        outcome = await service.put_config(
            ctx.context,
            site,
            body,
            actor=ctx.principal.name,
            allow_empty=request.query_params.get("allow_empty", "").lower() in _SET,
            if_match=request.headers.get("if-match"),
        )
    except ArmillaryError as error:
        # Others are JSON objects already.
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        return as_json({"error": error.message}, error.status)
    return as_json(_metadata(request), headers=_told(outcome))


@router.delete("/{site}/config", dependencies=needs(Scope.CONFIG, _SITE), include_in_schema=False)
async def delete_config(ctx: Ctx, request: Request, site: str) -> Response:
    """Delete the configuration of a site; its history stays."""
    try:
        match = request.headers.get("if-match")
        await service.delete_config(ctx.context, site, actor=ctx.principal.name, if_match=match)
    except ArmillaryError as error:
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        return as_json({"error": error.message}, error.status)
    return as_json(_metadata(request))


def _metadata(request: Request) -> dict[str, object]:
    """Return what the client checks: it reads the inner status, too."""
    return {
        "ResponseMetadata": {
            "RequestId": request.state.request_id,
            "HTTPStatusCode": 200,
            "HTTPHeaders": {},
            "RetryAttempts": 0,
        }
    }


def _told(outcome: PutOutcome) -> dict[str, str]:
    """Return what the body has no room for."""
    stored = outcome.config
    return {
        "ETag": stored.etag,
        "X-Armillary-Config-Version": str(stored.version),
        "X-Armillary-Warnings": str(len(outcome.warnings)),
    }


def _json(text: str, headers: dict[str, str] | None = None) -> Response:
    """Return JSON that is text already."""
    return Response(text, HTTPStatus.OK, headers, "application/json")
