"""Configurations of sites: every version, what differs, the way back, and what holds together with the WEMA."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse

from armillary.access.models import Scope
from armillary.api.http.answers import Answer, answered, answers
from armillary.api.http.calls import Ctx
from armillary.api.native.routing import REFUSALS, WRITE_REFUSALS, failures, of_site
from armillary.sites import service
from armillary.sites.documents import ConfigDifference, ConfigVersion, EffectiveConfig, WholeConfig
from armillary.sites.errors import (
    BadSiteName,
    ConfigChanged,
    ConfigRefused,
    DeletedVersion,
    UnknownConfigVersion,
    UnknownSite,
)

router = APIRouter()
Site = Annotated[str, Path(max_length=200, description="Name of a site.")]
Number = Annotated[int, Path(ge=1, le=(1 << 31) - 1, description="Number of a version.")]
_SHA256 = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
_VERSION = {
    "version": 2,
    "created_at": "2026-01-01T05:00:00Z",
    "actor": "the site",
    "sha256": _SHA256,
    "warnings": ["wema_name: 'mrc' has no configuration"],
}
_CONFIG = {"instance_type": "obs", "obs_id": "mrc1", "wema_name": "mrc"}


class ConfigVersions(Answer):
    """All versions of a configuration, oldest first; those without a digest record that it was deleted."""

    versions: list[ConfigVersion]


class Differences(Answer):
    """What differs between two versions, by JSON Pointer; a deleted configuration counts as an empty one."""

    old: int = msgspec.field(name="from")
    new: int = msgspec.field(name="to")
    changes: list[ConfigDifference]


class Restored(Answer):
    """The version that is stored now; ``added`` is false if it was equal to the wanted one already."""

    version: int
    added: bool
    warnings: list[str]


@router.get(
    "/v1/{site}/config/versions",
    dependencies=of_site(Scope.READ),
    responses=answers(ConfigVersions, {"versions": [_VERSION]})
    | failures(BadSiteName, UnknownSite, *REFUSALS),
)
async def versions(ctx: Ctx, site: Site) -> JSONResponse:
    """List the versions of the configuration of a site, also of one that is deleted."""
    async with ctx.context.database.begin() as connection:
        found = await service.versions(connection, site)
    return answered(ConfigVersions(versions=found))


@router.get(
    "/v1/{site}/config/versions/{version}",
    dependencies=of_site(Scope.READ),
    responses=answers(WholeConfig, {"site": "mrc1", **_VERSION, "configuration": _CONFIG})
    | failures(BadSiteName, UnknownConfigVersion, *REFUSALS),
)
async def version(ctx: Ctx, site: Site, version: Number) -> JSONResponse:
    """Return one version of the configuration of a site with its content."""
    async with ctx.context.database.begin() as connection:
        found = await service.version(connection, site, version)
    return answered(found)


@router.get(
    "/v1/{site}/config/diff",
    dependencies=of_site(Scope.READ),
    responses=answers(
        Differences, {"from": 1, "to": 2, "changes": [{"path": "/latitude", "old": 34, "new": 34.5}]}
    )
    | failures(BadSiteName, UnknownConfigVersion, *REFUSALS),
)
async def diff(
    ctx: Ctx,
    site: Site,
    old: Annotated[int, Query(alias="from", ge=1, le=(1 << 31) - 1)],
    new: Annotated[int, Query(alias="to", ge=1, le=(1 << 31) - 1)],
) -> JSONResponse:
    """Return what differs between two versions of the configuration of a site."""
    async with ctx.context.database.begin() as connection:
        found = await service.diff(connection, site, old, new)
    return answered(Differences(old=old, new=new, changes=found))


@router.get(
    "/v1/{site}/config/effective",
    dependencies=of_site(Scope.READ),
    responses=answers(
        EffectiveConfig,
        {
            "site": "mrc1",
            "wema": "mrc",
            "inherited": ["latitude"],
            "configuration": _CONFIG | {"latitude": 34.5},
        },
    )
    | failures(BadSiteName, UnknownSite, *REFUSALS),
)
async def effective(ctx: Ctx, site: Site) -> JSONResponse:
    """Return the configuration of a site, completed by what only that of its WEMA says."""
    async with ctx.context.database.begin() as connection:
        found = await service.effective(connection, site)
    return answered(found)


@router.post(
    "/v1/{site}/config/rollback/{version}",
    dependencies=of_site(Scope.CONFIG),
    responses=answers(Restored, {"version": 3, "added": True, "warnings": []})
    | failures(
        BadSiteName, ConfigRefused, UnknownConfigVersion, DeletedVersion, ConfigChanged, *WRITE_REFUSALS
    ),
)
async def rollback(ctx: Ctx, request: Request, site: Site, version: Number) -> JSONResponse:
    """Store an earlier version of the configuration of a site again; `If-Match` names the one to be replaced."""
    match = request.headers.get("if-match")
    done = await service.rollback(ctx.context, site, version, actor=ctx.principal.name, if_match=match)
    body = Restored(version=done.config.version, added=done.added, warnings=done.warnings)
    return answered(body, headers={"ETag": done.config.etag})
