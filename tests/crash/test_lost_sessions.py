"""A worker that loses its sessions in the middle of a write keeps its order; one that dies at that does not."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Root
from armillary.archive.intake import bulk
from armillary.base.database import Role
from armillary.base.store import LocalStore
from armillary.base.store.files import SystemFiles
from armillary.base.store.locks import PathLocks
from armillary.base.work import Worker, statements, wait_for
from armillary.context import Context, open_context
from armillary.edits.kinds import KINDS
from armillary.settings import Settings
from tests.crash.clients import Promises
from tests.crash.judgement import judge, rows
from tests.crash.night import Night, frame_bytes
from tests.crash.tree import DEFAULTS
from tests.support.archive import ORIGIN
from tests.support.edits import accept_one
from tests.support.kills import kill
from tests.support.nursery import Nursery
from tests.support.patience import in_time
from tests.support.premade import prepare

PATIENCE_S = 300.0
CUT = "armillary cut off"
END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"
ORDER = """
SELECT state, lease_owner, fence, attempts, extract(epoch FROM lease_until)::float8 AS lease_until,
    extract(epoch FROM finished)::float8 AS finished
FROM work_order WHERE id = $1
"""


class PausingFiles(SystemFiles):
    """Real files; the first change of a FITS file stops in the middle until it is told to go on."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def write_at(self, fd: int, data: bytes | memoryview, offset: int) -> None:
        if self.begun.is_set() or Path(f"/proc/self/fd/{fd}").readlink().suffix != ".fits":
            super().write_at(fd, data, offset)
            return
        half = len(data) // 2
        super().write_at(fd, data[:half], offset)
        self.begun.set()
        assert self.go_on.wait(PATIENCE_S)
        super().write_at(fd, data[half:], offset + half)


async def edit(context: Context, number: int, name: str) -> int:
    generic = [["SOAK0", number], ["HISTORY", f"order {number}"]]
    return (await accept_one(context, {"generic": generic}, name, ORIGIN)).order_ids[0]


async def order_of(context: Context, number: int) -> Any:
    return (await rows(context, ORDER, number))[0]


async def until_started(context: Context, number: int) -> Any:
    end = time.monotonic() + PATIENCE_S
    while (found := await order_of(context, number))["state"] != "Started":
        in_time(end, found)
        await asyncio.sleep(0.02)
    return found


async def until_rest(context: Context) -> None:
    """Wait until digests and previews have been made, too: who is killed now would leave them begun."""
    end = time.monotonic() + PATIENCE_S
    while found := await rows(
        context, "SELECT id, kind FROM work_order WHERE state IN ('Queued', 'Started')"
    ):
        in_time(end, found)
        await asyncio.sleep(0.05)


async def until_gone(context: Context, owner: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not await rows(context, statements.GONE, [owner]):
        in_time(end, f"{owner} has a session")
        await asyncio.sleep(0.02)


@asynccontextmanager
async def a_night(directory: Path) -> AsyncIterator[tuple[Context, Context, Night]]:
    """Open an archive twice, as two processes do, with one root of two files."""
    account = {"account": DEFAULTS["ARMILLARY_DATABASE__ACCOUNT"]}
    settings = Settings.model_validate({"data": prepare(directory / "data"), "database": account})
    place = directory / "night"
    night = Night(place, place, {"x.fits": frame_bytes(1), "y.fits": frame_bytes(2)})
    place.mkdir()
    for name, content in night.contents.items():
        (place / name).write_bytes(content)
    async with (
        open_context(settings, Role.WORKER, application="armillary test") as context,
        open_context(settings, Role.WORKER, application=CUT) as cut,
    ):
        run = await bulk.submit_paths(context, [place], copy=False, force=False, in_place=True)
        nursery = Nursery(settings.data, DEFAULTS)
        try:
            nursery.spawn("first")
            await wait_for(context.database, context.signals, list(run.orders), PATIENCE_S)
            # A preview that reads a file later on would cost an edit of it an attempt.
            await until_rest(context)
        finally:
            nursery.close()
        yield context, cut, night


async def private_of(context: Context) -> tuple[Root, Path]:
    """Return the root and its private directory."""
    async with context.database.begin() as connection:
        (root,) = [one for one in await catalog.list_roots(connection) if one.name not in catalog.OWN]
    return root, context.settings.data / "private" / root.name


async def a_death(context: Context, nursery: Nursery, locks: PathLocks) -> None:
    """Let a worker die in an edit of y.fits, and see the other one take it over and end it."""
    pids = [nursery.spawn(f"worker-{number}") for number in range(2)]
    assert locks.try_all(["y.fits"]) is None
    order = await edit(context, 2, "y.fits")
    held = await until_started(context, order)
    (victim,) = [pid for pid in pids if f"-{pid}-" in held["lease_owner"]]
    assert kill(victim)
    locks.close()
    await wait_for(context.database, context.signals, [order], PATIENCE_S)
    found = await order_of(context, order)
    assert (found["state"], found["attempts"]) == ("Completed", 1)
    assert found["finished"] < held["lease_until"]


@pytest.mark.crash
async def test_a_living_worker_without_sessions_keeps_what_it_writes(tmp_path: Path) -> None:
    async with a_night(tmp_path) as (context, cut, night):
        root, private = await private_of(context)
        files, stop = PausingFiles(), asyncio.Event()
        cut.stores.opened[root.name] = LocalStore(root.path, private, in_place=True, files=files)
        writer = Worker(cut, KINDS, name="cut", slots=1)
        writing = asyncio.create_task(writer.run(stop))
        nursery = Nursery(context.settings.data, DEFAULTS)
        locks = PathLocks(private / "locks")
        try:
            order = await edit(context, 1, "x.fits")
            assert await asyncio.to_thread(files.begun.wait, PATIENCE_S)
            held = await order_of(context, order)
            await rows(context, END_SESSIONS, CUT)
            await until_gone(context, writer.owner)
            await a_death(context, nursery, locks)
            # The others look for the dead, then, and have not found one in the writer. That one looks, too, and
            # may have a session again by now.
            found = await order_of(context, order)
            assert (found["state"], found["lease_owner"]) == ("Started", writer.owner)
            assert found["fence"] == held["fence"]
            files.go_on.set()
            await wait_for(context.database, context.signals, [order], PATIENCE_S)
            await until_rest(context)
        finally:
            files.go_on.set()
            nursery.close()
            stop.set()
            await writing
        broken = await judge(context, night, Promises())
        assert not broken, "\n".join(broken)
        edits = await rows(context, "SELECT order_id, outcome FROM edit ORDER BY order_id")
        assert [row["outcome"] for row in edits] == ["changed", "changed"]
