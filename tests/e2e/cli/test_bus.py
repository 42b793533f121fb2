"""A night by command: simulated, played to the log, asked about, followed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from armillary.base.database import Role
from armillary.context import open_context
from armillary.demo.telemetry.files import read_truth
from armillary.settings import DatabaseSettings, Settings
from tests.support.command import ENVIRONMENT, Commands
from tests.support.postgres import server_account
from tests.support.premade import prepare


async def begin(data: Path) -> None:
    settings = Settings(data=prepare(data), database=DatabaseSettings(account=server_account()))
    async with open_context(settings, Role.OWNER):
        pass


def simulate(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "armillary", "header", "simulate", *map(str, words)]
    return subprocess.run(command, env=ENVIRONMENT, text=True, capture_output=True, check=False)


def test_a_simulated_night_by_command(tmp_path: Path) -> None:
    told = simulate("cam9", "--seed", "3", "--exposures", "2", "--out", tmp_path / "night", "--json")
    report = json.loads(told.stdout)
    assert (told.returncode, report["exposures"]) == (0, 2)
    samples, truth = Path(report["samples_file"]), Path(report["truth_file"])
    assert "truth" in truth.name
    lines = samples.read_text().splitlines()
    assert len(lines) == report["samples"]
    first = read_truth(truth)[0]

    asyncio.run(begin(tmp_path / "data"))
    commands = Commands(tmp_path / "data")
    assert commands.run("bus", "play", samples).out == f"{len(lines)} stored, 0 were there\n"
    again = commands.run("bus", "publish", samples, "--json").json()
    assert (again["offsets"], again["duplicates"], again["rejects"]) == ([], list(range(len(lines))), [])
    at = str(first.moments["integration_start"])
    found = commands.run("bus", "asof", "camera:9", "filter", "--at", at, "--json").json()
    assert found["payload"]["name"] == first.primary["FILTER"]
    match = f"image_id={first.image_id}"
    start = commands.run("bus", "asof", "camera:9", "start_integration", "--match", match, "--json").json()
    assert start["t_event"] == first.moments["integration_start"]
    missing = commands.run("bus", "asof", "camera:9", "filter", "--at", "1999-01-01T00:00:00Z", code=1)
    assert "was valid then" in missing.err
    opened = commands.run(
        "bus", "range", "camera:9", "start_integration", "--from", "2000-01-01", "--json"
    ).json()
    assert [one["payload"]["image_id"] for one in opened] == [one.image_id for one in read_truth(truth)]
    tail = commands.run("bus", "tail", "camera:9", "--earliest", "--count", "3", "--json").out.splitlines()
    assert [json.loads(one)["source"] for one in tail] == ["camera:9"] * 3


def test_samples_that_are_none_are_told(tmp_path: Path) -> None:
    asyncio.run(begin(tmp_path / "data"))
    commands = Commands(tmp_path / "data")
    lines = [
        '{"source": "a", "topic": "b", "epoch": "c", "seq": 1, "payload": {"x": NaN}, "t_event": 5}',
        "{}",
        '{"source": "a", "topic": "b", "epoch": "c", "seq": 1, "payload": {}}',
    ]
    (tmp_path / "lines").write_text("\n".join(lines))
    told = commands.run("bus", "publish", tmp_path / "lines", code=1)
    assert told.out == "1 stored, 1 were there\n"
    assert told.err.startswith("sample 1 refused: ")
    assert commands.run("bus", "asof", "a", "b").out == '5 (skewed)  a b  {"x":"NaN"}\n'


def test_what_cannot_be_simulated_is_told(tmp_path: Path) -> None:
    told = simulate("cam7", "--out", tmp_path)
    assert told.returncode == 1
    assert "spec1, cam9, cam205" in told.stderr
    assert simulate("cam9", "--out", tmp_path, "--faults", "rain").returncode == 2
