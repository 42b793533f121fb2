"""The disk of the database is full, really: what was accepted waits, what cannot be accepted is told so."""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from structlog.testing import capture_logs

from armillary.access.models import Scope
from armillary.base.database_errors import DatabaseFull
from armillary.base.work import NewOrder, State, submit
from armillary.base.work.admin import find_orders
from armillary.context import Context
from armillary.errors import ArmillaryError
from armillary.operations.health import Verdict, health_of
from tests.crash.night import frame_bytes
from tests.support.archive import Archive, an_archive, put
from tests.support.disks import fill, mounted
from tests.support.held import PATIENCE_S, accept, until, until_ended, working
from tests.support.night import gemini_file, write_as
from tests.support.patience import in_time
from tests.support.postgres import start_server
from tests.support.running import Running, running

FILES, EDITS = 12, 6
NAMES = [f"f{number}.fits" for number in range(FILES)]
DISK = "200m"
REFUSED = "The database cannot write, since its disk is full; nothing was queued, try again."


@pytest.fixture
async def cramped(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Archive, Path]]:
    """Open an archive whose database lies on a small disk."""
    with tempfile.TemporaryDirectory(prefix="armillary-full-") as folder:
        top = Path(folder)
        top.chmod(0o711)
        with mounted(top / "disk", DISK) as disk:
            disk.chmod(0o711)
            server = await start_server(disk / "postgres")
            try:
                async with an_archive(server, top) as archive:
                    yield archive, disk
            finally:
                await server.release()


async def superuser(archive: Archive, *statements: str) -> None:
    database = archive.context.database
    connection = await asyncpg.connect(
        host=database.source.dsn.host,
        user="postgres",
        database=database.name,  # type: ignore[union-attr]
    )
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def crowd(archive: Archive) -> None:
    """Queue orders that nobody is to carry out, until the database takes no more."""
    orders = [NewOrder(kind="nobody's", args={"padding": "x" * 500})] * 50
    while True:
        async with archive.context.database.begin() as connection:
            await submit(connection, orders, keyed_fifo=False)


async def accept_on_and_on(archive: Archive) -> None:
    while True:
        await accept(archive, "x.fits", OBJECT="x" * 60, OBSERVER="y" * 60)


async def views(archive: Archive, order_ids: list[int]) -> list[Any]:
    async with archive.context.database.begin() as connection:
        return list((await find_orders(connection, order_ids)).values())


async def test_accepted_edits_outlast_a_full_database(cramped: tuple[Archive, Path]) -> None:
    archive, disk = cramped
    for number, name in enumerate(NAMES):
        put(archive.directory / "night" / name, frame_bytes(number, kilobytes=8))
    assert not (await archive.ingest(archive.directory / "night", in_place=True)).failed
    await archive.drain()
    assert (await health_of(archive.context, patience_s=PATIENCE_S)).accepts_edits
    orders = [await accept(archive, name, SOAK0=value) for value in range(EDITS) for name in NAMES]
    await superuser(archive, "SELECT pg_switch_wal()", "CHECKPOINT")
    ballast = fill(disk)
    with capture_logs() as said:
        async with working(archive):

            async def in_vain() -> bool:
                # What there was room for is done; now the worker can claim nothing, or record nothing.
                return sum(one["event"] in ("queue away", "order waits for room") for one in said) > 6

            await until(in_vain)
            await check_while_full(archive, orders)
            ballast.unlink()
            await until_ended(archive, orders)
    assert {one.attempts for one in await views(archive, orders)} == {1}
    assert await archive.verify() == dict.fromkeys(NAMES, "")
    for name in NAMES:
        edits = (await archive.history(name)).edits
        assert [edit.cards[0]["new"] for edit in edits if edit.cards] == list(range(EDITS))
    assert (await health_of(archive.context, patience_s=PATIENCE_S)).accepts_edits


async def check_while_full(archive: Archive, orders: list[int]) -> None:
    found = await health_of(archive.context, patience_s=PATIENCE_S)
    assert (found.status, found.accepts_edits, found.accepts_uploads) == (Verdict.REFUSING, False, False)
    assert "The disk of the database is full" in found.reasons[0]
    for one in await views(archive, orders):
        assert one.state is not State.FAILED, one.error
        assert one.attempts <= 1
        assert (one.error or "The database cannot write").startswith("The database cannot write")


