"""Real workers on strings: each does to its order what it is told, and is killed whenever it pleases the test.

``python -m tests.support.puppets SOCKET DSN NAME DATA`` forks a process for each connection to the socket, so that
a life costs no imports. It tells of what it does, and hears what to do, in lines of JSON; the first line that it
hears says which part it plays. A `worker` runs orders; a `looker` submits what is due, as a worker does from time
to time, and commits when told.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from armillary.base.signals import PostgresSignals
from armillary.base.store.errors import StorageFull
from armillary.base.work import Claim, Kind, OrderCancelled, Response, Retry, Worker, step
from armillary.base.work.periods import Period, submit_due
from armillary.errors import BadRequest, Unavailable
from tests.support.patience import in_time
from tests.support.postgres import AContext, work_settings

PR_SET_PDEATHSIG = 1
PATIENCE_S = 300.0
MOST_ATTEMPTS = 3
KIND = "ingest"
"""One that the web may merge."""
PERIOD = Period(KIND, 3600.0)
SLOW_S = 0.025
"""Calls that take longer than this let a worker claim nothing ahead."""


class Strings:
    """The worker's end of the connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def tell(self, **said: Any) -> None:
        self._writer.write(json.dumps(said).encode() + b"\n")
        await self._writer.drain()

    async def hear(self) -> Any:
        return json.loads(await self._reader.readline())

    async def obey(self, _context: AContext, claims: Sequence[Claim]) -> None:
        """Handle one order as told."""
        (claim,) = claims
        await asyncio.sleep(SLOW_S)
        await self.tell(began=claim.order.id, args=claim.order.args, attempts=claim.order.attempts)
        while True:
            match await self.hear():
                case {"step": name}:
                    try:
                        async with step(claim, name):
                            pass
                    except OrderCancelled:
                        await self.tell(cancelled=claim.order.id)
                        raise
                    await self.tell(stepped=name)
                case {"end": "complete"}:
                    return claim.complete(Response(value=claim.order.revision))
                case {"end": "transact"}:
                    async with claim.completing():
                        return None
                case {"end": "refuse"}:
                    raise BadRequest("refused")
                case {"end": "fail"}:
                    raise Unavailable("failed")
                case {"end": "wait"}:
                    raise StorageFull("full")
                case {"end": "postpone"}:
                    return claim.postpone(0.0)

    async def look(self, database: Database) -> None:
        """Submit what is due, and commit when told."""
        async with database.begin() as connection:
            submitted = await submit_due(connection, [PERIOD])
            await self.tell(submitted=submitted)
            await self.hear()
        await self.tell(committed=submitted)
        await self.hear()


async def _live(strings: Strings, part: Any, dsn: str, name: str, data: Path) -> None:
    database = await Database.connect(dsn, Role.WORKER, name=name, application=part, pool_size=2)
    if part == "looker":
        await strings.look(database)
        return
    settings = work_settings(lease_s=3600.0, room_s=0.02).model_copy(update={"data": data})
    context = AContext(database, settings, PostgresSignals(database))
    kind = Kind(KIND, strings.obey, retry=Retry(0.01, 0.02, MOST_ATTEMPTS))
    await Worker(context, [kind], name="puppet", slots=1).run(asyncio.Event())


Life = Callable[[Strings, Any, str, str, Path], Awaitable[None]]
"""What a process does with its part, a database and a directory."""


async def _begin(connection: socket.socket, life: Life, dsn: str, name: str, data: Path) -> None:
    strings = Strings(*await asyncio.open_connection(sock=connection))
    await strings.tell(pid=os.getpid())
    await life(strings, await strings.hear(), dsn, name, data)


def main(life: Life, path: str, dsn: str, name: str, data: Path) -> None:
    """Fork until killed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    parent = os.getpid()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() == parent:
                    asyncio.run(_begin(connection, life, dsn, name, data))
                os._exit(0)
            connection.close()


class Puppet:
    """The test's end of the connection to one process."""

    def __init__(self, path: str, part: object = "worker") -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE_S)
        self._socket.connect(path)
        self._lines = self._socket.makefile("rb")
        self.pid = int(self.hear()["pid"])
        self._send(part)

    def hear(self) -> Any:
        """Return the next thing that it tells; None if it has ended."""
        line = self._lines.readline()
        return json.loads(line) if line else None

    def tell(self, **said: str) -> None:
        """Say what to do."""
        self._send(said)

    def _send(self, said: object) -> None:
        self._socket.sendall(json.dumps(said).encode() + b"\n")

    def kill(self) -> None:
        """Kill it, and wait until it has ended."""
        os.kill(self.pid, signal.SIGKILL)
        self.leave()

    def leave(self) -> None:
        """Wait until it has ended by itself."""
        with contextlib.suppress(ConnectionResetError):
            while self._lines.readline():
                pass
        self._lines.close()
        self._socket.close()


@contextlib.contextmanager
def theatre(
    server: EmbeddedServer, name: str, data: Path, *, module: str = "tests.support.puppets"
) -> Iterator[str]:
    """Run what forks workers of a database, by a module that calls `main`; give the path of its socket."""
    path = str(data / "strings")
    command = [
        sys.executable,
        "-m",
        module,
        path,
        server.dsn.url(Role.WORKER),
        name,
        str(data),
    ]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2], env=dict(os.environ))
    try:
        end = time.monotonic() + PATIENCE_S
        while not Path(path).exists():
            assert process.poll() is None
            in_time(end)
            time.sleep(0.01)
        yield path
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main(_live, *sys.argv[1:4], Path(sys.argv[4]))
