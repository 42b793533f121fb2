"""Routes of the interface of Photon Ranch that only say who asks, with the real rights in front of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
from fastapi import APIRouter, Request, Response

from armillary.access.models import Permission, Scope
from armillary.access.service import create_token
from armillary.api import photon_ranch
from armillary.api.http.calls import Ctx
from armillary.api.http.dialect import DialectRouter
from armillary.api.photon_ranch.parameters import Asked
from armillary.api.photon_ranch.replies import as_json
from armillary.api.photon_ranch.rights import anybody, in_parameters, in_path, needs, reads
from armillary.app import Application, create_app
from armillary.base.clock import Clock
from armillary.settings.auth import AuthSettings
from tests.support.archive import Archive


async def tell(ctx: Ctx) -> Response:
    """Say who asks."""
    return as_json({"by": ctx.principal.name})


async def tell_of(ctx: Ctx, asked: Asked) -> Response:
    """Say who asks for which queue."""
    return as_json({"by": ctx.principal.name, "queue": asked.given("queue_name")})


async def fail(request: Request) -> Response:
    """Fail by a fault of ours."""
    raise RuntimeError("nobody expects this")


def routes() -> DialectRouter:
    """Return the routes."""
    router = APIRouter()
    for method, path, answer, right in (
        ("GET", "/hello", tell, anybody()),
        ("GET", "/{site}/config", tell, reads(in_path("site"))),
        ("PUT", "/{site}/config", tell, needs(Scope.CONFIG, in_path("site"))),
        ("POST", "/nightlog/{site}", tell, needs(Scope.NOTE, in_path("site"), guarded=True)),
        ("POST", "/pipe/enqueue", tell_of, needs(Scope.PIPE_PRODUCE, in_parameters("queue_name"))),
        ("POST", "/new_browser", tell, needs(Scope.ROOM, guarded=True)),
        ("POST", "/dummy-requires-auth", tell, needs(None, guarded=True)),
        ("GET", "/fault", fail, anybody()),
    ):
        router.add_api_route(path, answer, methods=[method], dependencies=right)
    inside = DialectRouter()
    inside.include_router(router)
    return inside


def app_of(archive: Archive, *, clock: Clock | None = None, **auth: Any) -> Application:
    """Return an application with these routes and settings of `auth`."""
    settings = archive.context.settings.model_copy(update={"auth": AuthSettings.model_validate(auth)})
    dialect = replace(photon_ranch.dialect(settings.photon_ranch), router=routes(), lane=None)
    context = replace(archive.context, clock=clock or archive.context.clock)
    return create_app(settings, context=context, dialects=(dialect,))


@asynccontextmanager
async def serving(
    archive: Archive, address: str = "192.0.2.7", *, clock: Clock | None = None, **auth: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client of such an application that asks from an address."""
    app = app_of(archive, clock=clock, **auth)
    transport = httpx.ASGITransport(app, client=(address, 40_000), raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://archive") as client,
    ):
        yield client


async def a_key(archive: Archive, name: str, *scopes: str) -> str:
    """Create a token and return its secret."""
    async with archive.context.database.begin() as connection:
        now = archive.context.clock.now()
        return await create_token(connection, name, map(Permission.of_text, scopes), now=now)
