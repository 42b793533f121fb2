"""Which pages of other sites may call a dialect from a browser (the Fetch standard, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from armillary.api.http.sending import Dressed, Headers, Sending

ANY = ("*",)
ALLOWED = b"access-control-allow-origin"
TOLD = frozenset({ALLOWED, b"access-control-expose-headers"})
BY_ORIGIN = (b"vary", b"Origin")
"""Beside what else an answer depends on; the layer around joins the two."""


@dataclass(frozen=True)
class Cors:
    """The rule of one dialect.

    Parameters
    ----------
    exposed
        Headers of answers that scripts may read.
    always
        Whether every answer tells the rule, and OPTIONS is answered on any path, asked by a browser or not.
    """

    origins: tuple[str, ...] = ANY
    methods: tuple[str, ...] = ("GET", "POST", "PUT", "DELETE")
    headers: tuple[str, ...] = ANY
    exposed: tuple[str, ...] = ()
    always: bool = False

    def layer(self, app: ASGIApp) -> ASGIApp:
        """Return an application that tells browsers the rule."""
        if self.always:
            return Told(app, self)
        return CORSMiddleware(
            app,
            allow_origins=self.origins,
            allow_methods=self.methods,
            allow_headers=self.headers,
            expose_headers=self.exposed,
        )

    @cached_property
    def _exposed_line(self) -> Headers:
        exposed = ", ".join(self.exposed).encode("latin-1")
        return [(b"access-control-expose-headers", exposed)] if exposed else []

    @cached_property
    def _told_to_all(self) -> Headers:
        return [(ALLOWED, b"*"), *self._exposed_line]

    def teller(self, scope: Scope) -> Dressed:
        """Return what puts the rule among the headers of an answer, if each answer tells it."""
        told = self._told_to(scope)
        return lambda headers: [one for one in headers if one[0].lower() not in TOLD] + told

    def _told_to(self, scope: Scope) -> Headers:
        """Return the headers for whoever asks; an origin that may not call is told nothing but that it matters."""
        if self.origins == ANY:
            return self._told_to_all
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        if origins and origins[0].decode("latin-1") in self.origins:
            return [(ALLOWED, origins[0]), *self._exposed_line, BY_ORIGIN]
        return [BY_ORIGIN]


class Told:
    """A layer that tells the rule with every answer, failures included."""

    def __init__(self, app: ASGIApp, cors: Cors) -> None:
        self._app, self._cors = app, cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        sending = Sending(send, dressed=self._cors.teller(scope))
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            await Response(headers=self._preflight())(scope, receive, sending)
        else:
            await self._app(scope, receive, sending)

    def _preflight(self) -> dict[str, str]:
        return {
            "Access-Control-Allow-Methods": ",".join(self._cors.methods),
            "Access-Control-Allow-Headers": ",".join(self._cors.headers),
            "Access-Control-Max-Age": "600",
        }