async def test_what_a_full_database_cannot_take_is_refused_by_name(cramped: tuple[Archive, Path]) -> None:
    archive, disk = cramped
    put(archive.directory / "night" / "x.fits", frame_bytes(1, kilobytes=8))
    assert not (await archive.ingest(archive.directory / "night")).failed
    await archive.drain()
    await superuser(archive, "SELECT pg_switch_wal()", "CHECKPOINT")
    ballast = fill(disk)
    with pytest.raises(DatabaseFull) as full:
        await crowd(archive)
    assert "INSERT" not in full.value.message
    with pytest.raises(DatabaseFull):
        await accept_on_and_on(archive)
    ballast.unlink()
    await archive.set("x.fits", SOAK0=1)


@contextmanager
def cramped_server() -> Iterator[tuple[Running, Path]]:
    """Run everything, with the database on a small disk; nothing is looked for that nobody announces."""
    with tempfile.TemporaryDirectory(prefix="armillary-full-") as folder:
        top = Path(folder)
        top.chmod(0o711)
        with mounted(top / "data" / "postgres", DISK) as disk:
            disk.chmod(0o700)
            (top / "data").chmod(0o711)
            with running(top / "data", ARMILLARY_WORK__POLL_S="1000000") as server:
                server.ingest(write_as(top / "x.fits", gemini_file(SOAK0=0)))
                server.secret(Scope.EDIT)
                server.await_health()
                yield server, disk


def posted(server: Running, value: int) -> httpx.Response:
    items = [{"filename": "x.fits", "values": {"generic": {"SOAK0": value, "OBJECT": "x" * 60}}}] * 50
    return server.post(items)


def post_until_refused(server: Running) -> tuple[list[httpx.Response], httpx.Response]:
    """Ask for edits until they cannot be accepted; return what was accepted, and the refusal."""
    taken: list[httpx.Response] = []
    end = time.monotonic() + PATIENCE_S
    while (reply := posted(server, len(taken) + 1)).status_code == 200:
        taken.append(reply)
        in_time(end)
    return taken, reply


def await_health(server: Running, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    end = time.monotonic() + PATIENCE_S
    with server.client() as client:
        while not wanted(health := client.get("/v1/health").json()):
            in_time(end, health)
            time.sleep(0.1)
    return dict(health)


@pytest.mark.crash
def test_a_server_tells_of_its_full_database_and_goes_on_afterwards() -> None:
    with cramped_server() as (server, disk):
        ballast = fill(disk)
        taken, refusal = post_until_refused(server)
        assert refusal.status_code == 503, refusal.text
        assert refusal.json() == [{"result": False, "error": REFUSED}]
        health = await_health(server, lambda found: found["status"] == "refusing")
        assert (health["accepts_edits"], health["accepts_uploads"]) == (False, False)
        with server.client(scope=Scope.EDIT) as client:
            for earlier in taken:
                for item in client.get(earlier.headers["Location"]).json()["items"]:
                    assert item["state"] != "failed"
                    assert "SQL" not in (item["error"] or "")
        ballast.unlink()
        for earlier in taken:
            assert {item["state"] for item in server.status(earlier)["items"]} == {"completed"}
        server.await_health()
        assert server.edit("x.fits", {"generic": {"SOAK0": -7}})["state"] == "completed"


@pytest.mark.crash
def test_a_server_outlasts_the_stop_of_its_database_by_a_full_disk() -> None:
    with cramped_server() as (server, disk):
        ballast = fill(disk)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ArmillaryError)):
            # The next segment of the log has no room, whereupon PostgreSQL stops.
            server.act(write_on_and_on)
        await_health(server, tells_of_the_full_disk)
        refusal = posted(server, 1)
        assert (refusal.status_code, refusal.json()[0]["error"]) == (503, REFUSED)
        ballast.unlink()
        server.await_health()
        assert server.edit("x.fits", {"generic": {"SOAK0": -7}})["state"] == "completed"


def tells_of_the_full_disk(health: dict[str, Any]) -> bool:
    """Tell whether the disk is said to be full: by a server that cannot start, or by one that could."""
    return health.get("code") == "database_full" or health.get("status") == "refusing"


async def write_on_and_on(context: Context) -> None:
    while True:
        async with context.database.raw() as connection:
            await connection.execute("SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000))")
