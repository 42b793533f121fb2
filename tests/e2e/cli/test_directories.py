"""A data directory that is moved, and one that is copied: each archive changes its own files and no others."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from astropy.io import fits

from tests.support.archive import put, sha256
from tests.support.command import PATIENCE_S, Commands, Said, address_of, await_rest, finish
from tests.support.directories import copy
from tests.support.headers import a_file
from tests.support.kills import family, kill, wait_gone
from tests.support.patience import in_time
from tests.support.premade import prepare

CONTENT = a_file(cards=[("OBJECT", "M 1", "target")])


def move(one: Commands, name: str) -> Commands:
    """Move a data directory."""
    other = one.data.with_name(name)
    subprocess.run(["mv", one.data, other], check=True)
    return Commands(other)


def target_of(path: Path) -> str:
    """Return what a stored file says of its target, in the eyes of another reader."""
    return str(fits.getval(path, "OBJECT"))


@pytest.fixture
def original(tmp_path: Path) -> Commands:
    """An archive with a file in its store, and one in a tree that it has adopted."""
    commands = Commands(prepare(tmp_path / "original"))
    put(tmp_path / "night" / "own.fits", CONTENT)
    put(tmp_path / "tree" / "outside.fits", CONTENT)
    commands.run("ingest", "--copy", tmp_path / "night")
    commands.run("ingest", tmp_path / "tree")
    return commands


def edit_over_http(address: str, secret: str, name: str, target: str) -> None:
    """Change the target of a file, once it is there, and wait until that is done."""
    item = [{"filename": name, "values": {"generic": [["OBJECT", target]]}}]
    end, headers = time.monotonic() + PATIENCE_S, {"X-Api-Key": secret}
    with httpx.Client(base_url=address, trust_env=False, timeout=PATIENCE_S, headers=headers) as client:
        while not (answer := client.post("/update_headers", json=item)).json()[0]["result"]:
            assert "No present file" in answer.text
            in_time(end, answer.text)
            time.sleep(0.05)
        done: dict[str, Any] = {"done": False}
        while not done["done"]:
            in_time(end, done)
            done = client.get(answer.headers["Location"], params={"wait": 60}).json()
        assert done["items"][0]["state"] == "completed", done


def test_a_moved_directory_works_with_every_command(original: Commands, tmp_path: Path) -> None:
    original.run("edit", "own.fits", "OBJECT=M 2")
    moved = move(original, "moved")
    assert "2 frames" in moved.run("search").out
    assert moved.run("verify", "--json").json()["failed"] == []
    for name in ("own.fits", "outside.fits"):
        assert moved.run("edit", name, "OBJECT=M 31", "--json").json()["changed"] is True
    own, outside = moved.data / "store" / "own.fits", tmp_path / "tree" / "outside.fits"
    assert (target_of(own), target_of(outside)) == ("M 31", "M 31")
    assert moved.run("show", "own.fits", "--json").json()["stored"] == str(own)
    assert "M 2" in moved.run("revert", "own.fits").out
    assert target_of(own) == "M 2"
    put(tmp_path / "more" / "late.fits", CONTENT)
    assert "1 ingested" in moved.run("ingest", "--copy", tmp_path / "more").out
    secret = moved.run("token", "create", "ann", "--scope", "edit,upload").out.strip()
    with moved.up() as (_, address):
        edit_over_http(address, secret, "late.fits", "M 33")
        upload = httpx.post(
            f"{address}/upload_file/uploaded.fits",
            content=CONTENT,
            headers={"X-Api-Key": secret},
            trust_env=False,
            timeout=PATIENCE_S,
        )
        assert upload.status_code == 200, upload.text
        edit_over_http(address, secret, "uploaded.fits", "M 34")
    store = moved.data / "store"
    assert (target_of(store / "late.fits"), target_of(store / "uploaded.fits")) == ("M 33", "M 34")
    assert moved.run("verify", "--json").json()["failed"] == []
    assert not original.data.exists()


def refused(said: Said, name: str) -> None:
    """Expect that a command was refused, and that it says what to do."""
    assert f"armillary root claim {name}" in said.err, said


@pytest.mark.parametrize("while_running", [False, True], ids=["of one at rest", "of one that runs"])
def test_two_running_archives_edit_their_own_files(
    original: Commands, tmp_path: Path, while_running: bool
) -> None:
    secret = original.run("token", "create", "ann", "--scope", "edit").out.strip()
    if not while_running:
        copy(original.data, tmp_path / "copy")
    other = Commands(tmp_path / "copy")
    with original.up() as (_, address):
        edit_over_http(address, secret, "own.fits", "before")
        if while_running:
            copy(original.data, other.data)
        with other.up() as (_, second):
            edit_over_http(second, secret, "own.fits", "theirs")
            edit_over_http(address, secret, "own.fits", "ours")
            shown = other.run("show", "own.fits", "--json").json()
    assert shown["stored"] == str(other.data / "store" / "own.fits")
    assert shown["frame"]["object"] == "theirs"
    for commands, target in ((original, "ours"), (other, "theirs")):
        assert target_of(commands.data / "store" / "own.fits") == target
        assert commands.run("verify", "own.fits", "--json").json()["failed"] == []


def test_a_copy_only_reads_adopted_trees_until_it_claims_them(original: Commands, tmp_path: Path) -> None:
    outside = tmp_path / "tree" / "outside.fits"
    original.run("edit", "outside.fits", "OBJECT=M 2")
    before = sha256(outside)
    other = Commands(copy(original.data, tmp_path / "copy"))
    listed = other.run("root", "list", "--json").json()["roots"]
    states = {root["place"]: (root["name"], root["state"]) for root in listed}
    name, state = states[str(tmp_path / "tree")]
    assert state == "read-only"
    assert states[str(other.data / "store")] == ("store", "editable")
    refused(other.run("edit", "outside.fits", "OBJECT=M 31", code=1), name)
    refused(other.run("revert", "outside.fits", code=1), name)
    assert sha256(outside) == before
    assert other.run("show", "outside.fits", "--json").json()["frame"]["object"] == "M 2"
    assert other.run("verify", "--json").json()["failed"] == []
    put(tmp_path / "tree" / "late.fits", CONTENT)
    assert "1 ingested" in other.run("ingest", tmp_path / "tree").out
    assert f"armillary root claim {name}" in other.run("root", "list").out
    assert f"armillary root claim {name}" in other.run("status").out
    original.run("edit", "outside.fits", "OBJECT=M 3")
    other.run("ingest", tmp_path / "tree")

    assert "armillary root list" in other.run("root", "claim", "nonsense", code=1).err
    assert str(original.data) in other.run("root", "claim", name).err
    other.run("edit", "outside.fits", "OBJECT=M 31")
    assert target_of(outside) == "M 31"


def test_a_program_whose_directory_is_taken_away_makes_no_new_one(original: Commands) -> None:
    process = original.start("up", "--port", "0")
    address_of(process)
    moved = move(original, "moved")
    victims = {one.pid for one in family({process.pid}, original.data) if "worker-1" in one.command}
    assert victims
    for pid in victims:
        kill(pid)
    wait_gone(victims)
    said = finish(process)
    assert said.code == 1, said
    assert f"{original.data} is gone" in said.err
    assert not original.data.exists()
    await_rest(moved.data)
    moved.run("verify")
    shutil.rmtree(moved.data)
