"""The web application: the only place that wires HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from threading import Lock
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.telemetry import TelemetryConfig
from starlette.routing import Route
from starlette.types import ASGIApp, Scope

from armillary import __version__, console
from armillary.access.models import Authenticator
from armillary.access.service import Addresses, Door, Mode, Rules, Tokens, web_tokens_of
from armillary.api import gemini, native, photon_ranch, sst_archive
from armillary.api.http.answers import describe
from armillary.api.http.dialect import (
    Addressed,
    Chooser,
    CrossOrigin,
    Dialect,
    Dialects,
    Guarded,
    pass_on_failures,
)
from armillary.api.http.express import Express
from armillary.api.http.limits import Limited
from armillary.api.http.log import Traced
from armillary.api.http.origins import SameOrigin
from armillary.api.http.policy import Policy, refuse_undeclared, walk
from armillary.api.http.privacy import Private
from armillary.base.database import Role
from armillary.base.log import hide_secrets_of_server
from armillary.context import Context, open_context, spooling_bus
from armillary.headers.service import source_clocks
from armillary.pipe import service as pipe
from armillary.settings import PhotonRanchSettings, Settings
from armillary.settings.auth import AuthSettings

UNOBSERVED: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""What the framework would tell of requests: they are counted and logged by our own layers."""
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def dialects_of(settings: PhotonRanchSettings) -> tuple[Dialect, ...]:
    """Return the interfaces of the program; another one is one more entry."""
    return (
        gemini.DIALECT,
        native.DIALECT,
        sst_archive.DIALECT,
        console.DIALECT,
        photon_ranch.dialect(settings),
    )


def _who_downloads(scope: Scope) -> str:
    """Forms that ask for a tar are Gemini's; JSON, declared or not, is Photon Ranch's."""
    kind = _header(scope, b"content-type").partition(";")[0].strip().lower()
    return gemini.DIALECT.name if scope["method"] != "POST" or kind in FORMS else photon_ranch.NAME


def _who_is_at_home(scope: Scope) -> str:
    """Browsers say that they take HTML; other programs do not, and get what they always got.

    Scripts of pages take anything, and say that they are those.
    """
    if _header(scope, b"hx-request"):
        return console.DIALECT.name
    wanted = _header(scope, b"accept").partition(";")[0].lower()
    first = [one.strip() for one in wanted.split(",")]
    if first[:1] == ["application/json"] or scope["method"] == "OPTIONS":
        return photon_ranch.NAME
    return console.DIALECT.name if "text/html" in first else native.DIALECT.name


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope.get("headers", ()) if key == name), "")


SHARED: Mapping[str, Chooser] = {"/": _who_is_at_home, "/download": _who_downloads}
"""Paths that two interfaces have, neither of which knows the other."""
DIALECTS = dialects_of(PhotonRanchSettings())
"""The interfaces with the settings that are in force by default."""


class Application(FastAPI):
    """The application inside the layers that every request passes, failed ones too."""

    settings: Settings
    dialects: Dialects
    context: Context | None = None
    """What it works with, if somebody else opens and closes that."""
    describing: Lock
    express: Express

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, with the schemas of all answers that routes declare."""
        # Pages ask for it in threads, and none may find one of which half is described.
        with self.describing:
            if self.openapi_schema is None:
                describe(super().openapi(), walk(self.routes))
            found: dict[str, Any] = self.openapi_schema or {}
        return found

    def build_middleware_stack(self) -> ASGIApp:
        """Return the application as the server calls it."""
        limits, logs = self.settings.limits, self.settings.logs
        framework = super().build_middleware_stack()
        limited = Limited(SameOrigin(Guarded(framework), trusted=limits.origins), limits)
        opened = CrossOrigin(limited, self.dialects)
        traced = Traced(opened, proxies=limits.proxies, write=logs.requests)
        addressed = Addressed(Private(traced), self.dialects)
        self.express = Express(self.state, addressed, limited, traced)
        return addressed


def create_app(
    settings: Settings | None = None,
    *,
    context: Context | None = None,
    dialects: Sequence[Dialect] | None = None,
    authenticators: Sequence[Authenticator] = (),
) -> Application:
    """Return the application; it opens its own context unless one is given.

    Parameters
    ----------
    dialects
        The interfaces; by default all that there are, as the settings want them.
    authenticators
        Further ways to find out who asks, tried after tokens and before addresses.

    Raises
    ------
    UndeclaredRoute
        If a route does not say who may use it.
    UnknownRoute
        If a setting opens or closes a route that does not exist.
    UnusableCertificate
        If web tokens are to be checked with a file that has no key.
    """

    chosen = settings or (context.settings if context else Settings())

    tokens, web_tokens = Tokens(), web_tokens_of(chosen.auth)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if (opened := cast(Application, app).context) is None:
                opening = open_context(chosen, Role.WEB, application="armillary web")
                opened = await stack.enter_async_context(opening)
            app.state.context = opened
            await stack.enter_async_context(tokens.following(opened, *(one.recent for one in web_tokens)))
            app.state.pipe = await stack.enter_async_context(pipe.opened(opened))
            await stack.enter_async_context(source_clocks(opened))
            app.state.bus = await stack.enter_async_context(spooling_bus(opened))
            for one in web_tokens:
                await stack.enter_async_context(one.open())
            yield

    app = Application(
        title="Armillary",
        version=__version__,
        description="From telescope telemetry to a living FITS archive, in one program.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry=UNOBSERVED,
    )
    mounted = dialects_of(chosen.photon_ranch) if dialects is None else dialects
    app.describing = Lock()
    app.settings, app.dialects, app.context = chosen, Dialects(mounted, SHARED, _pages_of(mounted)), context
    app.state.context, app.state.trusted = context, frozenset(map(str.lower, chosen.limits.origins))
    app.state.tokens = tokens
    # Whoever shows no token is nobody, unless there is another way to be known.
    app.state.strangers = not (chosen.auth.addresses or authenticators)
    app.state.authenticators = (
        tokens,
        *web_tokens,
        *authenticators,
        Addresses(chosen.auth.addresses),
    )
    pass_on_failures(app)
    hide_secrets_of_server()
    for dialect in mounted:
        app.include_router(dialect.router)
    app.router.routes.append(_openapi_route(app))
    refuse_undeclared(app)
    app.state.rules = _rules_of(chosen.auth)
    app.state.rules.refuse_unknown(photon_ranch.governed(walk(app.routes)))
    app.middleware_stack = app.build_middleware_stack()
    return app


def _pages_of(mounted: Sequence[Dialect]) -> Dialect | None:
    return console.DIALECT if console.DIALECT in mounted else None


def _rules_of(settings: AuthSettings) -> Rules:
    routes = {route: Door(word) for route, word in settings.routes.items()}
    return Rules(Mode(settings.mode), settings.anonymous_read, routes)


def _openapi_route(app: FastAPI) -> Route:
    async def openapi(request: Request) -> Response:
        return JSONResponse(app.openapi())

    openapi.policy = Policy(None)  # type: ignore[attr-defined]  # read by the check of undeclared routes
    return Route("/openapi.json", openapi, include_in_schema=False)
