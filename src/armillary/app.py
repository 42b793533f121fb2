"""The web application: the only place that wires HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.routing import Route

from armillary import __version__
from armillary.api import gemini, native, problems
from armillary.api.policy import Policy, refuse_undeclared
from armillary.base.database import Role
from armillary.context import Context, open_context
from armillary.settings import Settings


def create_app(settings: Settings | None = None, *, context: Context | None = None) -> FastAPI:
    """Return the application; it opens its own context unless one is given.

    Raises
    ------
    UndeclaredRoute
        If a route does not say who may use it.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if context is not None:
            app.state.context = context
            yield
            return
        async with open_context(settings or Settings(), Role.WEB, application="armillary web") as opened:
            app.state.context = opened
            yield

    app = FastAPI(
        title="Armillary",
        version=__version__,
        description="From telescope telemetry to a living FITS archive, in one program.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    problems.install(app)
    app.include_router(gemini.router)
    app.include_router(native.router)
    app.router.routes.append(_openapi_route(app))
    refuse_undeclared(app)
    return app


def _openapi_route(app: FastAPI) -> Route:
    async def openapi(request: Request) -> Response:
        return JSONResponse(app.openapi())

    openapi.policy = Policy(None)  # type: ignore[attr-defined]  # read by the check of undeclared routes
    return Route("/openapi.json", openapi, include_in_schema=False)
