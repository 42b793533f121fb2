"""Change sets over HTTP: asked for by the web process, carried out by workers, followed until they rest."""

from __future__ import annotations

import time
from typing import Any

import pytest

from armillary.access.models import Scope
from tests.api.conftest import Maker
from tests.support.patience import in_time
from tests.support.running import PATIENCE_S, WAIT_S, Running

PATH = "/v1/changesets"


def ask(server: Running, *names: str, code: int = 202, wait: float = WAIT_S, **wanted: Any) -> dict[str, Any]:
    """Ask for a change set of some files; return the answer."""
    body = {"names": names, **wanted} if names else wanted
    with server.client(scope=Scope.EDIT) as client:
        reply = client.post(PATH, json=body, params={"wait": wait})
    assert reply.status_code == code, reply.text
    found: dict[str, Any] = reply.json()
    if code == 202:
        assert reply.headers["Location"] == f"{PATH}/{found['id']}"
    return found


def get(server: Running, path: object, code: int = 200, **query: Any) -> dict[str, Any]:
    with server.client(scope=Scope.EDIT) as client:
        reply = client.get(f"{PATH}/{path}" if path else PATH, params=query)
    assert reply.status_code == code, reply.text
    found: dict[str, Any] = reply.json()
    return found


def rest(server: Running, change_set: int, state: str) -> dict[str, Any]:
    """Wait until a change set is in a state in which nothing happens any more."""
    end = time.monotonic() + PATIENCE_S
    while (found := get(server, change_set))["state"] != state:
        in_time(end, found)
        time.sleep(0.05)
    return found


def act(server: Running, change_set: int, action: str, code: int = 202) -> dict[str, Any]:
    with server.client(scope=Scope.EDIT) as client:
        reply = client.post(f"{PATH}/{change_set}/{action}")
    assert reply.status_code == code, reply.text
    found: dict[str, Any] = reply.json()
    return found


def card(server: Running, name: str, keyword: str) -> str:
    with server.client(scope=Scope.READ) as client:
        text = client.get(f"/fullheader/{name}").text
    return next((line for line in text.splitlines() if line.startswith(keyword.ljust(8))), "")


def test_a_change_set_is_applied_listed_and_reverted(server: Running, a_file: Maker) -> None:
    names = sorted(a_file(OBJECT="M 1") for _ in range(3))
    asked = ask(server, *names, values={"generic": [["OBJECT", "M 33"]]}, why="wrong galaxy", reject_new=True)
    found = rest(server, asked["id"], "completed")
    assert (found["matched"], found["files"]["changed"], found["why"]) == (3, 3, "wrong galaxy")
    assert found["created"].endswith("Z")
    assert found["errors"] == []
    assert "M 33" in card(server, names[0], "OBJECT")
    files = get(server, f"{asked['id']}/files", limit=2)
    assert [one["state"] for one in files["files"]] == ["changed", "changed"]
    last = get(server, f"{asked['id']}/files", limit=2, after=files["after"])
    assert last["after"] is None
    assert sorted(one["file"] for one in (*files["files"], *last["files"])) == names
    assert get(server, f"{asked['id']}/files", state="failed")["files"] == []
    assert get(server, "")["changesets"][0]["id"] == asked["id"]
    act(server, asked["id"], "revert")
    found = rest(server, asked["id"], "reverted")
    assert (found["files"]["reverted"], found["reverter"]) == (3, "the edit token")
    assert "M 1" in card(server, names[0], "OBJECT")


def test_a_dry_run_tells_and_changes_nothing(server: Running, a_file: Maker) -> None:
    names = [a_file(OBJECT="M 1"), a_file(OBJECT="M 2")]
    asked = ask(server, *names, values={"generic": {"OBJECT": "M 2"}}, dry_run=True, samples=1)
    assert (asked["state"], asked["dry_run"]) == ("previewed", True)
    preview = asked["preview"]
    assert {key: preview[key] for key in ("matched", "would_change", "unchanged", "refused")} == {
        "matched": 2,
        "would_change": 1,
        "unchanged": 1,
        "refused": 0,
    }
    (sample,) = preview["samples"]
    assert sample["file"] == names[0]
    assert (sample["changes"][0]["before"][:14], sample["changes"][0]["new"]) == ("OBJECT  = 'M 1", "M 2")
    assert get(server, asked["id"])["preview"] == preview
    assert "M 1" in card(server, names[0], "OBJECT")


