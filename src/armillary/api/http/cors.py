"""Which pages of other sites may call a dialect from a browser (the Fetch standard, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ANY = ("*",)


@dataclass(frozen=True, slots=True)
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
            return _Told(app, self)
        return CORSMiddleware(
            app,
            allow_origins=self.origins,
            allow_methods=self.methods,
            allow_headers=self.headers,
            expose_headers=self.exposed,
        )


class _Told:
    """A layer that tells the rule with every answer, failures included."""

    def __init__(self, app: ASGIApp, cors: Cors) -> None:
        self._app, self._cors = app, cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        told = self._told(scope)

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(told)
                if self._cors.origins != ANY:
                    headers.add_vary_header("Origin")
            await send(message)

        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            await Response(headers=self._preflight())(scope, receive, tell)
        else:
            await self._app(scope, receive, tell)

    def _told(self, scope: Scope) -> dict[str, str]:
        """Return the headers for whoever asks; an origin that may not call is told nothing."""
        exposed = (
            {"Access-Control-Expose-Headers": ", ".join(self._cors.exposed)} if self._cors.exposed else {}
        )
        if self._cors.origins == ANY:
            return {"Access-Control-Allow-Origin": "*", **exposed}
        origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
        if origins and origins[0] in self._cors.origins:
            return {"Access-Control-Allow-Origin": origins[0], **exposed}
        return {}

    def _preflight(self) -> dict[str, str]:
        return {
            "Access-Control-Allow-Methods": ",".join(self._cors.methods),
            "Access-Control-Allow-Headers": ",".join(self._cors.headers),
            "Access-Control-Max-Age": "600",
        }
