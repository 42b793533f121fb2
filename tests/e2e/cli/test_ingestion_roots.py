"""Files of ingestion roots at the command line: planned, taken in, taken in anew, and taken out."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from armillary.demo.solar import SolarCube, write_cube
from tests.support.command import Commands
from tests.support.ingestion import TINY
from tests.support.premade import prepare

CUBE = SolarCube(**TINY)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return an ingestion root with two cubes, and a file that is none."""
    directory = tmp_path / "sst"
    directory.mkdir()
    for number in range(2):
        write_cube(directory, replace(CUBE, begin=CUBE.begin + timedelta(minutes=number)))
    write_cube(directory, replace(CUBE, without=frozenset({"FILTER1"})), name="bad.fits")
    return directory


@pytest.fixture
def commands(tmp_path: Path, root: Path) -> Commands:
    """Return the commands of an archive that has the root."""
    return Commands(
        prepare(tmp_path / "data"), {"ARMILLARY_INGESTION__ROOTS": json.dumps({"sst": str(root)})}
    )


def test_the_life_of_a_directory(commands: Commands, root: Path) -> None:
    names = sorted(str(one) for one in root.iterdir())
    assert commands.run("ingest", root / "none.fits", code=1).out.endswith("1 failed\n")
    plan = commands.run("ingest", root, "--plan", "--json").json()["plan"]
    assert sorted(one["path"] for one in plan) == names
    assert {one["act"] for one in plan} == {"ingest"}
    assert commands.run("search", "--json").json()["frames"] == []
    first = commands.run("ingest", root, "--json", code=1).json()
    assert (first["ingested"], first["skipped"], [one["path"] for one in first["failed"]]) == (
        2,
        0,
        [str(root / "bad.fits")],
    )
    assert "FILTER1" in first["failed"][0]["error"]
    (root / "bad.fits").unlink()
    again = commands.run("ingest", root, "--json").json()
    assert (again["ingested"], again["skipped"], again["failed"]) == (0, 2, [])
    assert commands.run("reingest", "--all", "--force", "--json").json()["ingested"] == 2


def test_what_is_not_there_keeps_nothing_in_that_is_to_go(commands: Commands, root: Path) -> None:
    commands.run("ingest", root, "--json", code=1)
    other = sorted(one for one in root.iterdir() if one.name != "bad.fits")[1]
    done = commands.run("retire", "no-such-oid", CUBE.oid, root / "none.fits", other, "--json", code=1)
    assert [one["path"] for one in done.json()["retired"]] == [CUBE.name, other.name]
    assert "no-such-oid" in done.err
    assert "none.fits" in done.err
    assert commands.run("search", "--json").json()["frames"] == []
    commands.run("retire", CUBE.oid, code=1)
    assert other.exists()


@pytest.mark.parametrize("roots", ["{", '{"sst": 7}', "[]"])
def test_what_cannot_start_is_told_by_its_code(tmp_path: Path, root: Path, roots: str) -> None:
    commands = Commands(prepare(tmp_path / "data"), {"ARMILLARY_INGESTION__ROOTS": roots})
    for words in (("ingest", root), ("ingest", root, "--plan"), ("reingest", "--all"), ("retire", "x")):
        said = commands.run(*words, code=2)
        assert "ingestion" in said.err
        assert "Traceback" not in said.err
