"""The web process: its sockets, its server, its end."""

from __future__ import annotations

import asyncio
import resource
import socket
from functools import partial
from types import FrameType
from typing import Any

import uvicorn

from armillary.api.connection import Connection
from armillary.api.doors import Doors
from armillary.app import DIALECTS, create_app
from armillary.base.log import get_logger
from armillary.commands.supervision import listen
from armillary.commands.terminal import guarded
from armillary.settings import Settings

log = get_logger(__name__)
DESCRIPTORS = 256
"""Descriptors that a process needs besides those of its connections."""


def run(settings: Settings, *, host: str, port: int, fd: int | None) -> None:
    """Serve on an address, or on a socket that somebody else has opened, until told to stop."""
    application = guarded(lambda: create_app(settings))
    doors = Doors(settings.limits, DIALECTS)
    protocol: Any = partial(Connection, doors)
    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        http=protocol,
        # The doors look at idle connections, and at those that send a little from time to time, too.
        timeout_keep_alive=round(settings.limits.idle_s) + 1,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=10,
        # Anybody can send X-Forwarded-For, and the address goes into the record of edits.
        proxy_headers=False,
    )
    listener = socket.socket(fileno=fd) if fd is not None else guarded(lambda: listen(host, port))
    _drop_the_stalled(listener, settings.limits.stall_s)
    _allow_descriptors(settings.limits.connections)
    Server(config, doors).run(sockets=[listener])


def _drop_the_stalled(listener: socket.socket, stall_s: float) -> None:
    """Let the kernel end connections of clients that stop reading; it alone knows when they did."""
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(stall_s * 1000))


def _allow_descriptors(connections: int) -> None:
    """Raise the limit of open files to what so many connections need, each with a file that it reads."""
    wanted = DESCRIPTORS + 2 * connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        log.warning("few open files are allowed; raise the hard limit", wanted=wanted, allowed=allowed)


class Server(uvicorn.Server):
    """A server with doors; it lets streams without an end know when it stops."""

    def __init__(self, config: uvicorn.Config, doors: Doors) -> None:
        super().__init__(config)
        self._doors = doors

    async def on_tick(self, counter: int) -> bool:
        """Look after the connections, ten times a second."""
        self._doors.sweep(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        self.config.app.state.closing = True  # type: ignore[union-attr]
        super().handle_exit(sig, frame)
