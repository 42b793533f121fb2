"""`armillary status` beside a running program, and without one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx

from tests.support.archive import put
from tests.support.command import Commands


def test_status_works_beside_a_running_program_and_without_one(tmp_path: Path) -> None:
    commands = Commands(tmp_path / "data")
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
        running = commands.run("status", "--json").json()
        assert running["up"]
        workers = {one["name"]: one for one in running["workers"] if one["alive"]}
        assert set(workers) == {"worker-1", "worker-2"}
        assert "none alive" not in commands.run("status").out
        with httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
            told = client.get("/v1/status", headers={"Authorization": f"Bearer {admin}"})
            assert told.json()["totals"] == running["totals"]
            assert client.get("/v1/status").status_code == 401
            assert client.get("/v1/status", headers={"Authorization": f"Bearer {reader}"}).status_code == 403
            assert "armillary_workers 2.0" in client.get("/v1/metrics").text
            # A worker that is killed without a word is not alive in the same instant.
            killed = workers["worker-1"]["pid"]
            os.kill(killed, signal.SIGKILL)
            pids = {one["pid"] for one in commands.run("status", "--json").json()["workers"] if one["alive"]}
            assert killed not in pids
