"""What a running program writes down without being asked to: JSON lines that say who was served what and why."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import httpx

from tests.support.archive import put
from tests.support.command import Commands, address_of, finish
from tests.support.headers import a_file
from tests.support.premade import prepare


def test_requests_and_served_files_are_written_down_by_default(tmp_path: Path) -> None:
    commands = Commands(prepare(tmp_path / "data"))
    put(tmp_path / "night" / "open.fits", a_file(cards=[("RELEASE", "2020-01-01", "")]))
    commands.run("ingest", tmp_path / "night")
    process = commands.start("up", "--port", "0")
    with httpx.Client(base_url=address_of(process), trust_env=False, timeout=60) as client:
        answer = client.get("/file/open.fits", headers={"X-Request-Id": "night-7"})
        assert answer.status_code == 200
        assert answer.headers["x-request-id"] == "night-7"
    process.send_signal(signal.SIGTERM)
    lines = [json.loads(line) for line in finish(process).err.splitlines()]
    ours = {one["event"]: one for one in lines if one.get("request") == "night-7"}
    assert ours["file handed out"]["file"] == "open.fits"
    assert ours["file handed out"]["reason"] == "released"
    request = ours["request"]
    assert (request["method"], request["path"], request["status"]) == ("GET", "/file/open.fits", 200)
    assert (request["bytes"], request["address"]) == (len(answer.content), "127.0.0.1")


def test_no_log_has_a_key_that_stands_in_a_path(tmp_path: Path) -> None:
    commands = Commands(prepare(tmp_path / "data"), {"ARMILLARY_LOG": "DEBUG"})
    key = commands.run("token", "create", "saf", "--scope", "config", "--site", "saf").out.strip()
    process = commands.start("up", "--port", "0")
    with httpx.Client(base_url=address_of(process), trust_env=False, timeout=60) as client:
        for path in ("api", "api/nowhere", "nowhere/%0A", "v1/frames", "k/again", "%2e%2e/x"):
            client.get(f"/k/{key}/{path}")
            client.get(f"//k//{key}//{path}?key={key}", headers={"Referer": f"http://x/k/{key}/"})
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "eA=="}
        client.get(f"/k/{key}/api/ws", headers={**upgrade, "Sec-WebSocket-Version": "13"})
        client.get(f"/k/{key}/{'x' * 20_000}")
    process.send_signal(signal.SIGTERM)
    said = finish(process).err
    paths = [line.get("path") for line in map(json.loads, said.splitlines()) if line["event"] == "request"]
    assert {"/", "/nowhere", "/v1/frames"} <= set(paths)
    assert key not in said
