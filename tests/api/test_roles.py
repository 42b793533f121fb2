"""The web process can neither write files nor change orders, and needs to do neither."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

import asyncpg
import httpx
import pytest

from armillary.access.models import Scope
from armillary.base.certificates import certificates_for
from armillary.base.database import Role
from armillary.context import Context, open_context
from tests.api.conftest import Maker
from tests.support.debian import debian, installed, needs_debian
from tests.support.night import gemini_file
from tests.support.running import COOKIE, PATIENCE_S, Running, running, started

__all__ = ["debian"]
NOBODY = 65534
MAY_INSERT = {"work_order", "update_request", "ingestion"}
ALL = frozenset({"INSERT", "UPDATE", "DELETE"})
OF_SITES = {
    **dict.fromkeys(
        ("pipe_queue", "pipe_item", "pipe_key", "pipe_acknowledged", "pipe_writer", "pipe_machine"), ALL
    ),
    "night_note": ALL,
    "night_log": {"INSERT"},
    "site_config": {"INSERT", "UPDATE"},
    "site_config_version": {"INSERT"},
    "info_reservation": {"INSERT", "UPDATE"},
    "image": {"INSERT", "UPDATE"},
    "zip_selection": {"INSERT"},
    "embargoed_read": {"INSERT"},
    "header_command": {"INSERT", "UPDATE"},
    **dict.fromkeys(("header_consumer", "header_taken", "header_shown"), ALL),
}
"""What the web role may do to the tables of sites and queues, whose work it does itself."""
TELLING = ("site_config_tell",)
"""Functions with the rights of their owner that only triggers can call."""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")


@pytest.fixture(scope="module", params=["embedded", pytest.param("debian", marks=needs_debian)])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run everything with the embedded server, then with that of Debian, a user of its own for each role."""
    if request.param == "embedded":
        yield request.getfixturevalue("server")
        return
    holder = installed(request.getfixturevalue("debian"))
    with asyncio.Runner() as runner:
        users = runner.run(holder.__aenter__())
        environment = {"ARMILLARY_DATABASE__URL": users.worker, "ARMILLARY_DATABASE__WEB_URL": users.web}
        with running(tmp_path_factory.mktemp("debian") / "data", **environment) as one:
            yield one
        runner.run(holder.__aexit__(None, None, None))


def try_as_web(server: Running, *statements: str) -> list[str | None]:
    """Return the error state of each statement run in the role of the web process, None if it succeeds."""

    async def attempt(context: Context, statement: str) -> str | None:
        async with context.database.raw() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await connection.execute(statement)
            except asyncpg.PostgresError as error:
                return error.sqlstate
            finally:
                await transaction.rollback()
        return None

    async def body() -> list[str | None]:
        async with open_context(server.settings, Role.WEB) as context:
            return [await attempt(context, statement) for statement in statements]

    return asyncio.run(body())


def columns_of_tables(served: Running) -> dict[str, list[str]]:
    """Return the columns of every table."""
    found: dict[str, list[str]] = {}
    query = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
    for table, column in served.sql(query):
        found.setdefault(table, []).append(column)
    return found


def test_the_web_role_changes_and_deletes_nothing(served: Running) -> None:
    tables = columns_of_tables(served)
    assert {"work_order", "version", "edit", "frame", "token", "update_request"} <= set(tables)
    statements = [
        statement
        for table, columns in tables.items()
        for statement in (
            f"DELETE FROM {table}",
            f"TRUNCATE {table} CASCADE",
            f"DROP TABLE {table} CASCADE",
            f"SELECT 1 FROM {table} FOR UPDATE",
            *(f"UPDATE {table} SET {column} = DEFAULT" for column in columns),
        )
    ]
    states = zip(statements, try_as_web(served, *statements), strict=True)
    assert [s for s, state in states if state != "42501" and not _is_granted(s)] == []


def _is_granted(statement: str) -> bool:
    """Tell whether a statement is about a table of sites, and one that the web role may run there."""
    kind, *words = statement.split()
    table = words[0] if kind == "UPDATE" else words[words.index("FROM") + 1] if "FROM" in words else ""
    # To lock a row is a matter of whoever may change it.
    needed = "UPDATE" if kind == "SELECT" else kind
    return needed in OF_SITES.get(table, ())


def test_the_web_role_inserts_requests_and_unstarted_orders_only(served: Running) -> None:
    granted = {table for table, privileges in OF_SITES.items() if "INSERT" in privileges}
    tables = sorted(set(columns_of_tables(served)) - MAY_INSERT - granted)
    states = try_as_web(served, *(f"INSERT INTO {table} DEFAULT VALUES" for table in tables))
    assert dict(zip(tables, states, strict=True)) == dict.fromkeys(tables, "42501")
    order = "INSERT INTO work_order (kind, args{}) VALUES ('echo', '{{}}'{})"
    fields = {
        "state": "'Completed'", "response": "'{}'", "intent": "'{}'", "fence": "5", "attempts": "0",
        "lease_owner": "'x'", "error": "'x'", "finished": "now()", "revision": "2", "leader_id": "1",
    }  # fmt: skip
    statements = [order.format(f", {name}", f", {value}") for name, value in fields.items()]
    assert try_as_web(served, order.format("", "")) == [None]
    assert try_as_web(served, *statements) == ["42501"] * len(statements)


