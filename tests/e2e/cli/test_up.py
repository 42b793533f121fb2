"""`armillary up` from its one line to its clean end."""

from __future__ import annotations

import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from armillary.commands.demo import SITES
from tests.support.archive import put
from tests.support.command import (
    PATIENCE_S,
    Commands,
    address_of,
    await_rest,
    databases_of,
    finish,
    servers_of,
)
from tests.support.patience import in_time

CUBES = 24
"""Of the day at a solar telescope."""


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(tmp_path / "data")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_up_says_one_line_and_stops_with_its_database(commands: Commands, number: signal.Signals) -> None:
    process = commands.start("up", "--port", "0")
    address = address_of(process)
    assert httpx.get(f"{address}/v1/frames", trust_env=False, timeout=PATIENCE_S).status_code == 200
    assert len(servers_of(commands.data)) > 3
    assert databases_of(commands.data) != []
    process.send_signal(number)
    said = finish(process)
    assert (said.out, said.code) == ("", 0)
    assert "killed" not in said.err
    assert databases_of(commands.data) == []
    await_rest(commands.data)


def test_what_cannot_start_says_why(commands: Commands) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = commands.run("up", "--port", port, code=1)
    assert f"Port {port}" in said.err
    assert "choose another with --port" in said.err
    with commands.up():
        said = commands.run("up", "--port", "0", code=1)
        assert "runs on" in said.err
        assert "stop it first" in said.err


def test_a_mistyped_directory_is_not_made(commands: Commands) -> None:
    for words in (
        ("search",),
        ("edit", "a.fits", "A=1"),
        ("history", "a.fits"),
        ("verify",),
        ("token", "list"),
    ):
        said = commands.run(*words, code=1)
        assert f"There is no archive in {commands.data}" in said.err
        assert "Check --data" in said.err
    assert not commands.data.exists()


def test_two_commands_at_once_share_a_database_that_stops_after_them(
    commands: Commands, tmp_path: Path
) -> None:
    for night in "abc":
        put(tmp_path / night / f"{night}.fits")
    running = [commands.start("ingest", tmp_path / night, "--json") for night in "abc"]
    for process in running:
        said = finish(process)
        assert said.code == 0, said
        assert json.loads(said.out) == {"ingested": 1, "skipped": 0, "failed": [], "contested": []}
    assert len(commands.run("search", "--json").json()["frames"]) == 3
    assert databases_of(commands.data) == []
    await_rest(commands.data)


def test_the_demonstration_fills_every_list_and_comes_once(commands: Commands) -> None:
    with commands.up("--demo") as (_, address):
        deadline = time.monotonic() + PATIENCE_S
        while not _reverted(address):
            in_time(deadline)
            time.sleep(0.1)
        # Nothing is reverted before everything is in.
        frames = _of_the_night(commands)
        assert len(frames) >= 5
        assert len({frame["instrument"] for frame in frames}) == 3
        assert {Path(frame["filename"]).suffix for frame in frames} >= {".fits", ".bz2", ".gz", ".fz"}
        assert commands.run("verify", "--json").json()["failed"] == []
        while not (told := _explained(commands)):
            in_time(deadline)
        assert told["card"]["source"] == "camera"
        assert told["edit"]["actor"] == "header service"
        assert told["value"] == told["image_id"] == told["file"].removesuffix("_R00_S00.fits")
        deadline = time.monotonic() + PATIENCE_S
        while len(_of_the_day(commands)) < CUBES:
            in_time(deadline)
    assert len(_of_the_day(commands)) == CUBES, "the one that was exported again took the place of another"
    process = commands.start("up", "--port", "0", "--demo")
    address_of(process)
    assert process.stderr is not None
    assert any("demonstration night is in" in line for line in process.stderr)
    assert any("solar telescope is in" in line for line in process.stderr)
    assert _names(_of_the_night(commands)) == _names(frames)
    assert len(_of_the_day(commands)) == CUBES
    process.send_signal(signal.SIGTERM)
    said = finish(process)
    assert said.code == 0
    assert "stopped" not in said.err


