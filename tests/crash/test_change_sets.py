"""A change set whose workers are killed again and again ends as if nobody had been: every file edited once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from armillary.archive.catalog import service as catalog
from armillary.archive.intake import bulk
from armillary.archive.intake.verification import verify_files
from armillary.base.database import Role
from armillary.base.work import NewOrder, Worker, submit
from armillary.base.work.admin import cancel
from armillary.commands.work import KINDS
from armillary.context import Context, open_context
from armillary.edits.changesets import service
from armillary.edits.changesets.models import Action, FileState, Wanted
from armillary.edits.models import Origin
from armillary.settings import DatabaseSettings, Settings, WorkSettings
from tests.support.archive import put
from tests.support.headers import a_primary
from tests.support.kills import kill
from tests.support.patience import in_time
from tests.support.postgres import server_account

FILES, KILLS, WAIT_S = 600, 4, 900.0
ATTEMPTS = 20
"""More than kills alone use up: where the machine pauses for longer than a lease, more are needed."""
HELD = "f0300.fits"
ORIGIN = Origin("siege", "", "killed")


@contextmanager
def a_worker(data: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker process and kill it at the end."""
    environment = os.environ | {
        "ARMILLARY_DATABASE__ACCOUNT": server_account(),
        "ARMILLARY_WORK__LEASE_S": "1",
        "ARMILLARY_WORK__RETRY_FIRST_S": "0.05",
        "ARMILLARY_WORK__MAX_ATTEMPTS": str(ATTEMPTS),
        "ARMILLARY_LOG": "ERROR",
    }
    command = [sys.executable, "-m", "armillary", "worker", "--data", str(data)]
    process = subprocess.Popen(command, env=environment, cwd="/")
    try:
        yield process
    finally:
        kill(process.pid)
        process.wait()


async def done(context: Context, change_set: int, through: Sequence[FileState]) -> tuple[str, int]:
    """Return the state of a change set, and how many of its files have come so far."""
    async with context.database.begin() as connection:
        known = await service.document(connection, change_set)
    files: Mapping[FileState, int] = getattr(known, "files", {})
    return known.state, sum(files.get(state, 0) for state in through)


async def hold(context: Context) -> int:
    """Let one file wait behind an order that is not due, so that no change set ends before; return the order."""
    later = context.clock.now() + timedelta(days=1)
    async with context.database.begin() as connection:
        version = await catalog.find_version(connection, HELD)
        order = NewOrder(kind="echo", args={}, key=version.location.file_key, not_before=later)
        (number,) = await submit(connection, [order], keyed_fifo=True)
    return number


async def release(context: Context, order: int) -> None:
    """Let the file wait no longer."""
    async with context.database.begin() as connection:
        assert await cancel(connection, order, "no longer held", keep_s=0)


async def besiege(context: Context, change_set: int, end: str, *through: FileState) -> None:
    """Kill workers, one at least, while files of a change set come ``through``, until it has come to its end."""
    killed, before, limit = 0, 0, time.monotonic() + WAIT_S
    holder = await hold(context)
    while True:
        if killed == 1:
            await release(context, holder)
        with a_worker(context.settings.data):
            while True:
                state, count = await done(context, change_set, through)
                if state == end:
                    assert killed
                    return
                if killed < KILLS and count > before:
                    killed, before = killed + 1, count
                    break
                in_time(limit, (state, count))
                await asyncio.sleep(0.01)


async def scalars(context: Context, query: str) -> list[object]:
    async with context.database.begin() as connection:
        return list((await connection.execute(text(query))).scalars().all())


@pytest.mark.crash
async def test_killed_workers_edit_every_file_once_and_take_every_edit_back(tmp_path: Path) -> None:
    for number in range(FILES):
        put(tmp_path / "in" / f"f{number:04d}.fits", a_primary(f"OBJECT  = 'M {number % 7}'"))
    settings = Settings(
        data=tmp_path / "data",
        database=DatabaseSettings(account=server_account()),
        work=WorkSettings(lease_s=1.0, retry_first_s=0.05, max_attempts=ATTEMPTS),
    )
    async with open_context(settings, Role.WORKER, application="armillary test") as context:
        started = await bulk.submit_paths(context, [tmp_path / "in"], copy=False, force=False, in_place=True)
        await Worker(context, KINDS, name="test").run_until(list(started.orders))
        wanted = Wanted(values={"generic": {"OBJECT": "M 33", "NEW": 1}}, selection=("present",))
        async with context.database.begin() as connection:
            change_set = await service.ask(connection, context, wanted, ORIGIN)
        await besiege(context, change_set, "completed", FileState.CHANGED, FileState.FAILED)
        per_file = "SELECT count(*) FROM edit WHERE outcome = 'changed' GROUP BY file_id"
        assert await scalars(context, per_file) == [1] * FILES
        assert await scalars(context, "SELECT count(*) FROM version GROUP BY file_id") == [2] * FILES
        assert all(b"'M 33" in path.read_bytes() for path in (tmp_path / "in").iterdir())

        async with context.database.begin() as connection:
            await service.act(connection, change_set, Action.REVERT, actor="siege")
        await besiege(context, change_set, "reverted", FileState.REVERTED)
        assert await scalars(context, per_file) == [2] * FILES
        assert [one.problem async for one in verify_files(context, ()) if one.problem] == []
        for number in range(FILES):
            found = (tmp_path / "in" / f"f{number:04d}.fits").read_bytes()
            assert found == a_primary(f"OBJECT  = 'M {number % 7}'")