def test_the_web_role_owns_nothing_and_becomes_nobody_else(served: Running) -> None:
    states = try_as_web(
        served,
        "SET ROLE armillary_worker",
        "SET ROLE armillary_owner",
        "CREATE TABLE mine (x int)",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "COPY file TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_import('/etc/passwd')",
        "ALTER ROLE armillary_web SUPERUSER",
    )
    assert states == ["42501"] * 8
    lent = served.sql(
        "SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE n.nspname = 'public' AND p.prosecdef AND has_function_privilege('armillary_web', p.oid, 'EXECUTE')"
    )
    assert {name for (name,) in lent} <= {"work_order_merge", "bus_publish", *TELLING}


def test_no_merge_changes_an_order_for_a_header_update(server: Running, a_file: Maker) -> None:
    name = a_file()
    with server.held(name):
        reply = server.post([{"filename": name, "values": {"generic": {"A": 1}}}])
        query = "SELECT to_jsonb(w) FROM work_order w WHERE request_id::text = $1"
        (before,) = server.sql(query, reply.headers["Armillary-Request"])
        assert before[0]["unique_key"] is None
    assert server.status(reply)["items"][0]["state"] == "completed"


def test_the_running_web_process_uses_the_web_role(served: Running) -> None:
    served.await_health()
    roles = served.sql(
        "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name = 'armillary web'"
    )
    assert roles == [("armillary_web",)]


@contextlib.contextmanager
def tcp_to(path: Path) -> Iterator[int]:
    """Pass connections to a free port of the loopback on to a socket that only we may open."""
    ready, port = threading.Event(), 0
    ends: list[Callable[[], object]] = []

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(1 << 16):
                sink.write(data)
                await sink.drain()
        sink.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with closing(writer):
            inner_reader, inner_writer = await asyncio.open_unix_connection(path)
            async with closing(inner_writer):
                await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    async def body() -> None:
        nonlocal port
        stop = asyncio.Event()
        ends.append(partial(asyncio.get_running_loop().call_soon_threadsafe, stop.set))
        listener = await asyncio.start_server(connected, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        listener.close()

    # What still passes at the end is cancelled, and waited for until it has closed its two sockets.
    thread = threading.Thread(target=lambda: asyncio.run(body()))
    thread.start()
    try:
        assert ready.wait(PATIENCE_S)
        yield port
    finally:
        for end in ends:
            end()
        thread.join()


@contextlib.asynccontextmanager
async def closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Close a connection at the end of the block, and wait until it is closed."""
    try:
        yield
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@contextlib.contextmanager
def served_by_a_stranger(server: Running) -> Iterator[Running]:
    """Serve as an account that may read the store and write the staging area, and nothing else."""
    data = server.settings.data
    data.chmod(0o711)
    (data / "staging").mkdir(exist_ok=True)
    os.chown(data / "staging", NOBODY, NOBODY)
    with (
        tcp_to(data / "postgres" / "run" / ".s.PGSQL.5432") as port,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        dsn = f"postgresql://armillary_web@127.0.0.1:{port}/armillary"
        child = Path(__file__).with_name("serving_child.py")
        command = [sys.executable, str(child), str(data), str(listener.fileno()), str(NOBODY)]
        environment = {"ARMILLARY_DATABASE__WEB_URL": dsn, "HOME": "/nonexistent"}
        with started(command, environment, pass_fds=(listener.fileno(),)) as process:
            await_health(url)
            assert f"\nUid:\t{NOBODY}\t{NOBODY}" in Path(f"/proc/{process.pid}/status").read_text()
            try:
                yield Running(url, server.settings, server.tokens)
            finally:
                data.chmod(0o700)


def await_health(url: str) -> None:
    """Wait until a server answers; its socket listens from the start."""
    deadline, trust = time.monotonic() + PATIENCE_S, certificates_for(url)
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/v1/health", timeout=60, trust_env=False, verify=trust).status_code == 200:
                return
        time.sleep(0.05)
    raise TimeoutError(url)


@as_root
def test_a_web_process_that_cannot_write_files_serves_edits_and_uploads(
    server: Running, a_file: Maker
) -> None:
    name = a_file(copy=True)
    secrets = {scope: server.secret(scope) for scope in (Scope.EDIT, Scope.READ, Scope.UPLOAD)}
    (stored,) = server.settings.data.glob(f"store/**/{name}")
    assert stored.stat().st_uid != NOBODY
    assert not stored.stat().st_mode & 0o022
    with (
        served_by_a_stranger(server) as web,
        httpx.Client(base_url=web.url, trust_env=False, timeout=60) as client,
    ):
        read = {"X-Api-Key": secrets[Scope.READ]}
        before = client.get(f"/file/{name}", headers=read)
        assert before.content == stored.read_bytes()
        cookie = {"Cookie": f"{COOKIE}={secrets[Scope.EDIT]}"}
        reply = client.post(
            "/update_headers", json=[{"filename": name, "values": {"qa_state": "Fail"}}], headers=cookie
        )
        assert reply.json() == [{"result": True, "id": name}]
        document = client.get(reply.headers["Location"], params={"wait": 60}, headers=cookie).json()
        assert (document["done"], document["items"][0]["changed"]) == (True, True)
        after = client.get(f"/file/{name}", headers=read)
        assert b"'BAD" in after.content
        assert after.content == stored.read_bytes()
        content = gemini_file(DATALAB="GN-STRANGER-1")
        cookie = {"Cookie": f"gemini_fits_upload_auth={secrets[Scope.UPLOAD]}"}
        sent = client.post("/upload_file/N20260106S0001.fits", content=content, headers=cookie)
        assert sent.json()[0]["size"] == len(content)
        server.settle()
        assert client.get("/file/N20260106S0001.fits", headers=read).content == content
