"""PostgreSQL as Debian packages it, 15 in Debian 12: a private cluster on a socket and the loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from armillary.base import migrate
from armillary.base.database import Database, Role
from armillary.base.postgres.server import Dsn
from tests.support.patience import in_time
from tests.support.postgres import admin, fresh_database, server_account

BIN = Path("/usr/lib/postgresql/15/bin")
PATIENCE_S = 300.0
"""Longer than it takes to start on a slow and busy machine."""
needs_debian = pytest.mark.needs(str(BIN / "postgres"), "postgresql-15")
ACCESS = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
"""Whoever may enter the directory of the socket may be anybody; others need a password."""
MAKE_ROLE = """
DO $$ BEGIN
    CREATE ROLE {0} LOGIN;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$
"""
CONFIGURATION = """
listen_addresses = '127.0.0.1'
fsync = off
autovacuum = off
max_connections = 60
"""


@dataclass(frozen=True)
class DebianServer:
    """A running server: superuser `postgres`, and `armillary_owner`, who may make databases and roles."""

    dsn: Dsn

    def tcp(self, user: str, password: str, *, database: str = "postgres") -> str:
        """Return the DSN of a user who shows a password."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.dsn.port}/{database}"


@dataclass(frozen=True)
class Installed:
    """A database with the schema of this program, and how each of its users gets there."""

    owner: str
    worker: str
    web: str


@asynccontextmanager
async def installed(server: DebianServer) -> AsyncIterator[Installed]:
    """Make such a database; each user has a password, and is nobody else."""
    async with fresh_database(server, empty=True) as name:
        users = {role: server.tcp(role, f"of-{role}", database=name) for role in Role}
        for role in Role:
            # As an administrator does who does not let the owner of the schema make roles.
            await admin(server, MAKE_ROLE.format(role), user="postgres")
            await admin(server, f"ALTER ROLE {role} PASSWORD 'of-{role}'", user="postgres")
        database = await Database.connect(users[Role.OWNER], Role.OWNER, pool_size=1)
        try:
            await migrate.upgrade(database)
        finally:
            await database.close()
        yield Installed(*(users[role] for role in (Role.OWNER, Role.WORKER, Role.WEB)))


@contextmanager
def debian_server() -> Iterator[DebianServer]:
    """Run a cluster of its own until the end of the block, as an account that is not root."""
    account = pwd.getpwnam(server_account())
    top = Path(tempfile.mkdtemp(prefix="armillary-debian-"))
    os.chown(top, account.pw_uid, account.pw_gid)
    try:
        _run(account, BIN / "initdb", "-D", top / "data", "-U", "postgres", "--auth=trust", "-E", "UTF8",
             "--locale=C", "--no-sync", "--no-instructions")  # fmt: skip
        (top / "data/pg_hba.conf").write_text(ACCESS)
        with (top / "data/postgresql.conf").open("a") as file:
            file.write(f"{CONFIGURATION}unix_socket_directories = '{top}'\n")
        with _reserved_port() as port, _serving(account, top, port) as server:
            yield server
    finally:
        shutil.rmtree(top)


@contextmanager
def _serving(account: pwd.struct_passwd, top: Path, port: int) -> Iterator[DebianServer]:
    with (top / "log").open("wb") as log:
        process = subprocess.Popen(
            [BIN / "postgres", "-D", top / "data", "-p", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            **_identity(account),
        )
    try:
        end = time.monotonic() + PATIENCE_S
        while not _ready(top / "data/postmaster.pid"):
            assert process.poll() is None, (top / "log").read_text()
            in_time(end, (top / "log").read_text())
            time.sleep(0.02)
        bootstrap = "CREATE ROLE armillary_owner LOGIN CREATEDB CREATEROLE"
        _run(account, BIN / "psql", "-h", top, "-p", str(port), "-U", "postgres", "-qc", bootstrap)
        yield DebianServer(Dsn(str(top), port=port))
    finally:
        process.terminate()
        try:
            # It waits for sessions that a failed test left open, but not for ever.
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ready(pid_file: Path) -> bool:
    """Tell whether the postmaster has written that it accepts connections (line 8 of its pid file)."""
    try:
        return pid_file.read_text().splitlines()[7].startswith("ready")
    except (FileNotFoundError, IndexError):
        return False


def _run(account: pwd.struct_passwd, *command: str | Path) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd="/",
        **_identity(account),
    )
    assert done.returncode == 0, done.stdout


def _identity(account: pwd.struct_passwd) -> dict[str, Any]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    if os.geteuid() != 0:
        return {"env": clean}
    return {"env": clean, "user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


@contextmanager
def _reserved_port() -> Iterator[int]:
    """Keep a port for a server that is to listen on it.

    As long as a socket that may share its port is bound to it and does not listen, the kernel gives the port to
    nobody who asks for any, and lets a server have it that names it.
    """
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        yield port


@pytest.fixture(scope="session")
def debian() -> Iterator[DebianServer]:
    """Run Debian's server for the session."""
    with debian_server() as server:
        yield server
