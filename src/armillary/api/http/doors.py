"""The doors of the web process: how many connections are let in, and when those that hold a place must go.

All connections of a process share one `Doors`. A caller is an address, or the network of an IPv6 address. A
connection of a trusted proxy belongs to no caller: each request that it carries does, until it is answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from http import HTTPStatus
from typing import Protocol

from armillary.api.http.dialect import Dialects
from armillary.api.http.express import Express
from armillary.api.http.limits import network_of
from armillary.api.http.log import Proxies
from armillary.base.log import get_logger
from armillary.base.metrics import CONNECTIONS, CONNECTIONS_DROPPED
from armillary.errors import ArmillaryError, Unavailable
from armillary.settings import LimitSettings

log = get_logger(__name__)
NOBODY = ""
"""The caller of connections that are not counted by address: those of proxies."""


class TooManyConnections(ArmillaryError):
    """Too many connections, or requests at once, come from your address; close some and try again."""

    code, status, transient = "too_many_connections", HTTPStatus.TOO_MANY_REQUESTS, True


class Crowded(Unavailable):
    """The server has reached its limit of connections; retry shortly."""

    code = "crowded"


class Guest(Protocol):
    """What the doors know of a connection."""

    @property
    def address(self) -> str:
        """The address of the peer; empty if it has none."""

    def waited_s(self, now: float) -> float | None:
        """Return how long it has waited for a whole request; None while one is received or answered."""

    def dismiss(self) -> None:
        """End it: its place is needed."""

    def look(self, now: float) -> None:
        """End it if it has kept us waiting for too long."""


class Doors:
    """Who is inside; for the event loop alone, no method blocks."""

    def __init__(self, limits: LimitSettings, dialects: Dialects, express: Express | None = None) -> None:
        self.limits, self.dialects, self.express = limits, dialects, express
        self.proxies = Proxies(limits.proxies)
        # Dictionaries instead of sets, for the order in which they came.
        self._inside: dict[str, dict[Guest, None]] = {}
        self._count = 0
        self._requests: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._count

    def enter(self, guest: Guest, now: float) -> None:
        """Let a new connection in; one that waits for nothing in particular may have to make room.

        Raises
        ------
        TooManyConnections, Crowded
            If there is no room, and nobody to make it.
        """
        caller, limits = self._caller_of(guest.address), self.limits
        most = limits.connections_per_address
        if most and caller and self._held(caller) >= most and not self._make_room([caller], now):
            raise TooManyConnections(
                f"{most} connections of {guest.address or 'your address'} are in use; close some and try again."
            )
        if self._count >= limits.connections and not self._make_room(self._inside, now):
            raise Crowded
        self._inside.setdefault(caller, {})[guest] = None
        self._count += 1
        CONNECTIONS.set(self._count)

    def leave(self, guest: Guest) -> None:
        """Give the place of a connection back; one that has none is left alone."""
        caller = self._caller_of(guest.address)
        inside = self._inside.get(caller, {})
        if guest not in inside:
            return
        del inside[guest]
        if not inside:
            del self._inside[caller]
        self._count -= 1
        CONNECTIONS.set(self._count)

    def begin(self, address: str) -> str:
        """Count a request that a proxy carries for an address, and not for itself; return the caller.

        Raises
        ------
        TooManyConnections
            If so many requests of the address are being answered already.
        """
        caller, most = self._caller_of(address), self.limits.connections_per_address
        if caller == NOBODY:
            return NOBODY
        if most and self._held(caller) >= most:
            raise TooManyConnections(f"{most} requests of {address} are under way; wait for their answers.")
        self._requests[caller] += 1
        return caller

    def end(self, caller: str) -> None:
        """Count a request that `begin` returned the caller of as answered, or given up."""
        if caller == NOBODY:
            return
        self._requests[caller] -= 1
        if not self._requests[caller]:
            del self._requests[caller]

    def sweep(self, now: float) -> None:
        """Look at every connection; to be called several times a second."""
        for guest in [guest for inside in self._inside.values() for guest in inside]:
            guest.look(now)

    def drop(self, code: str, address: str) -> None:
        """Note that a connection is ended because of a limit."""
        CONNECTIONS_DROPPED.labels(code).inc()
        log.info("connection dropped", code=code, address=address)

    def _caller_of(self, address: str) -> str:
        return NOBODY if not address or self.proxies.trusts(address) else network_of(address)

    def _held(self, caller: str) -> int:
        return len(self._inside.get(caller, ())) + self._requests[caller]

    def _make_room(self, callers: Iterable[str], now: float) -> bool:
        """Dismiss whoever of these callers has waited for longest; tell whether there was anybody."""
        longest, found = -1.0, None
        for guest in (one for caller in callers for one in self._inside.get(caller, ())):
            waited = guest.waited_s(now)
            if waited is not None and waited > longest:
                longest, found = waited, guest
        if found is None:
            return False
        self.leave(found)
        self.drop(TooManyConnections.code, found.address)
        found.dismiss()
        return True
