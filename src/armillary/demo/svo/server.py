"""The server: a socket, a log of requests, and what is to go wrong."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from armillary.demo.svo.faults import Fault, Faults, Kind
from armillary.demo.svo.replies import Reply
from armillary.demo.svo.routes import Request, Service
from armillary.demo.svo.world import World

PREFIX = "/service/api/svo"


@dataclass(frozen=True)
class Asked:
    """A request of the log: what was asked, with which status it was answered, whether a key was shown."""

    method: str
    path: str
    query: str
    status: int
    with_key: bool


@dataclass
class Svo:
    """A running server, and what tests do with it."""

    url: str
    world: World
    faults: Faults = field(default_factory=Faults)
    log: list[Asked] = field(default_factory=list)

    def counts(self) -> Counter[str]:
        """Return the number of requests by method."""
        return Counter(one.method for one in self.log)

    @property
    def writes(self) -> list[Asked]:
        """The requests that are no GET."""
        return [one for one in self.log if one.method != "GET"]

    def fail(self, fault: Fault) -> None:
        """Let something go wrong."""
        self.faults.add(fault)

    def keys_in(self, *texts: str) -> list[str]:
        """Return the users whose keys stand in texts; they should stand in no log and no output."""
        logged = "\n".join(f"{one.path}?{one.query}" for one in self.log)
        return [
            one.name for one in self.world.users.values() if any(one.key in text for text in (*texts, logged))
        ]


@contextlib.contextmanager
def running(world: World | None = None, *, port: int = 0, prefix: str = PREFIX) -> Iterator[Svo]:
    """Serve on the loopback until the end of the block; port 0 is any free one."""
    known = world or World()
    svo = Svo("", known)

    class Handler(_Handler):
        served, service = svo, Service(known, prefix)

    httpd = _Server(("127.0.0.1", port), Handler)
    svo.url = f"http://127.0.0.1:{httpd.server_port}{prefix}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield svo
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that go away."""


class _Handler(BaseHTTPRequestHandler):
    served: Svo
    service: Service
    protocol_version = "HTTP/1.1"
    # Head and body leave together: a client would wait for the second packet otherwise.
    wbufsize = 1 << 16
    timeout = 60

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a request may hold a key."""

    def _answer(self) -> None:
        split = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.served.faults.take(self.command, split.path)
        if fault is not None and fault.kind is Kind.DELAY:
            time.sleep(fault.seconds)
        if fault is not None and fault.kind is Kind.DROP_BEFORE:
            self._drop(split.path, split.query)
            return
        reply = self._replied(fault, split.path, split.query, body)
        if fault is not None and fault.kind is Kind.DROP_AFTER:
            self._drop(split.path, split.query)
            return
        self._note(split.path, split.query, reply.status)
        self._send(reply)

    def _replied(self, fault: Fault | None, path: str, query: str, body: bytes) -> Reply:
        if fault is not None and fault.kind is Kind.STATUS:
            headers = {"Retry-After": fault.retry_after, "Location": fault.location}
            told = {name: value for name, value in headers.items() if value}
            return Reply(fault.status, {"error_message": "The server is away."}, told)
        shown = {name.lower(): value for name, value in self.headers.items()}
        breaking = fault is not None and fault.kind is Kind.HALF
        return self.service.answer(Request(self.command, path, query, shown, body), breaking=breaking)

    def _note(self, path: str, query: str, status: int) -> None:
        with_key = "Authorization" in self.headers
        self.served.log.append(Asked(self.command, path, query, status, with_key))

    def _drop(self, path: str, query: str) -> None:
        self._note(path, query, 0)
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, reply: Reply) -> None:
        content = reply.content
        with contextlib.suppress(OSError):
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json" if content else "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _answer  # noqa: N815
