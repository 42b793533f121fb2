"""`armillary check` as its users meet it: files and directories without an archive, and frames of one."""

from __future__ import annotations

import bz2
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Commands, awake
from tests.support.consistent import fits_of, values_of

CLEAN = values_of()
LOST = CLEAN | {key: CLEAN[key] + 37.1 / 3600 for key in ("HASTART", "HAEND")}


@pytest.fixture
def command(tmp_path: Path) -> Commands:
    return Commands(tmp_path / "data")


def told(command: Commands, *words: str | Path, code: int) -> dict[str, Any]:
    found: dict[str, Any] = command.run(*words, "--json", code=code).json()
    return found


@pytest.mark.parametrize("name", [("check",), ("header", "qa")])
def test_directories_are_checked_without_an_archive(
    command: Commands, tmp_path: Path, name: tuple[str, ...]
) -> None:
    headers = tmp_path / "headers"
    headers.mkdir()
    (headers / "a.fits").write_bytes(fits_of(LOST))
    (headers / "b.fits.bz2").write_bytes(bz2.compress(fits_of(LOST)))
    (headers / "c.fits.gz").write_bytes(gzip.compress(fits_of(CLEAN)))
    (headers / "d.json").write_text(json.dumps({"__COMMON__": LOST}))
    (headers / "README.md").write_text("no header")
    report = told(command, *name, headers, code=1)
    assert report["files"] == 4
    found = [one for one in report["findings"] if one["rule"] == "hour-angle"]
    assert {one["file"] for one in found} == {"a.fits", "b.fits.bz2", "d.json"}
    wanted = {"file", "rule", "group", "severity", "expected", "actual", "residual", "unit", "hypothesis"}
    assert all(wanted <= set(one) for one in found)
    rule = next(one for one in report["rules"] if one["rule"] == "hour-angle")
    assert (rule["files"], rule["unit"]) == (3, "s")
    assert rule["median"] == pytest.approx(37.1, abs=0.05)
    assert "TAI-UTC lost (37 s)" in rule["cause"]
    assert not command.data.exists()


def test_exit_codes_tell_clean_faulty_and_impossible(command: Commands, tmp_path: Path) -> None:
    clean, broken, noted = (tmp_path / name for name in ("clean.fits", "broken.fits", "noted.fits"))
    clean.write_bytes(fits_of(CLEAN))
    broken.write_bytes(b"no header at all")
    noted.write_bytes(fits_of(CLEAN | {"FILTER": "UNKNOWN"}))
    assert told(command, "check", clean, code=0) == {"files": 1, "findings": [], "rules": []}
    assert [one["severity"] for one in told(command, "check", noted, code=0)["findings"]] == ["note"]
    (found,) = told(command, "check", broken, code=1)["findings"]
    assert found["rule"] == "fits-readable"
    assert told(command, "check", tmp_path / "none.fits", code=1)["findings"][0]["rule"] == "fits-readable"
    assert "name files" in command.run("check", code=2).err
    (tmp_path / "empty").mkdir()
    assert "no headers" in command.run("check", tmp_path / "empty", code=2).err
    assert "LAT,LON,HEIGHT" in command.run("check", clean, "--site", "Chile", code=1).err
    assert "There is no rule" in command.run("check", clean, "--tolerance", "x=1", code=1).err


def test_options_reach_the_rules_and_people_read_a_table(command: Commands, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    nowhere = {key: value for key, value in LOST.items() if not key.startswith("OBS")}
    path.write_text(json.dumps(nowhere))
    told(command, "check", path, code=0)
    told(command, "check", path, "--site", "-30.2446,-70.7494,2663", code=1)
    told(command, "check", path, "--site", "-30.2446,-70.7494,2663", "--tolerance", "hour-angle=60", code=0)
    path.write_text(json.dumps(LOST))
    said = command.run("check", path, code=1)
    assert "hour-angle" in said.out
    assert "37.1" in said.out
    assert "1 headers, 2 findings" in said.err


def test_frames_of_the_archive_are_checked_by_a_selection(command: Commands, tmp_path: Path) -> None:
    night = tmp_path / "night"
    night.mkdir()
    (night / f"{LOST['OBSID']}.fits").write_bytes(fits_of(LOST))
    with awake(command.data):
        command.run("ingest", night)
        assert told(command, "check", "--where", "filename=none", code=0)["files"] == 0
        report = told(command, "check", "--keyword", "SEQNUM=42", code=1)
        assert (report["files"], {one["rule"] for one in report["findings"]}) == (1, {"hour-angle"})
        frames = command.run("search", "--finding", "hour-angle", "--json").json()["frames"]
        assert [one["name"] for one in frames] == [f"{LOST['OBSID']}.fits"]
        assert "not both" in command.run("check", night, "--where", "present", code=2).err
