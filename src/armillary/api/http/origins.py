"""Requests that a page of another site lets a browser send: they bear the cookies of whoever looks at that page.

Scripts and other programs do not say where they come from, and are let through. A token that is shown as Bearer
or as X-Api-Key was shown on purpose: no page can add these headers to a request to another site.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from armillary.api.http.carriers import NO_COOKIES, Carriers
from armillary.api.http.dialect import dialect_of, refusal
from armillary.api.http.heard import headers_of
from armillary.errors import Forbidden

READING = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
OURS = frozenset({b"same-origin", b"none"})
"""Values of Sec-Fetch-Site of requests that the archive's own pages, or their reader, make."""
ORIGINS = frozenset({b"origin", b"sec-fetch-site"})
"""Headers by which a browser tells which page asks; programs send neither."""
PORTS = {"http": ":80", "https": ":443"}
POLICY_VIOLATION = 1008


class CrossSite(Forbidden):
    """Cross-site request refused. Send the token as Bearer or X-Api-Key, not in a cookie."""

    code = "cross_site"


class SameOrigin:
    """A layer of the application that refuses changes which pages of other sites ask for.

    Parameters
    ----------
    trusted
        Origins whose pages may send cookies, as ``https://tools.example``.
    """

    def __init__(self, app: ASGIApp, *, trusted: Collection[str] = ()) -> None:
        self._app = app
        self._trusted = frozenset(map(str.lower, trusted))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if not _changes(scope) or not tells_origin(scope) or not self._is_cross_site(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": CrossSite.code})
        else:
            await refusal(scope, CrossSite())(scope, receive, send)

    def _is_cross_site(self, scope: Scope) -> bool:
        return is_cross_site(scope["headers"], self._trusted, carriers=dialect_of(scope).carriers)


def _changes(scope: Scope) -> bool:
    return scope["type"] == "websocket" or (scope["type"] == "http" and scope["method"] not in READING)


def tells_origin(scope: Scope) -> bool:
    """Tell whether a browser says which page asks; nothing else has to be judged."""
    return not ORIGINS.isdisjoint(headers_of(scope))


def is_cross_site(
    headers: Collection[tuple[bytes, bytes]],
    trusted: Collection[str] = (),
    *,
    carriers: Carriers = NO_COOKIES,
    ambient: bool = False,
) -> bool:
    """Tell whether a browser sent cookies along because a page of another site wanted it.

    If requests are ``ambient``, it is asked whether a page wanted it at all: an address comes with every request,
    without any cookie, and whatever else is shown.

    Newer browsers say so in Sec-Fetch-Site, but not on addresses without TLS; there, and in older ones, Origin
    is compared with Host. Other subdomains of one site count as other sites, since others may run them.
    """
    if ORIGINS.isdisjoint(dict(headers)):
        return False
    unasked = any(name == b"cookie" for name, _ in headers) and not carriers.shown_on_purpose(headers)
    if not (unasked or ambient):
        return False
    origins = [value.decode("latin-1").strip().lower() for name, value in headers if name == b"origin"]
    if origins and all(origin in trusted for origin in origins):
        return False
    if sites := [value.strip().lower() for name, value in headers if name == b"sec-fetch-site"]:
        return not OURS.issuperset(sites)
    hosts = [value.decode("latin-1").strip().lower() for name, value in headers if name == b"host"]
    return any(not _is_of(origin, hosts) for origin in origins)


def _is_of(origin: str, hosts: Collection[str]) -> bool:
    """Tell whether an origin is that of the host that was asked; a usual port may be left out."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    port = PORTS.get(parts.scheme, "")
    authority = parts.netloc.removesuffix(port)
    return bool(authority) and len(hosts) == 1 and all(host.removesuffix(port) == authority for host in hosts)