def test_a_change_set_may_say_the_comments_of_cards(server: Running, a_file: Maker) -> None:
    name = a_file(OBJECT="M 1")
    wanted = {"values": {"generic": {"OBJECT": "M 33"}}, "comments": {"object": "the galaxy"}}
    assert rest(server, ask(server, name, **wanted)["id"], "completed")["comments"] == {
        "object": "the galaxy"
    }
    assert card(server, name, "OBJECT").rstrip().endswith(" / the galaxy")
    refused = ask(server, name, code=422, values=wanted["values"], comments={"FILTER": "x"})
    assert (refused["code"], "FILTER" in refused["detail"]) == ("item_refused", True)


def test_a_selection_with_conditions_finds_its_files(server: Running, a_file: Maker) -> None:
    names = [a_file(OBJECT="NGC 7027", EXPTIME=seconds) for seconds in (1.0, 2.0, 3.0)]
    wanted = {"selection": ["GMOS-N/object=NGC 7027", "RAW"], "keywords": ["EXPTIME>=2"]}
    asked = ask(server, **wanted, values={"qa_state": "fail"})
    found = rest(server, asked["id"], "completed")
    assert found["files"]["changed"] == 2
    assert ["BAD" in card(server, name, "RAWGEMQA") for name in names] == [False, True, True]


def test_a_stopped_set_does_nothing_until_it_is_resumed(server: Running, a_file: Maker) -> None:
    name = a_file(OBJECT="M 1")
    with server.held(name):
        asked = ask(server, name, values={"generic": {"OBJECT": "M 5"}})
        act(server, asked["id"], "stop")
        found = rest(server, asked["id"], "stopped")
        assert found["files"]["waiting"] == 1
    assert "M 1" in card(server, name, "OBJECT")
    act(server, asked["id"], "resume")
    assert rest(server, asked["id"], "completed")["files"]["changed"] == 1
    problem = act(server, asked["id"], "stop", code=409)
    assert problem["code"] == "change_set_state"


@pytest.mark.parametrize(
    ("wanted", "code", "reason"),
    [
        ({"values": {"generic": {"A": 1}}}, 400, "means no files"),
        ({"values": {"generic": {"A": 1}}, "selection": ["presnt"]}, 400, "did you mean 'present'"),
        ({"values": {"generic": {"A": 1}}, "keywords": ["A~1"]}, 400, "no keyword condition"),
        ({"values": {}, "selection": ["present"]}, 400, "changes nothing"),
        ({"values": {"generic": {"NAXIS": 1}}, "selection": ["present"]}, 422, "Protected keyword: NAXIS"),
        ({"values": {"qa": "pass"}, "selection": ["present"]}, 422, "Unknown action: qa"),
        ({"values": {"generic": {"A": 1}}, "selection": ["present"], "dryrun": True}, 422, "dryrun"),
        ({"values": {"generic": {"A": 1}}, "names": ["a\u0000"]}, 400, "Names are text"),
        ({"values": {"generic": {"A": 1}}, "selection": ["present"], "why": "\u0000"}, 400, "characters"),
    ],
)
def test_bad_requests_are_refused_at_once(
    server: Running, wanted: dict[str, Any], code: int, reason: str
) -> None:
    server.settle()  # change sets of earlier tests may still queue their steps
    before = server.sql("SELECT count(*) FROM work_order WHERE kind LIKE 'change_set%'")
    assert reason in ask(server, code=code, **wanted)["detail"]
    assert server.sql("SELECT count(*) FROM work_order WHERE kind LIKE 'change_set%'") == before


def test_a_name_that_is_not_there_fails_the_whole_set(server: Running, shared_file: str) -> None:
    asked = ask(server, shared_file, "nowhere.fits", values={"generic": {"A": 1}})
    assert asked["state"] == "failed"
    assert "not in the archive: nowhere.fits" in asked["error"]


def test_only_editors_may_ask(server: Running) -> None:
    body = {"values": {"generic": {"A": 1}}, "selection": ["present"]}
    for scope, code in ((None, 401), (Scope.READ, 403)):
        with server.client(scope=scope) as client:
            assert client.post(PATH, json=body).status_code == code
            assert client.get(PATH).status_code == code
            assert client.post(f"{PATH}/1/revert").status_code == code


def test_what_is_not_there_is_not_found(server: Running) -> None:
    assert get(server, 999_999_999, code=404)["code"] == "unknown_change_set"
    assert get(server, "999999999/files", code=404)["code"] == "unknown_change_set"
    assert act(server, 999_999_999, "stop", code=404)["code"] == "unknown_change_set"
    assert act(server, 1, "destroy", code=422)["code"]
