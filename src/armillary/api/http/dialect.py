"""A dialect is a value: the paths it owns, how it reads them, who may call it, how it tells failures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from http import HTTPStatus
from types import MappingProxyType

from fastapi import APIRouter, FastAPI, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from armillary.api.http.carriers import NO_COOKIES, SHOWN_BY_PATH, Carriers
from armillary.api.http.cors import Cors
from armillary.api.http.discretion import said_to
from armillary.api.http.failures import Failure, failure_of
from armillary.api.http.lanes import Lane
from armillary.api.http.paths import one_slash
from armillary.api.http.problems import problem
from armillary.api.http.sending import Sending
from armillary.base.database_errors import reason_of
from armillary.base.log import get_logger
from armillary.errors import ArmillaryError, Unavailable

log = get_logger(__name__)
CONNECTIONS = ("http", "websocket")
RECENT = 1024
"""Paths of which it is remembered what they mean; clients ask for few again and again."""
_STATE, _PAGES = "dialect", "pages"
Chooser = Callable[[Scope], str]
"""Returns the name of the dialect that a request speaks on a path which several dialects have."""


class DialectRouter(APIRouter):
    """The routes of a dialect: they answer only on paths that the dialect owns, whatever others are called."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether a connection is for these routes."""
        if dialect_of(scope).router is not self:
            return Match.NONE, {}
        return super().matches(scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One interface of the program, mounted by an entry in the list of dialects.

    Parameters
    ----------
    name
        What logs and documentation call it.
    router
        Its routes, each with a Policy.
    prefixes
        The paths it owns, with all below them; the empty one stands for whatever nobody else owns.
    render_error
        The answer to a failure of any kind: of a route, of a path or method that there is not, of a limit.
    normalise
        What a path means, encoded or not, before a route is looked for.
    token_of
        The token that a path bears, if there are such paths; `normalise` takes it out, so that no log has it.
    carriers
        What may carry a token, where a route says nothing else.
    cors
        Which pages of other sites may call it; None: no page may.
    lane
        Finds the lane of an address, for routes that are asked very often.
    """

    name: str
    router: DialectRouter
    prefixes: tuple[str, ...]
    render_error: Callable[[HTTPConnection, Failure], Response] = problem
    normalise: Callable[[str], str] = one_slash
    token_of: Callable[[str], str] | None = None
    carriers: Carriers = NO_COOKIES
    cors: Cors | None = None
    lane: Callable[[Scope], Lane | None] | None = None


class Dialects:
    """All dialects of an application; the longest prefix decides.

    Parameters
    ----------
    shared
        Paths that several dialects have; what else a request says decides there.
    pages
        The dialect that tells people of a path which there is not, whichever dialect would own it.
    """

    def __init__(
        self,
        dialects: Sequence[Dialect],
        shared: Mapping[str, Chooser] = MappingProxyType({}),
        pages: Dialect | None = None,
    ) -> None:
        self.all, self.pages = tuple(dialects), pages
        self._owners = {prefix: one for one in self.all for prefix in one.prefixes}
        self._names = {one.name: one for one in self.all}
        self._shared = shared
        self._known = lru_cache(RECENT)(self._find)

    def of_scope(self, scope: Scope) -> Dialect:
        """Return the dialect that a connection speaks."""
        path = one_slash(scope["path"])
        choose = self._shared.get(path.rstrip("/") or "/")
        return self._names[choose(scope)] if choose else self.of(path)

    def of(self, path: str) -> Dialect:
        """Return the dialect that owns a path."""
        return self._known(path)

    def _find(self, path: str) -> Dialect:
        for prefix in _prefixes(path):
            if (owner := self._owners.get(prefix)) is not None:
                return owner
        raise LookupError(f"no dialect owns {path!r}: one has to have the empty prefix")

    def refusal(self, method: str, path: str, error: ArmillaryError) -> Response:
        """Return the refusal of a request of which nothing but method and path is known."""
        state = {_STATE: self.of(path)}
        scope = {"type": "http", "method": method, "path": path, "headers": [], "state": state}
        return refusal(scope, error)


def _prefixes(path: str) -> Iterator[str]:
    """Yield a path and what it lies below, the longest first and the empty one last."""
    while path:
        yield path
        path = path.rpartition("/")[0]
    yield ""


def dialect_of(scope: Scope) -> Dialect:
    """Return the dialect that a connection speaks."""
    found: Dialect = scope["state"][_STATE]
    return found


def render(scope: Scope, error: BaseException) -> Response:
    """Return the answer to a failure, as the dialect of the path says it."""
    failure, connection = failure_of(error), HTTPConnection(scope)
    if failure.is_ours:
        log.error("request failed", path=scope["path"], exc_info=error)
    elif not failure.is_declared and failure.code == Unavailable.code:
        log.warning("database away", error=reason_of(error))
    told = replace(failure, message=said_to(connection, failure.message))
    return _teller(scope, error).render_error(connection, told)


def _teller(scope: Scope, error: BaseException) -> Dialect:
    """Return the dialect that tells a failure.

    Somebody who typed an address that there is not, in a browser, is better served by a page than by what programs
    read. No route has raised this: those raise errors of ours.
    """
    pages: Dialect | None = scope["state"].get(_PAGES)
    if pages is None or not isinstance(error, HTTPException) or error.status_code != HTTPStatus.NOT_FOUND:
        return dialect_of(scope)
    return pages if wants_page(scope) else dialect_of(scope)


def wants_page(scope: Scope) -> bool:
    """Tell whether a browser asks for something to look at: it says that it takes HTML, and programs do not."""
    headers = scope.get("headers", ())
    return scope.get("method") == "GET" and any(
        name == b"accept" and b"text/html" in value for name, value in headers
    )


def refusal(scope: Scope, error: ArmillaryError) -> Response:
    """Return the answer to a request that no route will see, which nobody may keep."""
    answer = render(scope, error)
    answer.headers.setdefault("Cache-Control", "no-store")
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


class Addressed:
    """The outermost layer: it finds the dialect of a path and lets that say what the path means.

    A path that ends with a line feed is not found.
    """

    def __init__(self, app: ASGIApp, dialects: Dialects) -> None:
        self._app, self._dialects = app, dialects
        self._meant = {one.name: lru_cache(RECENT)(partial(_meant, one)) for one in dialects.all}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a connection on with its path as the routes know it."""
        if scope["type"] in CONNECTIONS:
            scope = self.addressed(scope)
        await self._app(scope, receive, send)

    def addressed(self, scope: Scope) -> Scope:
        """Return a connection with its path as the routes know it, and with the dialect that it speaks."""
        path: str = scope["path"]
        dialect = self._dialects.of_scope(scope)
        meant = self._meant[dialect.name]
        known, token = meant(path)
        state = {**scope.get("state", {}), _STATE: dialect, _PAGES: self._dialects.pages}
        scope = {**scope, "state": state}
        if token:
            state[SHOWN_BY_PATH] = token
        if path.endswith("\n"):
            # The pattern of a route would match without that line feed, and the name be another one; no pattern
            # begins with one.
            return {**scope, "path": f"\n{known}"}
        scope["path"] = known
        if raw := scope.get("raw_path"):
            scope["raw_path"] = meant(raw.decode("latin-1"))[0].encode("latin-1")
        return scope


def _meant(dialect: Dialect, path: str) -> tuple[str, str]:
    """Return a path as the routes know it, and the token that it bears, empty if there is none."""
    return dialect.normalise(path), dialect.token_of(path) if dialect.token_of else ""


class CrossOrigin:
    """A layer that tells browsers which pages may call the dialect of a path."""

    def __init__(self, app: ASGIApp, dialects: Dialects) -> None:
        self._app = app
        self._open = {one.name: one.cors.layer(app) for one in dialects.all if one.cors}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        known = scope["type"] == "http" and self._open.get(dialect_of(scope).name)
        await (known or self._app)(scope, receive, send)


class Guarded:
    """The innermost layer: every failure ends here as an answer of the dialect, what is our fault in the log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; an exception after the answer began is passed on, for the server to cut it."""
        begun = False

        def watch(_message: Message) -> None:
            nonlocal begun
            begun = True

        try:
            await self._app(scope, receive, Sending(send, seen=watch))
        except Exception as error:
            if begun or scope["type"] not in CONNECTIONS:
                raise
            await render(scope, error)(scope, receive, send)


def pass_on_failures(app: FastAPI) -> None:
    """Let no layer of the framework answer a failure: Guarded does, for HTTP and WebSocket alike."""

    async def pass_on(connection: HTTPConnection, error: Exception) -> Response:
        raise error

    for kind in (HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, pass_on)
