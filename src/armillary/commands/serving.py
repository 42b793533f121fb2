"""The web process: its sockets, its server, its end."""

from __future__ import annotations

import asyncio
import resource
import socket
from contextlib import AsyncExitStack
from functools import partial
from types import FrameType
from typing import Any

import uvicorn

from armillary.api.http.connection import Connection
from armillary.api.http.doors import Doors
from armillary.app import Application, create_app
from armillary.base.database import Role
from armillary.base.log import get_logger
from armillary.commands.supervision import listen
from armillary.commands.terminal import guarded
from armillary.context import open_context
from armillary.settings import Settings

log = get_logger(__name__)
DESCRIPTORS = 256
"""Descriptors that a process needs besides those of its connections."""


def run(settings: Settings, *, host: str, port: int, fd: int | None) -> None:
    """Serve on an address, or on a socket that somebody else has opened, until told to stop."""
    application = guarded(lambda: create_app(settings))
    doors = Doors(settings.limits, application.dialects, application.express)
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
    guarded(lambda: Server(config, doors, application).run(sockets=[listener]))


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
    """A server with doors; it lets streams without an end know when it stops.

    It opens what the application works with before that starts: a failure there is told in a sentence, and one
    inside of the application as a traceback.
    """

    def __init__(self, config: uvicorn.Config, doors: Doors, application: Application | None = None) -> None:
        super().__init__(config)
        self._doors = doors
        self._application, self._opened = application, AsyncExitStack()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open database and stores, and begin to serve."""
        if self._application is not None:
            opening = open_context(self._application.settings, Role.WEB, application="armillary web")
            self._application.context = await self._opened.enter_async_context(opening)
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop to serve, and close them."""
        await super().shutdown(sockets)
        await self._opened.aclose()

    async def on_tick(self, counter: int) -> bool:
        """Look after the connections, ten times a second."""
        self._doors.sweep(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        if self._application is not None:
            self._application.state.closing = True
        super().handle_exit(sig, frame)
