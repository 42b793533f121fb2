"""The embedded server lives while somebody uses it, keeps what was committed, and lets no stranger in."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from armillary.base.database import Database, Role
from armillary.base.postgres import locks
from armillary.base.postgres.account import resolve
from armillary.base.postgres.server import EmbeddedServer, embedded
from tests.support.postgres import server_account

ROOT = Path(__file__).parents[3]
NOBODY = 65534


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give a directory that only its owner can enter, with a path too long for a socket."""
    top = tmp_path / ("long-" * 20)
    top.mkdir(mode=0o700)
    yield top / "postgres"
    assert not locks.is_held(top / "postgres" / locks.SERVER)


def a_user(directory: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.support.database_user", str(directory), server_account()]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    process.communicate(b"", timeout=60)


def postmaster_pid(directory: Path) -> int:
    return int((directory / "cluster/postmaster.pid").read_text().split()[0])


def supervisor_pid(directory: Path) -> int:
    status = Path(f"/proc/{postmaster_pid(directory)}/status").read_text()
    return int(status.split("PPid:")[1].split()[0])


async def kept(directory: Path) -> int:
    async with embedded(directory, server_account()) as dsn:
        connection = await asyncpg.connect(host=dsn.host, user="armillary_owner", database=dsn.database)
        count: int = await connection.fetchval("SELECT count(*) FROM kept")
        await connection.close()
    return count


async def test_the_last_user_stops_the_server(folder: Path) -> None:
    first, second = a_user(folder), a_user(folder)
    pid = postmaster_pid(folder)
    end(first)
    assert postmaster_pid(folder) == pid
    end(second)
    assert not (folder / "cluster/postmaster.pid").exists()


@pytest.mark.crash
async def test_a_killed_user_leaves_no_server_behind_and_loses_nothing(folder: Path) -> None:
    user = a_user(folder)
    user.kill()
    user.communicate()
    assert await kept(folder) == 1


@pytest.mark.crash
async def test_a_killed_postmaster_is_started_again(folder: Path) -> None:
    server = await EmbeddedServer.acquire(folder, account=server_account())
    database = await Database.connect(server, Role.OWNER)
    os.kill(postmaster_pid(folder), signal.SIGKILL)
    await _works_again(database)
    await database.close()
    await server.release()


@pytest.mark.crash
async def test_a_killed_supervisor_takes_the_server_along_and_both_come_back(folder: Path) -> None:
    server = await EmbeddedServer.acquire(folder, account=server_account())
    database = await Database.connect(server, Role.OWNER)
    os.kill(supervisor_pid(folder), signal.SIGKILL)
    await _works_again(database)
    await database.close()
    await server.release()


@pytest.mark.crash
async def test_everything_killed_at_once_loses_nothing(folder: Path) -> None:
    user = a_user(folder)
    for pid in (user.pid, supervisor_pid(folder), postmaster_pid(folder)):
        os.kill(pid, signal.SIGKILL)
    user.communicate()
    # A killed process has its locks until the system has taken it away.
    supervisor = locks.Lock(folder / locks.SUPERVISOR)
    await asyncio.to_thread(supervisor.shared)
    supervisor.close()
    assert await kept(folder) == 1


async def _works_again(database: Database) -> None:
    async with asyncio.timeout(120):
        while True:
            try:
                async with database.begin() as connection:
                    await connection.exec_driver_sql("SELECT pg_backend_pid(), pg_sleep(0.05)")
                    return
            except Exception:
                await asyncio.sleep(0.05)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_no_other_account_gets_in(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    async with embedded(folder, server_account()):
        child = os.fork()
        if child == 0:
            os._exit(_intrude(folder / "run"))
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert os.waitstatus_to_exitcode(status) == 0


def _intrude(run: Path) -> int:
    """Speak the protocol as `nobody` through a descriptor that got past the directory's mode."""
    import socket

    fd = os.open(run, os.O_PATH)
    run.chmod(0o711)
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(f"/proc/self/fd/{fd}/.s.PGSQL.5432")
    body = b"\0\x03\0\0user\0armillary_web\0database\0armillary\0\0"
    peer.sendall((len(body) + 4).to_bytes(4, "big") + body)
    answer = peer.recv(4096)
    return 0 if answer.startswith(b"E") and b"28000" in answer else 1


async def test_an_account_that_cannot_be_made_falls_back_to_one_that_exists(tmp_path: Path) -> None:
    account, remark = resolve("no-such-account", tmp_path / "cluster", useradd=("false",))
    if os.geteuid() == 0:
        assert account.name == "nobody"
        assert "no-such-account" in remark
    else:
        assert (account.uid, remark) == (os.geteuid(), "")
