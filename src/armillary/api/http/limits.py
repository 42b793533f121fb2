"""How many requests one caller may send: a token, or an address without one."""

from __future__ import annotations

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from armillary.access.models import Principal
from armillary.api.http.carriers import SHOWN_BY_PATH
from armillary.api.http.dialect import CONNECTIONS, dialect_of, refusal
from armillary.api.http.heard import headers_of
from armillary.base.metrics import REQUESTS_REFUSED
from armillary.errors import ArmillaryError
from armillary.settings import LimitSettings

IPV6_BITS = 64
"""What one customer of a network provider has at least: addresses inside are one caller."""


class TooManyRequests(ArmillaryError):
    """Rate limit exceeded; retry after the seconds in Retry-After."""

    code, status, transient = "too_many_requests", HTTPStatus.TOO_MANY_REQUESTS, True


class Buckets:
    """A bucket per caller: it holds up to ``burst`` requests and fills with ``per_s``; 0 sets no limit.

    Of more than ``callers`` those are forgotten who came longest ago; they find their bucket full again.
    """

    def __init__(self, per_s: float, burst: int, callers: int, clock: Callable[[], float]) -> None:
        self._per_s, self._burst, self._callers, self._clock = per_s, float(burst), callers, clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._levels)

    def take(self, caller: str) -> float:
        """Count a request; return 0 if it is granted, or the seconds until one would be."""
        if not self._per_s:
            return 0.0
        now = self._clock()
        level, then = self._levels.get(caller, (self._burst, now))
        level = min(self._burst, level + (now - then) * self._per_s)
        granted = level >= 1.0
        self._levels[caller] = (level - 1.0 if granted else level, now)
        self._levels.move_to_end(caller)
        if len(self._levels) > self._callers:
            self._levels.popitem(last=False)
        return 0.0 if granted else (1.0 - level) / self._per_s


class Limited:
    """A layer of the application that refuses callers who send too much, before anything is done for them.

    What is shown as a token counts as one after it has opened a door once: anybody can make tokens up. Until
    then its requests are counted together with all unproved ones of the address, but apart from those that
    show nothing, lest a noisy neighbour keeps the holder of a token out.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: LimitSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._settings = app, settings
        most = settings.callers
        self._addresses = Buckets(settings.anonymous_per_s, settings.anonymous_burst, most, clock)
        self._tokens = Buckets(settings.token_per_s, settings.token_burst, most, clock)
        self._proved: OrderedDict[bytes, str] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in CONNECTIONS:
            await self._app(scope, receive, send)
            return
        shown = _shown(scope)
        name = self._proved.get(shown) if shown else None
        if name is not None:
            wait_s = self._tokens.take(name)
        else:
            network = network_of(scope["client"][0] if scope.get("client") else "")
            wait_s = self._addresses.take(f"{network} with a token" if shown else network)
        if wait_s:
            REQUESTS_REFUSED.inc()
            await self._refuse(scope, name, wait_s)(scope, receive, send)
            return
        await self._app(scope, receive, send)
        if shown:
            self._note(shown, scope)

    def grants(self, principal: Principal, address: str) -> bool:
        """Count a request of somebody who is known for certain; tell whether it is within the limits."""
        name = principal.name
        return not (self._tokens.take(name) if name else self._addresses.take(network_of(address)))

    def _note(self, shown: bytes, scope: Scope) -> None:
        """Remember what a token turned out to be, and forget one that is none any more."""
        principal = scope.get("state", {}).get("principal")
        if principal is None:
            return
        if not principal.name:
            self._proved.pop(shown, None)
            return
        self._proved[shown] = principal.name
        self._proved.move_to_end(shown)
        if len(self._proved) > self._settings.callers:
            self._proved.popitem(last=False)

    def _refuse(self, scope: Scope, name: str | None, wait_s: float) -> Response:
        settings, seconds = self._settings, max(1, math.ceil(wait_s))
        if name is not None:
            who, most, hint = f"the token '{name}'", settings.token_per_s, ""
        else:
            who = scope["client"][0] if scope.get("client") else "your address"
            most, hint = settings.anonymous_per_s, " or show a token, which may send more"
        error = TooManyRequests(
            f"More than {most:g} requests per second came from {who}; wait {seconds} s{hint}."
        )
        answer = refusal(scope, error)
        answer.headers["Retry-After"] = str(seconds)
        return answer


def _shown(scope: Scope) -> bytes:
    """Return a digest of what may be a token, in headers or in the path; nothing if there is none."""
    parts = [name + value for name, value in dialect_of(scope).carriers.shown(headers_of(scope))]
    parts += [b"path" + scope["state"][SHOWN_BY_PATH].encode()] if SHOWN_BY_PATH in scope["state"] else []
    return hashlib.sha256(b"\n".join(parts)).digest() if parts else b""


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """Return what counts as one caller: an IPv4 address, or the network of an IPv6 address."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(IPv6Address(int(found) >> (128 - IPV6_BITS) << (128 - IPV6_BITS)))
    return str(found)
