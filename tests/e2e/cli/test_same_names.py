"""Frames of one file name in two directories, at the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.archive import put
from tests.support.command import Commands, awake
from tests.support.headers import a_file

NAME = "Light_001.fits"


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    with awake(tmp_path / "data") as one:
        yield one


def a_light(star: str) -> bytes:
    return a_file(cards=[("OBJECT", star, "")], extensions=0)


def test_every_command_takes_paths_where_names_do_not_do(data: Path, tmp_path: Path) -> None:
    commands, tree = Commands(data), tmp_path / "nights"
    first, second = (
        put(tree / "night1" / NAME, a_light("Vega")),
        put(tree / "night2" / NAME, a_light("Deneb")),
    )
    before = first.read_bytes(), second.read_bytes()
    assert commands.run("ingest", tree).out == "2 ingested, 0 skipped, 0 failed\n"
    for star, night in (("Vega", "night1"), ("Deneb", "night2")):
        (found,) = commands.run("search", "--object", star, "--json").json()["frames"]
        assert found["path"] == night
    assert "night1/Light_001.fits" in commands.run("search").out
    refused = commands.run("edit", NAME, "OBJECT=x", code=1)
    told = "".join(refused.err.split())
    assert f"/night1/{NAME}," in told
    assert f"/night2/{NAME}." in told
    commands.run("edit", f"night1/{NAME}", "OBJECT=Altair")
    assert first.read_bytes() != before[0]
    assert len(commands.run("history", f"night1/{NAME}", "--json").json()) == 2
    assert commands.run("show", f"night2/{NAME}", "--json").json()["frame"]["object"] == "Deneb"
    assert "Altair" in commands.run("diff", f"night1/{NAME}").out
    assert commands.run("verify", f"night1/{NAME}").out.startswith("1 of 1 files are sound")
    commands.run("revert", f"night1/{NAME}")
    assert (first.read_bytes(), second.read_bytes()) == before


def test_the_identity_of_a_root_is_shown_and_changed(data: Path, tmp_path: Path) -> None:
    environment = {"ARMILLARY_ARCHIVE__IDENTITY": "unique"}
    commands, tree = Commands(data, environment), tmp_path / "nights"
    put(tree / "night1" / NAME, a_light("Vega"))
    put(tree / "night2" / NAME, a_light("Deneb"))
    said = commands.run("ingest", tree)
    assert said.out == "2 ingested, 0 skipped, 0 failed\n"
    assert f"{NAME} stands for several files" in " ".join(said.err.split())
    # It is told as long as it is so, though nothing has changed.
    again = commands.run("ingest", tree)
    assert f"{NAME} stands for several files" in " ".join(again.err.split())
    (contested,) = commands.run("status", "--json").json()["contested"]
    assert contested["name"] == NAME
    assert "SEVERAL FILES OF ONE NAME" in commands.run("status").out
    root = commands.run("root", "list", "--json").json()["roots"][-1]
    assert root["identity"] == "unique"
    said = commands.run("root", "set", root["name"], "--identity", "by-path")
    assert "by directory and name; 1 files that shared a name were taken in again" in " ".join(
        said.out.split()
    )
    assert len(commands.run("search", "--json").json()["frames"]) == 2
    assert commands.run("status", "--json").json()["contested"] == []
    refused = commands.run("root", "set", root["name"], "--identity", "unique", code=1)
    assert "names_not_unique" in refused.err
    assert commands.run("root", "list", "--json").json()["roots"][-1]["identity"] == "by-path"
