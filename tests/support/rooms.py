"""A stand-in for RemoteHQ on a real socket: it keeps rooms as that does, and can hang, refuse or talk nonsense."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "the-token-of-the-tests"


class Mood(StrEnum):
    """How the stand-in behaves."""

    GOOD = "good"
    HANGS = "hangs"
    """It takes the request and never answers."""
    REFUSES = "refuses"
    CLOSES = "closes"
    """It ends the connection without an answer."""
    NO_JSON = "no JSON"
    NO_DATA = "no data"
    BAD_SLUG = "a slug that leads elsewhere"
    ENDLESS = "an answer without an end"
    REDIRECTS = "redirects"


@dataclass
class StandIn:
    """What happened to the stand-in, and how it behaves, for all calls or for some."""

    url: str = ""
    mood: Mood = Mood.GOOD
    moods: dict[str, Mood] = field(default_factory=dict)
    """By the first of these words with which a call begins, as `DELETE` or `PUT /rooms`."""
    rooms: dict[str, dict[str, Any]] = field(default_factory=dict)
    configured: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    authorizations: set[str | None] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)
    made: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def mood_of(self, call: str) -> Mood:
        """Return how it behaves at a call."""
        return next((mood for begin, mood in self.moods.items() if call.startswith(begin)), self.mood)

    def asked(self, begin: str) -> list[Any]:
        """Return the bodies of calls that begin so."""
        return [body for method, path, body in self.calls if f"{method} {path}".startswith(begin)]


def _answer(one: StandIn, method: str, path: str, body: Any) -> tuple[int, Any]:
    parts = path.strip("/").split("/")
    match method, parts:
        case "POST", ["rooms"]:
            with one.lock:
                one.made += 1
                slug = f"room-{one.made}"
                one.rooms[slug] = body
            return 201, {
                "data": {"id": f"id-{one.made}", "slug": slug, "url": f"https://rooms.example/{slug}"}
            }
        case "DELETE", ["rooms", slug]:
            return (204, None) if one.rooms.pop(slug, None) else (404, {"error": "no such room"})
        case "PUT", ["rooms", slug, "room-app-config"]:
            if slug not in one.rooms:
                return 404, {"error": "no such room"}
            one.configured[slug] = body
            return 200, {"data": {}}
        case "POST", ["cb"]:
            return 200, {"data": {"instanceURN": "urn:rhq:1", "embedURL": "https://cb.example/1"}, "ä": [1.5]}
        case _:
            return 404, {"error": "no such call"}


def _handler(one: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            one.calls.append((self.command, self.path, body))
            one.authorizations.add(self.headers.get("Authorization"))
            match one.mood_of(f"{self.command} {self.path}"):
                case Mood.HANGS:
                    one.over.wait()
                    self.close_connection = True
                case Mood.CLOSES:
                    self.close_connection = True
                case Mood.REFUSES:
                    self._say(503, b'{"error": "not today"}')
                case Mood.REDIRECTS:
                    self._say(302, b"", Location="http://127.0.0.1:1/")
                case Mood.NO_JSON:
                    self._say(201, b"<html>Welcome</html>")
                case Mood.NO_DATA:
                    self._say(201, b'{"data": {"id": 5, "slug": null}}')
                case Mood.BAD_SLUG:
                    self._say(
                        201, b'{"data": {"id": "i", "slug": "../accounts", "url": "https://x.example"}}'
                    )
                case Mood.ENDLESS:
                    self._endless()
                case Mood.GOOD:
                    status, said = _answer(one, self.command, self.path, body)
                    self._say(status, b"" if said is None else json.dumps(said).encode())

        def _say(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _endless(self) -> None:
            self.send_response(201)
            self.end_headers()
            self.close_connection = True
            try:
                while not one.over.is_set():
                    self.wfile.write(b" " * 65536)
            except OSError:
                return

        def log_message(self, *_: object) -> None:
            """Write nothing."""

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

    return Handler


@contextmanager
def a_stand_in() -> Iterator[StandIn]:
    """Serve on a port of its own."""
    one = StandIn()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(one))
    server.daemon_threads = True
    one.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield one
    finally:
        one.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
