"""The scripts of the old queue are installed under their names and do as their old flags say."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from armillary.archive.intake import bulk
from armillary.base.database import Role
from armillary.base.work import NewOrder, submit
from armillary.context import Context, open_context
from armillary.settings import DatabaseSettings, Settings
from tests.support.archive import put
from tests.support.command import ENVIRONMENT, PATIENCE_S, Said, finish
from tests.support.patience import in_time
from tests.support.postgres import server_account
from tests.support.premade import prepare

T = TypeVar("T")
FILEOPS, INGEST = "service_fileops_queue", "service_ingest_queue"


class Scripts:
    """The scripts on one data directory, and a hand in its queue."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def start(self, script: str, *words: str | Path) -> subprocess.Popen[str]:
        """Start a script as a unit file does: by its installed name."""
        return subprocess.Popen(
            [str(Path(sys.executable).with_name(script)), *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT | {"ARMILLARY_DATA": str(self.data)},
        )

    def run(self, script: str, *words: str | Path, code: int = 0) -> Said:
        """Run a script to its end."""
        said = finish(self.start(script, *words))
        assert said.code == code, said
        assert "Traceback" not in said.err, said.err
        return said

    def act(self, action: Callable[[Context], Awaitable[T]]) -> T:
        """Do something with the archive."""
        settings = Settings(data=self.data, database=DatabaseSettings(account=server_account()))

        async def body() -> T:
            async with open_context(settings, Role.WORKER, application="armillary test") as context:
                return await action(context)

        return asyncio.run(body())

    def queue(self, *texts: str) -> None:
        """Queue orders that are answered with these texts."""

        async def action(context: Context) -> None:
            async with context.database.begin() as connection:
                orders = [NewOrder(kind="echo", args={"echo": text}) for text in texts]
                await submit(connection, orders, keyed_fifo=False)

        self.act(action)

    def queue_files(self, *paths: Path) -> None:
        """Queue the intake of files."""

        async def action(context: Context) -> None:
            await bulk.submit_paths(
                context, list(paths), copy=True, force=False, in_place=False, watched=None
            )

        self.act(action)

    def orders(self) -> list[tuple[str, str, Any]]:
        """Return kind, state and answer of all orders."""

        async def action(context: Context) -> list[tuple[str, str, Any]]:
            query = "SELECT kind, state, response->'value' AS value FROM work_order ORDER BY id"
            async with context.database.begin() as connection:
                return [tuple(row) for row in (await connection.exec_driver_sql(query)).all()]

        return self.act(action)


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(prepare(tmp_path / "data"))


def test_one_order_or_all_of_them(scripts: Scripts) -> None:
    scripts.queue("there", "and", "back")
    scripts.run(INGEST, "--empty")
    assert [state for _, state, _ in scripts.orders()] == ["Queued"] * 3
    scripts.run(FILEOPS, "--oneshot", "--debug", "--daemon", "--name=fq1")
    assert scripts.orders() == [
        ("echo", "Completed", "there"),
        ("echo", "Queued", None),
        ("echo", "Queued", None),
    ]
    scripts.run(FILEOPS, "--empty")
    assert [value for _, _, value in scripts.orders()] == ["there", "and", "back"]
    # With nothing to do it does not wait for something.
    scripts.run(FILEOPS, "--oneshot", "--demon")


def test_files_are_for_the_ingest_queue(scripts: Scripts, tmp_path: Path) -> None:
    scripts.queue_files(put(tmp_path / "a.fits"), put(tmp_path / "b.fits"))
    scripts.run(FILEOPS, "--empty")
    assert scripts.orders() == [("ingest", "Queued", None)] * 2
    scripts.run(INGEST, "--oneshot")
    states = [(kind, state) for kind, state, _ in scripts.orders()]
    assert sorted(states) == [
        ("ingest", "Completed"),
        ("ingest", "Queued"),
        ("preview", "Queued"),
    ]
    scripts.run(INGEST, "--empty")
    assert {state for _, state, _ in scripts.orders()} == {"Completed"}
    assert len(scripts.orders()) == 4


def held(path: Path, pid: int) -> None:
    """Wait until a process has written its id into a lock file."""
    end = time.monotonic() + PATIENCE_S
    while not path.exists() or path.read_text() != f"{pid}\n":
        in_time(end)
        time.sleep(0.02)


def at_work(scripts: Scripts) -> None:
    """Wait until somebody has done all that was queued: before that a signal may come too early to be heeded."""
    end = time.monotonic() + PATIENCE_S
    while {state for _, state, _ in scripts.orders()} != {"Completed"}:
        in_time(end)
        time.sleep(0.02)


def test_a_lock_file_lets_one_run_and_outlives_no_kill(scripts: Scripts, tmp_path: Path) -> None:
    lock = tmp_path / "fileops.lock"
    first = scripts.start(FILEOPS, "--lockfile", lock)
    held(lock, first.pid)
    refused = scripts.run(FILEOPS, "--lockfile", lock, "--empty", code=1)
    assert f"Process {first.pid} holds {lock}" in " ".join(refused.err.split())
    scripts.run(INGEST, "--lockfile", "--empty")

    first.kill()
    finish(first)
    assert lock.read_text() == f"{first.pid}\n"
    second = scripts.start(FILEOPS, "--lockfile", lock, "--daemon")
    held(lock, second.pid)
    scripts.queue("are you there?")
    at_work(scripts)
    second.send_signal(signal.SIGTERM)
    said = finish(second)
    assert (said.code, said.out) == (0, "")
    assert not lock.exists()


def test_a_lock_file_without_a_name_is_that_of_the_script(scripts: Scripts, tmp_path: Path) -> None:
    running = scripts.start(INGEST, "--lockfile", "--name", "siq1")
    held(scripts.data / "siq1.lock", running.pid)
    assert "siq1.lock" in " ".join(scripts.run(INGEST, "--name", "siq1", "--lockfile", code=1).err.split())
    scripts.run(INGEST, "--name", "siq2", "--lockfile", "--empty")
    scripts.queue_files(put(tmp_path / "a.fits"))
    at_work(scripts)
    running.send_signal(signal.SIGTERM)
    assert finish(running).code == 0


def test_flags_that_contradict_each_other_are_refused(scripts: Scripts) -> None:
    assert "not allowed with" in scripts.run(FILEOPS, "--oneshot", "--empty", code=2).err
    assert "--lockfile" in scripts.run(FILEOPS, "--help").out
