"""`armillary export`, without a running program and beside one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.archive import put
from tests.support.command import Commands
from tests.support.headers import a_file
from tests.support.old_server import SECRET, OldServer, Reply, old_server
from tests.support.patience import in_time
from tests.support.premade import prepare

NAMES = ("N20260101S0001.fits", "N20260101S0002.fits")


@pytest.fixture
def old() -> Iterator[OldServer]:
    with old_server() as server:
        yield server


@pytest.fixture
def commands(tmp_path: Path, old: OldServer) -> Commands:
    (tmp_path / "data").mkdir()
    secret_file = tmp_path / "upload.secret"
    secret_file.write_text(f"{SECRET}\n")
    (tmp_path / "data" / "armillary.toml").write_text(
        "[[exports.destinations]]\n"
        f'name = "old"\nurl = "{old.url}"\npattern = "none"\nupload_secret = "file:{secret_file}"\n'
    )
    for name in NAMES:
        put(tmp_path / "in" / name, a_file())
    return Commands(prepare(tmp_path / "data"))


def test_a_selection_is_sent_listed_and_tried_again(
    commands: Commands, tmp_path: Path, old: OldServer
) -> None:
    commands.run("ingest", tmp_path / "in")
    said = commands.run("export", "send", "N20260101/present", "--to", "old")
    assert said.out == "2 queued for old; see `armillary export list`\n"
    assert {name for _, name in old.files} == set(NAMES)
    shown = commands.run("export", "list").out.splitlines()
    assert sorted(shown) == [f"there    old          {name}: {_sent(old, name)}" for name in NAMES]
    old.files.clear()
    old.say("jsonfilelist", Reply(500))
    assert commands.run("export", "send", NAMES[0], "--to", "old", "--json").json() == {"queued": 1}
    (waiting,) = commands.run("export", "list", "--to", "old", "--json").json()["waiting"]
    assert waiting["error"].endswith("status 500")
    said = commands.run("export", "destinations")
    assert said.out.startswith(f"old          {old.url}  1 waiting  away until ")
    assert waiting["error"] in said.out
    assert commands.run("export", "retry", "--json").json() == {"retried": 1}
    assert ("", NAMES[0]) in old.files


def _sent(old: OldServer, name: str) -> str:
    return f"bytes, {len(old.files['', name])} bytes sent"


def test_a_running_program_sends_what_a_command_queues(
    commands: Commands, tmp_path: Path, old: OldServer
) -> None:
    with commands.up():
        commands.run("ingest", tmp_path / "in")
        commands.run("export", "send", NAMES[0], "--to", "old")
        end = time.monotonic() + 60
        while ("", NAMES[0]) not in old.files:
            in_time(end)
            time.sleep(0.05)
    assert set(old.files) == {("", NAMES[0])}


def test_mistakes_are_told_with_the_remedy(commands: Commands, tmp_path: Path) -> None:
    commands.run("ingest", tmp_path / "in")
    said = commands.run("export", "send", NAMES[0], "--to", "olf", code=1)
    assert "No destination 'olf' is configured. Did you mean 'old'?" in said.err
    said = commands.run("export", "send", "N20250101S0001.fits", "--to", "old", code=1)
    assert "no present file fits the selection" in said.err
