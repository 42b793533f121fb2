"""What every answer says to those who keep copies of it, and to browsers that guess what it is."""

from __future__ import annotations

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from armillary.access.models import ANYBODY
from armillary.api.http.carriers import Carriers
from armillary.api.http.dialect import dialect_of
from armillary.api.http.heard import headers_of
from armillary.api.http.sending import Headers, Sending

STRICT = frozenset({"private", "no-store", "no-cache"})
"""Rules under which no shared cache gives an answer to anybody without asking here again."""
NOSNIFF = (b"x-content-type-options", b"nosniff")
OWN_RULE = (b"cache-control", b"private")
MARKS = frozenset({b"cache-control", b"vary", b"x-content-type-options"})
"""Headers that may have to be joined with what is said here; most answers have none of them."""


class Private:
    """A layer of the application that keeps answers to whoever showed something out of shared caches."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        carriers = dialect_of(scope).carriers
        shown = bool(carriers.shown(headers_of(scope)))

        def mark(headers: Headers) -> Headers:
            return marked(headers, carriers, shown=shown or _is_known(scope))

        await self._app(scope, receive, Sending(send, dressed=mark))


def _is_known(scope: Scope) -> bool:
    """Tell whether it was found out who asks, be it by nothing that the request shows."""
    principal = scope.get("state", {}).get("principal", ANYBODY)
    return bool(principal.name)


def marked(headers: Collection[tuple[bytes, bytes]], carriers: Carriers, *, shown: bool) -> Headers:
    """Return the headers of an answer with what all answers have.

    Parameters
    ----------
    headers
        What the route says. A stricter rule stays; what it depends on itself is kept in front.
    carriers
        What may say who asks.
    shown
        Whether the request showed a cookie or a token, be it a valid one or not, or it is known who asks.
    """
    if MARKS.isdisjoint([name.lower() for name, _ in headers]):
        return [*headers, *([OWN_RULE] if shown else ()), (b"vary", carriers.vary), NOSNIFF]
    return _joined(headers, carriers, shown=shown)


def _joined(headers: Collection[tuple[bytes, bytes]], carriers: Carriers, *, shown: bool) -> Headers:
    kept: Headers = []
    rules: list[str] = []
    depends: list[str] = []
    for name, value in headers:
        match name.lower():
            case b"cache-control":
                rules += _members(value)
            case b"vary":
                depends += _members(value)
            case b"x-content-type-options":
                pass
            case _:
                kept.append((name, value))
    if shown and not STRICT & {rule.lower() for rule in rules}:
        rules = [*(rule for rule in rules if rule.lower() != "public"), "private"]
    known = {name.lower() for name in depends}
    if "*" not in known:
        depends += [name for name in carriers.names if name.lower() not in known]
    if rules:
        kept.append((b"cache-control", ", ".join(rules).encode("latin-1")))
    kept += [(b"vary", ", ".join(depends).encode("latin-1")), NOSNIFF]
    return kept


def _members(value: bytes) -> list[str]:
    return [one for one in (part.strip() for part in value.decode("latin-1").split(",")) if one]
