"""Work in a child process ends well, or badly, or is ended, and never takes its parent along."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from armillary.base.sandbox.errors import ChildDied, OutOfMemory, OutOfTime
from armillary.base.sandbox.pool import Ask, Sandbox
from armillary.errors import BadRequest
from tests.support import strange_work
from tests.support.kills import wait_gone
from tests.support.patience import in_time

REPOSITORY = Path(__file__).resolve().parents[3]
MEMORY, PATIENCE_S = 256 << 20, 300.0


@pytest.fixture(autouse=True)
def _let_children_find_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    one = Sandbox(children=1)
    yield one
    one.close()


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "file"
    path.write_bytes(b"the bytes of strangers")
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


async def call(
    sandbox: Sandbox, function: Callable[..., Any], fd: int, *args: Any, seconds: float = PATIENCE_S
) -> Any:
    def work(ask: Ask) -> Any:
        return ask(function, fd, *args)

    return await sandbox.run(work, memory=MEMORY, seconds=seconds)


async def noted(path: Path) -> int:
    """Return the process that a piece of work wrote down."""
    end = time.monotonic() + PATIENCE_S
    while not path.exists():
        in_time(end)
        await asyncio.sleep(0.01)
    return int(path.read_text())


async def gone(child: int) -> None:
    """Wait until a process has ended, and let the event loop go on meanwhile."""
    await asyncio.to_thread(wait_gone, {child})


async def test_one_child_does_one_piece_of_work_after_the_other(sandbox: Sandbox, fd: int) -> None:
    found, child = await call(sandbox, strange_work.read, fd, 9)
    assert found == b"the bytes"
    assert child != os.getpid()
    assert await call(sandbox, strange_work.read, fd, 3) == (b"the", child)
    with pytest.raises(BadRequest, match="not so"):
        await call(sandbox, strange_work.refuse, fd, "not so")
    with pytest.raises(RuntimeError, match="KeyError: 'what'"):
        await call(sandbox, strange_work.stumble, fd)
    with pytest.raises(RuntimeError, match="cannot be handed over"):
        await call(sandbox, strange_work.bewilder, fd)
    assert await call(sandbox, strange_work.read, fd, 3) == (b"the", child)
    sandbox.close()
    wait_gone({child})


async def test_memory_is_refused_and_the_next_work_gets_a_new_child(sandbox: Sandbox, fd: int) -> None:
    assert await call(sandbox, strange_work.hoard, fd, MEMORY // 2) == MEMORY // 2
    _, child = await call(sandbox, strange_work.read, fd, 1)
    with pytest.raises(OutOfMemory):
        await call(sandbox, strange_work.hoard, fd, 2 * MEMORY)
    wait_gone({child})
    _, another = await call(sandbox, strange_work.read, fd, 1)
    assert another != child


async def test_work_that_takes_too_long_is_killed(sandbox: Sandbox, fd: int, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with pytest.raises(OutOfTime):
        # What is shown is that it ends; a machine that is too slow to begin the work in time shows that, too.
        await call(sandbox, strange_work.idle, fd, str(note), seconds=3.0)
    if note.exists():
        wait_gone({int(note.read_text())})
    assert (await call(sandbox, strange_work.read, fd, 3))[0] == b"the"


async def test_work_that_is_cancelled_ends_at_once(sandbox: Sandbox, fd: int, tmp_path: Path) -> None:
    task = asyncio.create_task(call(sandbox, strange_work.idle, fd, str(tmp_path / "pid")))
    child = await noted(tmp_path / "pid")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    wait_gone({child})
    assert (await call(sandbox, strange_work.read, fd, 3))[0] == b"the"


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
async def test_a_crash_is_told_by_its_signal(sandbox: Sandbox, fd: int, number: signal.Signals) -> None:
    with pytest.raises(ChildDied, match=number.name):
        await call(sandbox, strange_work.crash, fd, int(number))
    assert (await call(sandbox, strange_work.read, fd, 3))[0] == b"the"


async def test_work_that_fails_before_it_asks_leaves_the_child_to_others(sandbox: Sandbox, fd: int) -> None:
    _, child = await call(sandbox, strange_work.read, fd, 1)

    def work(_ask: Ask) -> None:
        raise BadRequest("nothing to ask")

    with pytest.raises(BadRequest):
        await sandbox.run(work, memory=MEMORY, seconds=PATIENCE_S)
    assert await call(sandbox, strange_work.read, fd, 3) == (b"the", child)


async def test_a_child_without_work_ends_by_itself(fd: int) -> None:
    sandbox = Sandbox(children=1, idle_s=0.01)
    _, child = await call(sandbox, strange_work.read, fd, 1)
    await gone(child)
    assert (await call(sandbox, strange_work.read, fd, 3))[0] == b"the"
    sandbox.close()


PARENT = """
import asyncio, os, sys
from armillary.base.sandbox.pool import Sandbox
from tests.support import strange_work
fd = os.open(os.devnull, os.O_RDONLY)
work = lambda ask: ask(strange_work.idle, fd, sys.argv[1])
asyncio.run(Sandbox().run(work, memory=1 << 28, seconds=3600))
"""


async def test_children_do_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, str(note))
    child = await noted(note)
    parent.kill()
    await parent.wait()
    await gone(child)
