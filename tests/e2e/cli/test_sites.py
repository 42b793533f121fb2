"""Sites with real processes: what they send is kept, rooms are made by workers, the log is printed."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.support.command import Commands
from tests.support.rooms import TOKEN, Mood, a_stand_in
from tests.support.running import ANSWER_S, running
from tests.support.sites import a_wema, sent


def test_an_evening_of_a_site(tmp_path: Path) -> None:
    data = tmp_path / "data"
    secret = tmp_path / "secret"
    secret.write_text(f"{TOKEN}\n")
    with a_stand_in() as remote:
        environment = {
            "ARMILLARY_AUTH__MODE": "open",
            "ARMILLARY_ROOMS__PROVIDER": "remotehq",
            "ARMILLARY_ROOMS__URL": remote.url,
            "ARMILLARY_ROOMS__SECRET": f"file:{secret}",
            "ARMILLARY_ROOMS__TIMEOUT_S": "5",
        }
        with (
            running(data, **environment) as server,
            httpx.Client(base_url=server.url, trust_env=False, timeout=ANSWER_S) as client,
        ):
            assert client.put("/api/mrc/config/", content=sent(a_wema())).status_code == 200
            note = json.dumps({"note_data": {"message": "clouds", "username": "Ann"}})
            assert client.post("/api/nightlog/mrc", content=note).text == "Note created successfully"
            with ThreadPoolExecutor(8) as pool:
                replies = list(pool.map(client.get, ["/api/control_room/mrc"] * 8))
            assert {one.status_code for one in replies} == {200}
            assert len({one.text for one in replies}) == remote.made == 1
            remote.mood = Mood.HANGS
            # While it hangs, other work goes on, and whoever wants to enter does.
            with ThreadPoolExecutor(1) as pool:
                hanging = pool.submit(client.post, "/control_room/mrc/restart")
                assert client.get("/control_room/mrc").json() == replies[0].json()
                assert hanging.result().status_code == 500
            remote.mood = Mood.GOOD
            assert client.post("/control_room/mrc/restart").text == "control room restarted successfully"
            assert set(remote.rooms) - {"room-1"} == {"room-2"}
    commands = Commands(data)
    (entry,) = [json.loads(line) for line in commands.run("sites", "log", "mrc", "--json").out.splitlines()]
    assert (entry["text"], entry["author"], entry["verified"]) == ("clouds", "Ann", False)
    text = commands.run("sites", "log", "mrc", "--night", entry["night"], "--find", "CLOUD").out
    assert text.splitlines() == [
        f"{entry['night']}  [{entry['id']}]  {entry['created_at'][:19]}Z  Ann (unverified)",
        "    clouds",
    ]
    assert commands.run("sites", "log", "mrc", "--until", "2000-01-01").out == ""
    assert "Invalid name of a site" in commands.run("sites", "log", "a b", code=1).err
