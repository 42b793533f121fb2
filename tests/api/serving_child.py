"""Serve the web interface as another account."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import uvicorn

from armillary.app import create_app
from armillary.settings import Settings


class Stranger(uvicorn.Server):
    """A server that gives up its rights once it has started.

    Not earlier: Python and this program may be installed where only root can read them.
    """

    def __init__(self, config: uvicorn.Config, uid: int) -> None:
        super().__init__(config)
        self._uid = uid

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and become the other account before the first request is answered."""
        await super().startup(sockets)
        os.setgroups([])
        os.setgid(self._uid)
        os.setuid(self._uid)


def main(data: str, fd: str, uid: str) -> None:
    """Serve on the socket ``fd`` as the account ``uid``."""
    config = uvicorn.Config(create_app(Settings(data=Path(data))), log_config=None)
    Stranger(config, int(uid)).run(sockets=[socket.socket(fileno=int(fd))])


if __name__ == "__main__":
    main(*sys.argv[1:])
