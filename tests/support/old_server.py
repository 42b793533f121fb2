"""A stand-in for the server that others run: Gemini's FitsStorage as exports meet it, with its habits.

It knows bzip2 files only and reads their first stream only, sends no list of features, compares cookies, and
would apply any header update without conditions. Tests can script what it says next.
"""

from __future__ import annotations

import bz2
import contextlib
import hashlib
import json
import re
import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

UPLOAD_COOKIE = "gemini_fits_upload_auth"
SECRET = "the-old-upload-secret"
LOOK = re.compile(r"/jsonfilelist/present/path=(?P<path>.*)/filename=(?P<name>[^/]*)")
UPLOAD = re.compile(r"/upload_file/(?:(?P<path>.*)/)?(?P<name>[^/]+)")


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    target: str
    cookie: str
    length: int


@dataclass(frozen=True)
class Reply:
    """An answer to be given instead of the usual one; ``silent`` gives none until the server ends."""

    status: int = 200
    body: bytes = b""
    kind: str = "application/json"
    location: str = ""
    silent: bool = False


@dataclass
class OldServer:
    """What it has, what it was asked, and what it is going to say."""

    url: str = ""
    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    batches: list[str | None] = field(default_factory=list)
    pending: set[str] = field(default_factory=set)
    header_updates: list[bytes] = field(default_factory=list)
    script: defaultdict[str, deque[Reply]] = field(default_factory=lambda: defaultdict(deque))
    ended: threading.Event = field(default_factory=threading.Event)
    silent: threading.Event = field(default_factory=threading.Event)
    """Set while a request gets no answer."""

    def say(self, surface: str, *replies: Reply) -> None:
        """Let the next answers of `jsonfilelist` or `upload_file` be these."""
        self.script[surface].extend(replies)

    def has(self, name: str, path: str = "") -> bytes:
        """Return the content of a file as this server reads it."""
        return first_stream(self.files[path, name])

    def targets(self, method: str | None = None) -> list[str]:
        """Return what was asked, in turn."""
        return [one.target for one in self.asked if method in (None, one.method)]

    def look(self, path: str, name: str) -> Reply:
        """Answer `/jsonfilelist/present/path=/filename=`."""
        data = self.files.get((path, name))
        return Reply(body=json.dumps([self.element(path, name, data)] if data is not None else []).encode())

    def element(self, path: str, name: str, data: bytes) -> dict[str, Any]:
        """Return an element of the list."""
        content = first_stream(data)
        return {
            "name": name,
            "filename": f"{name}.bz2",
            "path": path,
            "compressed": True,
            "file_size": len(data),
            "data_size": len(content),
            "file_md5": md5(data),
            "data_md5": md5(content),
            "lastmod": "2026-01-01 00:00:00.000000+00:00",
            "mdready": True,
            "entrytime": "2026-01-01 00:00:01.000000+00:00",
            "present": True,
            "canonical": True,
            "size": len(data),
            "md5": md5(data),
            "pending_ingest": name in self.pending,
        }

    def upload(self, path: str, filename: str, data: bytes) -> Reply:
        """Take a file in at once."""
        self.files[path, filename.removesuffix(".bz2")] = data
        return Reply(body=json.dumps([receipt(filename, data, path)]).encode())


def receipt(filename: str, data: bytes, path: str = "") -> dict[str, Any]:
    """Return what an upload is answered with."""
    return {"filename": filename, "path": path, "size": len(data), "md5": md5(data)}


def md5(data: bytes) -> str:
    """Return the md5 in hexadecimal digits."""
    return hashlib.md5(data).hexdigest()


def first_stream(data: bytes) -> bytes:
    """Decompress the first stream; what follows is not seen."""
    return bz2.BZ2Decompressor().decompress(data)


@contextlib.contextmanager
def old_server() -> Iterator[OldServer]:
    """Serve on a free port of the loopback until the end of the block."""
    known = OldServer()

    class Handler(_Handler):
        server_of = known

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    known.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield known
    finally:
        known.ended.set()
        httpd.shutdown()
        thread.join()
        httpd.server_close()


class _Handler(BaseHTTPRequestHandler):
    server_of: OldServer

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _answer(self, body: bytes) -> None:
        known, cookie = self.server_of, self.headers.get("Cookie", "")
        known.asked.append(Asked(self.command, self.path, cookie, len(body)))
        split = urlsplit(self.path)
        surface = split.path.split("/")[1]
        if known.script[surface]:
            self._send(known.script[surface].popleft())
        elif cookie != f"{UPLOAD_COOKIE}={SECRET}":
            self._send(Reply(403, b"<html>Forbidden</html>", "text/html"))
        elif surface == "update_headers":
            known.header_updates.append(body)
            self._send(Reply(body=b'[{"result": true}]'))
        elif found := LOOK.fullmatch(unquote(split.path)):
            self._send(known.look(found["path"], found["name"]))
        elif found := UPLOAD.fullmatch(unquote(split.path)):
            known.batches.append(parse_qs(split.query).get("batch", [None])[0])
            self._send(known.upload(found["path"] or "", found["name"], body))
        else:
            self._send(Reply(404, b"<html>Not found</html>", "text/html"))

    def _send(self, reply: Reply) -> None:
        if reply.silent:
            self.server_of.silent.set()
            self.server_of.ended.wait()
            self.close_connection = True
            return
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        if reply.location:
            self.send_header("Location", reply.location)
        self.end_headers()
        self.wfile.write(reply.body)
