"""A server of vocabularies on a real socket, with good and bad days."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class VocabularyHost:
    """What it has, how it answers, and what it was asked: path, If-None-Match and If-Modified-Since."""

    url: str = ""
    content: bytes = b"Sunspot\nLight bridge\n"
    status: int = 200
    media_type: str = "text/plain"
    delay_s: float = 0.0
    tagged: bool = True
    dated: bool = False
    refers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)

    @property
    def etag(self) -> str:
        """The tag of its content."""
        return f'"{hash(self.content)}"'

    date = "Mon, 05 Jan 2026 10:00:00 GMT"


@contextlib.contextmanager
def vocabulary_host() -> Iterator[VocabularyHost]:
    """Run it for the time of a test."""
    host = VocabularyHost()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tag, since = self.headers.get("If-None-Match"), self.headers.get("If-Modified-Since")
            host.asked.append((self.path, tag, since))
            time.sleep(host.delay_s)
            if self.path in host.refers:
                self._send(302, {"Location": host.refers[self.path]})
            elif host.status == 200 and ((tag and tag == host.etag) or (since and since == host.date)):
                self._send(304, {})
            else:
                headers = {"ETag": host.etag} if host.tagged else {}
                headers |= {"Last-Modified": host.date} if host.dated else {}
                self._send(host.status, headers | {"Content-Type": host.media_type}, host.content)

        def _send(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
            with contextlib.suppress(ConnectionError):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    host.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
