"""Every request gets an id, that of its client if that is sane, and leaves one line in the log."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

from prometheus_client import Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from armillary.api.http.heard import headers_of
from armillary.api.http.sending import START, Headers, Sending
from armillary.base.log import bound, get_record
from armillary.base.metrics import REQUEST_SECONDS, REQUESTS

log = get_record("requests")
HEADER = b"x-request-id"
SANE = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LONGEST = 300


@lru_cache(maxsize=1024)
def _counter_of(method: str, status: int) -> Counter:
    """Return what counts answers of a kind; the registry takes a lock to find it."""
    return REQUESTS.labels(method, str(status))


class Traced:
    """The outermost layer of the application: who asks, under which id, and how it went."""

    def __init__(
        self, app: ASGIApp, *, proxies: Sequence[IPv4Network | IPv6Network] = (), write: bool = True
    ) -> None:
        self._app, self._write = app, write
        self._proxies = Proxies(proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] in ("http", "websocket"):
            scope["client"] = self._proxies.client_of(scope)
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = Traceable(_id_of(scope))
        scope.setdefault("state", {})["request_id"] = answer.id
        began = time.perf_counter()
        with bound(request=answer.id):
            try:
                await self._app(scope, receive, Sending(send, dressed=answer.sign, seen=answer.see))
            finally:
                self.note(scope, answer, time.perf_counter() - began)

    def note(self, scope: Scope, answer: Traceable, seconds: float) -> None:
        """Count a request that is answered, and write it down."""
        method = scope["method"] if scope["method"] in METHODS else "other"
        _counter_of(method, answer.status).inc()
        REQUEST_SECONDS.observe(seconds)
        if self._write:
            log.info("request", **_fields(scope, answer), ms=round(1000 * seconds, 2))


class Traceable:
    """What is sent, seen on its way; ``status`` is 0 if the client was gone before it began."""

    def __init__(self, request_id: str) -> None:
        self.id = request_id
        self.status, self.size, self.whole = 0, 0, False
        self._declared = -1
        self.update_request = ""

    def sign(self, headers: Headers) -> Headers:
        """Put the id among the headers, which tell what the answer is to be."""
        for name, value in headers:
            if name == b"armillary-request":
                self.update_request = value.decode("latin-1")
            elif name == b"content-length":
                self._declared = int(value)
        headers.append((HEADER, self.id.encode()))
        return headers

    def see(self, message: Message) -> None:
        """Count a part of the answer."""
        if message["type"] == START:
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))
            # Clients that count may go before the empty last part.
            self.whole = self.size == self._declared or not message.get("more_body", False)


def _id_of(scope: Scope) -> str:
    said = headers_of(scope).get(HEADER)
    if said and SANE.fullmatch(said):
        return said.decode()
    return new_id()


def new_id() -> str:
    """Return an id that tells a request from others; it protects nothing, so it takes no call to the system."""
    return f"{random.getrandbits(64):016x}"


def _fields(scope: Scope, answer: Traceable) -> dict[str, Any]:
    """Return what the line says; never the query, which may hold what is nobody's business."""
    principal = scope.get("state", {}).get("principal")
    fields: dict[str, Any] = {
        "method": scope["method"],
        "path": scope["path"][:LONGEST],
        "status": answer.status,
        "bytes": answer.size,
        "address": scope["client"][0] if scope["client"] else "",
        "viewer": principal.name if principal else "",
    }
    if answer.update_request:
        fields["update_request"] = answer.update_request
    if not answer.whole:
        fields["broken_off"] = True
    return fields


class Proxies:
    """The reverse proxies that are believed when they say whom they ask for."""

    def __init__(self, networks: Sequence[IPv4Network | IPv6Network]) -> None:
        self._networks = tuple(networks)
        self._known = lru_cache(maxsize=1024)(self._is_trusted)

    def trusts(self, address: str) -> bool:
        """Tell whether an address is that of a proxy of ours."""
        return bool(self._networks) and self._known(address)

    def client_of(self, scope: Mapping[str, Any]) -> tuple[str, int] | None:
        """Return address and port of the client: the nearest one that is no proxy of ours.

        Anybody can send X-Forwarded-For, so it counts only as far as proxies vouch for it, from the right.
        """
        client: tuple[str, int] | None = scope.get("client")
        if client is None or not self.trusts(client[0]):
            return client
        said = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
        for word in reversed(said.decode("latin-1").split(",")):
            address = word.strip()
            if not _is_address(address):
                break
            client = (address, 0)
            if not self.trusts(address):
                break
        return client

    def _is_trusted(self, address: str) -> bool:
        if not _is_address(address):
            return False
        found = ip_address(address)
        return any(found.version == one.version and found in one for one in self._networks)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
