"""Requests as the libraries of the real clients put them on the wire, and replies as bytes.

Lines, their order and their spelling are what was recorded from python-requests 2.34 and urllib of Python 3.11,
and what the documentation of Java's HttpURLConnection and of http4s says that they send.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from tests.support.running import Running

CRLF = b"\r\n"
REQUESTS = ("User-Agent: python-requests/2.34.2", "Accept-Encoding: gzip, deflate", "Accept: */*",
            "Connection: keep-alive")  # fmt: skip
JAVA_ACCEPTS = "Accept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"


@dataclass(frozen=True)
class Reply:
    """Status, headers with lower-case names, and the bytes of the body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as the clients read it."""
        return json.loads(self.body)


class Wire:
    """One connection that is kept alive, as sessions of clients do."""

    def __init__(self, server: Running) -> None:
        address = httpx.URL(server.url)
        self.host = address.netloc.decode()
        self._socket = socket.create_connection((address.host, address.port or 80), timeout=60)
        # What requests does as well: its header and its body go out as two packets at once.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, *pieces: bytes) -> Reply:
        """Send bytes, each piece by itself, and read the reply to them."""
        for piece in pieces:
            self._socket.sendall(piece)
        reply = http.client.HTTPResponse(self._socket)
        reply.begin()
        body = reply.read()
        return Reply(reply.status, {key.lower(): value for key, value in reply.getheaders()}, body)

    def head(self, line: str, *headers: str) -> bytes:
        """Return the head of a request, its Host after the first line."""
        return _joined(line, f"Host: {self.host}", *headers)


def _joined(*lines: str) -> bytes:
    return CRLF.join(line.encode("latin-1") for line in (*lines, "", ""))


def _cookies(cookies: Mapping[str, str] | None) -> list[str]:
    return [f"Cookie: {'; '.join(f'{k}={v}' for k, v in cookies.items())}"] if cookies else []


def requests_get(wire: Wire, path: str, cookies: Mapping[str, str] | None = None) -> Reply:
    """Fetch a path as ``requests.get`` does."""
    return wire.send(wire.head(f"GET {path} HTTP/1.1", *REQUESTS, *_cookies(cookies)))


def requests_post_json(
    wire: Wire, path: str, content: object, cookies: Mapping[str, str] | None = None
) -> Reply:
    """Post as ``requests.post(json=...)`` does."""
    body = json.dumps(content, allow_nan=False).encode()
    ends = (f"Content-Length: {len(body)}", "Content-Type: application/json")
    return wire.send(wire.head(f"POST {path} HTTP/1.1", *REQUESTS, *_cookies(cookies), *ends), body)


def requests_post_data(wire: Wire, path: str, body: bytes, cookies: Mapping[str, str] | None = None) -> Reply:
    """Post as ``requests.post(data=...)`` does with a string or an open file: without any Content-Type."""
    end = f"Content-Length: {len(body)}"
    return wire.send(wire.head(f"POST {path} HTTP/1.1", *REQUESTS, *_cookies(cookies), end), body)


def requests_post_chunks(
    wire: Wire, path: str, chunks: Iterable[bytes], cookies: Mapping[str, str] | None = None
) -> Reply:
    """Post as ``requests.post(data=...)`` does with an object that knows no length: in chunks."""
    head = wire.head(f"POST {path} HTTP/1.1", *REQUESTS, *_cookies(cookies), "Transfer-Encoding: chunked")
    framed = [b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks if chunk]
    return wire.send(head, *framed, b"0\r\n\r\n")


def urllib_post(server: Running, path: str, body: bytes, *headers: str) -> Reply:
    """Post as ``urllib.request.urlopen`` does: Host late, and the connection closed behind the reply."""
    kind = [] if any(h.startswith("Content-Type") for h in headers) else [
        "Content-Type: application/x-www-form-urlencoded"
    ]  # fmt: skip
    with Wire(server) as wire:
        first = (f"POST {path} HTTP/1.1", "Accept-Encoding: identity", f"Content-Length: {len(body)}")
        agent = (f"Host: {wire.host}", "User-Agent: Python-urllib/3.11")
        return wire.send(_joined(*first, *kind, *agent, *headers, "Connection: close"), body)


def java_get(wire: Wire, path: str) -> Reply:
    """Fetch a path as HttpURLConnection does for the observing database."""
    agent = ("Accept-Charset: UTF-8", "User-Agent: Java/1.8.0_232", f"Host: {wire.host}")
    return wire.send(_joined(f"GET {path} HTTP/1.1", *agent, JAVA_ACCEPTS, "Connection: keep-alive"))


def java_post(wire: Wire, path: str, text: str, cookie: str) -> Reply:
    """Post as HttpURLConnection does for the observing database, caches and redirects off."""
    body = text.encode()
    lines = (
        f"POST {path} HTTP/1.1", "Accept-Charset: UTF-8", "Content-Type: application/json;charset=UTF-8",
        f"Cookie: {cookie}", "Cache-Control: no-cache", "Pragma: no-cache", "User-Agent: Java/1.8.0_232",
        f"Host: {wire.host}", JAVA_ACCEPTS, "Connection: keep-alive", f"Content-Length: {len(body)}",
    )  # fmt: skip
    return wire.send(_joined(*lines), body)


def http4s_post(wire: Wire, path: str, text: str, cookie: str) -> Reply:
    """Post as the Ember client of http4s does with a stream of text: chunks, and dates of its own."""
    body = text.encode()
    lines = (
        f"POST {path} HTTP/1.1", f"Host: {wire.host}", "Content-Type: application/json", f"Cookie: {cookie}",
        "Transfer-Encoding: chunked", "Date: Thu, 01 Jan 2026 00:00:00 GMT",
        "User-Agent: http4s-ember/0.23.27", "Connection: keep-alive",
    )  # fmt: skip
    return wire.send(_joined(*lines), b"%X\r\n%s\r\n" % (len(body), body), b"0\r\n\r\n")
