"""Real processes are killed at random instants; afterwards every file is complete."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from armillary.base.store.local import LocalStore
from tests.service.store.conftest import MakeStore
from tests.service.store.patching_child import EVEN, ODD, content
from tests.support.stores import names_in

REPOSITORY = Path(__file__).parents[3]
KEYS = ["a.fits", "b.fits", "night/c.fits"]
KILLS = 12
PATIENCE_S = 30.0


def start(files: Path, private: Path, kind: str, seed: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.service.store.patching_child"]
    command += [str(files), str(private), kind, str(seed), *KEYS]
    child = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def kill_later(child: subprocess.Popen[str], delay_s: float, *, at_least: int = 0) -> int:
    """Kill the process some time after it has finished ``at_least`` rounds; return how many it had."""
    rounds: list[str] = []
    assert child.stdout is not None
    reader = threading.Thread(target=lambda: rounds.extend(child.stdout or ()))
    reader.start()
    deadline = time.monotonic() + PATIENCE_S
    while len(rounds) < at_least and time.monotonic() < deadline:
        time.sleep(0.001)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(delay_s)
    child.send_signal(signal.SIGKILL)
    child.wait()
    reader.join()
    child.stdout.close()
    return len(rounds)


async def write_all(store: LocalStore) -> None:
    for key in KEYS:
        await store.write(key, EVEN)


async def assert_complete(store: LocalStore, kind: str) -> None:
    for key in KEYS:
        assert await content(store, key) in (EVEN, ODD[kind]), key


def assert_tidy(files: Path, private: Path) -> None:
    found = sorted(str(p.relative_to(files)) for p in files.rglob("*") if p.is_file())
    assert found == sorted(KEYS)
    # The note of a temporary that was not made yet, or is renamed already, stays for a minute.
    assert not any((files / note.readlink()).exists() for note in (private / "temporary").iterdir())
    assert names_in(private / "journal") == []


@pytest.mark.crash
@pytest.mark.parametrize("reads_first", [False, True], ids=["recovered", "opened"])
@pytest.mark.parametrize("kind", ["blocks", "growth", "copy"])
async def test_files_are_complete_after_kills(
    make_store: MakeStore, files: Path, private: Path, kind: str, reads_first: bool
) -> None:
    chance = random.Random()
    store = make_store(in_place=kind != "copy", lock_wait_s=5.0)
    await write_all(store)
    rounds = 0
    for number in range(KILLS):
        child = start(files, private, kind, chance.randrange(2**30))
        # However busy the machine is, some of the killed have done work before.
        rounds += kill_later(child, chance.uniform(0.0, 0.06), at_least=number % 3)
        if reads_first:
            await assert_complete(store, kind)
        said = await store.recover()
        assert not any("left alone" in sentence for sentence in said), said
        await assert_complete(store, kind)
        assert_tidy(files, private)
    assert rounds >= KILLS


@pytest.mark.crash
@pytest.mark.parametrize("kind", ["blocks", "growth"])
async def test_survivors_work_on_beside_killed_processes(
    make_store: MakeStore, files: Path, private: Path, kind: str
) -> None:
    chance = random.Random()
    store = make_store(lock_wait_s=5.0)
    await write_all(store)
    survivor = start(files, private, kind, 1)
    for _ in range(4):
        kill_later(start(files, private, kind, chance.randrange(2**30)), chance.uniform(0.0, 0.1))
        await assert_complete(store, kind)
    assert survivor.poll() is None
    assert kill_later(survivor, 0.05, at_least=5) > 4
    await store.recover()
    await assert_complete(store, kind)
    assert_tidy(files, private)