def _explained(commands: Commands) -> dict[str, Any] | None:
    """Return where the OBSID of a raw image comes from, as soon as its header has been merged into it."""
    frames = commands.run("search", "--name", "SP_*", "--json").json()["frames"]
    merged = [one["name"] for one in frames if one["instrument"]]
    if not merged:
        return None
    (told,) = commands.run("explain", merged[0], "OBSID", "--json").json()
    return told if told["card"] else None


def _names(frames: list[dict[str, Any]]) -> set[str]:
    return {frame["name"] for frame in frames}


def _of_the_day(commands: Commands) -> list[dict[str, Any]]:
    """Return the frames of the day at a solar telescope."""
    return [one for name in ("CRISP", "CHROMIS") for one in _found(commands, "--instrument", name)]


def _found(commands: Commands, *conditions: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = commands.run("search", *conditions, "--json").json()["frames"]
    return found


def _of_the_night(commands: Commands) -> list[dict[str, Any]]:
    """Return the frames of the demonstration's night, without those that others of it send meanwhile."""
    frames = commands.run("search", "--json", "--limit", "500").json()["frames"]
    others = (*SITES, "SP_", "nb_")
    return [frame for frame in frames if not frame["name"].startswith(others)]


def _reverted(address: str) -> bool:
    """Tell whether an edit has been taken back; a command asked so often would hold the demonstration up."""
    with httpx.Client(base_url=address, trust_env=False, timeout=PATIENCE_S) as client:
        frames = client.get("/v1/frames", params={"name": "N*", "limit": "500"}).json()["frames"]
        names = sorted(frame["name"] for frame in frames)
        pasts = [client.get(f"/v1/files/{name}/versions").json()["versions"] for name in names[:2]]
    return any(version["origin"] == "revert" for past in pasts for version in past)


def test_a_watched_folder_is_taken_in_by_a_running_program(commands: Commands, tmp_path: Path) -> None:
    folder = tmp_path / "incoming"
    folder.mkdir()
    with commands.up():
        assert commands.run("ingest", "--watch", folder).out == "0 ingested, 0 skipped, 0 failed\n"
        put(folder / "new.fits")
        deadline = time.monotonic() + PATIENCE_S
        while not commands.run("search", "--json").json()["frames"]:
            in_time(deadline)
    commands.run("ingest", "--watch", "--copy", folder, code=2)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_an_unreadable_file_is_named_and_the_others_get_in(tmp_path: Path) -> None:
    stranger = pwd.getpwnam("nobody")
    for place in (*reversed(tmp_path.parents), tmp_path):
        if str(place).startswith("/tmp/pytest") and place.stat().st_mode & 0o005 != 0o005:
            place.chmod(0o755)
    trial = [sys.executable, "-c", "import armillary.cli"]
    try:
        subprocess.run(
            trial, user=stranger.pw_uid, group=stranger.pw_gid, cwd="/", check=True, capture_output=True
        )
    except (PermissionError, subprocess.CalledProcessError):
        pytest.skip("another account cannot run this Python")
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, stranger.pw_uid, stranger.pw_gid)
    put(home / "in" / "fine.fits")
    secret = put(home / "in" / "secret.fits")
    secret.chmod(0)
    closed = home / "in" / "closed"
    closed.mkdir(mode=0o700)
    options = {"user": stranger.pw_uid, "group": stranger.pw_gid, "extra_groups": [], "cwd": home}
    said = Commands(home / "data").run("ingest", home / "in", "--json", code=1, **options).json()
    assert said["ingested"] == 1
    errors = {one["path"]: one["error"] for one in said["failed"]}
    assert set(errors) == {str(secret), str(closed)}
    assert "permission denied; let the account" in errors[str(secret)]
    assert "check the permissions of the directory" in errors[str(closed)]
