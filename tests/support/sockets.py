"""Bare sockets against a server in this process that has the doors of the real one, and a small application."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from armillary.api.http.connection import Connection
from armillary.api.http.dialect import Dialects
from armillary.api.http.doors import Doors
from armillary.api.http.express import Express
from armillary.app import DIALECTS
from armillary.commands.serving import Server
from armillary.settings import LimitSettings
from tests.support.patience import in_time
from tests.support.running import PATIENCE_S

GET = b"GET /%s HTTP/1.1\r\nHost: archive\r\n\r\n"


@dataclass
class Served:
    """A server, its doors, and what its application saw."""

    port: int
    doors: Doors
    asked: list[str]
    received: list[int]
    hold: threading.Event

    def connect(self, sent: bytes = b"") -> socket.socket:
        """Return a connection on which something was sent."""
        one = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
        one.sendall(sent)
        return one

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that has to come."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            in_time(deadline, "it never came")
            time.sleep(0.005)


def application(served: Served) -> ASGIApp:
    """Return an application that reads bodies and answers with the path.

    For ``/hold`` it waits before it answers, for ``/later`` before it reads, and for ``/early`` it never reads.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        served.asked.append(scope["path"])
        if scope["path"] == "/later":
            await asyncio.to_thread(served.hold.wait)
        if scope["path"] != "/early":
            while (message := await receive()).get("more_body"):
                served.received.append(len(message.get("body", b"")))
            if message["type"] == "http.disconnect":
                served.asked.append("gone")
                return
        if scope["path"] == "/hold":
            await asyncio.to_thread(served.hold.wait)
        body = scope["path"].encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


@contextlib.contextmanager
def served(*, ws: Any = "auto", express: Express | None = None, **limits: Any) -> Iterator[Served]:
    """Serve until the end of the block."""
    doors = Doors(LimitSettings(**limits), Dialects(DIALECTS), express)
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        one = Served(listener.getsockname()[1], doors, [], [], threading.Event())
        protocol: Any = partial(Connection, doors)
        config = uvicorn.Config(
            application(one), http=protocol, ws=ws, log_config=None, timeout_graceful_shutdown=1
        )
        server = Server(config, doors)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            one.until(lambda: server.started or not thread.is_alive())
            yield one
        finally:
            one.hold.set()
            server.should_exit = True
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


def all_of(one: socket.socket) -> bytes:
    """Return what comes until the server closes; a reset ends it, too."""
    received = bytearray()
    with contextlib.suppress(ConnectionError):
        while piece := one.recv(1 << 16):
            received += piece
    return bytes(received)


def answer_of(one: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of the last thing that a server says before it closes."""
    head, _, body = all_of(one).partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    return int(first.split()[1]), {name.lower(): value for name, _, value in pairs}, body
