"""The web process: its sockets, its server, its end."""

from __future__ import annotations

import socket
from types import FrameType

import uvicorn

from armillary.app import create_app
from armillary.commands.supervision import listen
from armillary.commands.terminal import guarded
from armillary.settings import Settings


def run(settings: Settings, *, host: str, port: int, fd: int | None) -> None:
    """Serve on an address, or on a socket that somebody else has opened, until told to stop."""
    application = guarded(lambda: create_app(settings))
    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=10,
        # Anybody can send X-Forwarded-For, and the address goes into the record of edits.
        proxy_headers=False,
    )
    listener = socket.socket(fileno=fd) if fd is not None else guarded(lambda: listen(host, port))
    _drop_the_stalled(listener, settings.limits.stall_s)
    _Server(config).run(sockets=[listener])


def _drop_the_stalled(listener: socket.socket, stall_s: float) -> None:
    """Let the kernel end connections of clients that stop reading; it alone knows when they did."""
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(stall_s * 1000))


class _Server(uvicorn.Server):
    """A server that lets streams without an end know when it stops."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        self.config.app.state.closing = True  # type: ignore[union-attr]
        super().handle_exit(sig, frame)
