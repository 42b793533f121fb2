"""`armillary status` beside a running program, and without one."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import httpx

from tests.support.archive import put
from tests.support.command import PATIENCE_S, Commands
from tests.support.kills import wait_gone
from tests.support.patience import in_time
from tests.support.premade import prepare


def alive(commands: Commands) -> list[dict[str, Any]]:
    """Return the workers that are alive."""
    return [one for one in commands.run("status", "--json").json()["workers"] if one["alive"]]


def until_both_work(commands: Commands) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the status as soon as two workers are alive, and these by name."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = commands.run("status", "--json").json()
        workers = {one["name"]: one for one in found["workers"] if one["alive"]}
        if set(workers) == {"worker-1", "worker-2"}:
            return found, workers
        in_time(deadline, found["workers"])


def test_status_works_beside_a_running_program_and_without_one(tmp_path: Path) -> None:
    commands = Commands(prepare(tmp_path / "data"))
    put(tmp_path / "night" / "n1.fits")
    put(tmp_path / "night" / "bad.fits", b"no FITS at all")
    commands.run("ingest", tmp_path / "night", code=1)

    resting = commands.run("status", "--json").json()
    assert (resting["up"], resting["workers"]) == (False, [])
    assert resting["totals"]["files"] == 1
    (failure,) = resting["failures"]
    assert failure["file"] == "bad.fits"
    assert "FITS" in failure["reason"]
    screen = commands.run("status").out
    assert "not running" in screen
    assert "none alive" in screen
    assert "bad.fits" in screen

    admin = commands.run("token", "create", "operator", "--scope", "admin").out.strip()
    reader = commands.run("token", "create", "reader", "--scope", "read").out.strip()
    with commands.up() as (_, address):
        # It is ready as soon as it serves; its workers may need a moment more.
        running, workers = until_both_work(commands)
        assert running["up"]
        assert "none alive" not in commands.run("status").out
        with httpx.Client(base_url=address, trust_env=False, timeout=PATIENCE_S) as client:
            told = client.get("/v1/status", headers={"Authorization": f"Bearer {admin}"})
            assert told.json()["totals"] == running["totals"]
            assert client.get("/v1/status").status_code == 401
            assert client.get("/v1/status", headers={"Authorization": f"Bearer {reader}"}).status_code == 403
            assert "armillary_workers 2.0" in client.get("/v1/metrics").text
            # A worker that is killed without a word counts as dead once the database has seen it go.
            killed = workers["worker-1"]["pid"]
            os.kill(killed, signal.SIGKILL)
            wait_gone({killed})
            deadline = time.monotonic() + PATIENCE_S
            while killed in {one["pid"] for one in alive(commands)}:
                in_time(deadline)
