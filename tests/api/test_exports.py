"""The native routes of exports: who may use them, what they tell, what they set going."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from armillary.access.models import Scope
from tests.support.night import gemini_file, write_as
from tests.support.old_server import SECRET, OldServer, Reply, old_server
from tests.support.patience import in_time
from tests.support.running import PATIENCE_S, Running, running

NAME = "N20260101S0001.fits"


@pytest.fixture(scope="module")
def old() -> Iterator[OldServer]:
    with old_server() as one:
        yield one


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, old: OldServer) -> Iterator[Running]:
    """Run a server with a destination, of which the settings file in its directory tells."""
    data = tmp_path_factory.mktemp("exports") / "data"
    data.mkdir()
    (data / "armillary.toml").write_text(
        "[[exports.destinations]]\n"
        f'name = "old-archive"\nurl = "{old.url}"\npattern = "N*"\nupload_secret = "env:OLD_COOKIE"\n'
    )
    with running(data, OLD_COOKIE=SECRET) as one:
        yield one


@pytest.fixture(scope="module", autouse=True)
def a_file(server: Running, tmp_path_factory: pytest.TempPathFactory) -> None:
    server.ingest(write_as(tmp_path_factory.mktemp("night") / NAME, gemini_file()))


def ask(
    server: Running, method: str, path: str, *, scope: Scope = Scope.ADMIN, **options: Any
) -> httpx.Response:
    with server.client(scope=scope) as client:
        return client.request(method, path, **options)


def test_only_administrators_see_and_move_exports(server: Running) -> None:
    routes = [
        ("GET", "/v1/exports"),
        ("GET", "/v1/exports/destinations"),
        ("POST", "/v1/exports"),
        ("POST", "/v1/exports/retry"),
    ]
    for method, path in routes:
        with server.client() as client:
            assert client.request(method, path, json={}).status_code == 401
        for scope in (Scope.READ, Scope.EDIT, Scope.UPLOAD):
            assert ask(server, method, path, scope=scope, json={}).status_code == 403


def test_what_is_there_is_told(server: Running, old: OldServer) -> None:
    server.settle()
    found = ask(server, "GET", "/v1/exports", params={"destination": "old-archive"}).json()
    assert found["waiting"] == []
    (one,) = found["ended"]
    assert (one["destination"], one["path"], one["name"], one["how"]) == ("old-archive", "", NAME, "bytes")
    assert one["sent_bytes"] == len(old.files["", NAME])
    assert one["exported"].endswith("Z")
    assert ask(server, "GET", "/v1/exports", params={"destination": "x"}).json()["ended"] == []
    (known,) = ask(server, "GET", "/v1/exports/destinations").json()["destinations"]
    assert known == {
        "name": "old-archive",
        "url": old.url,
        "pattern": "N*",
        "active": True,
        "away_until": None,
        "error": None,
        "waiting": 0,
    }


def until_it_waits_again(server: Running) -> dict[str, Any]:
    """Wait until the one export has failed and is put back; its destination is marked a moment earlier."""
    end = time.monotonic() + PATIENCE_S
    while True:
        waiting = ask(server, "GET", "/v1/exports").json()["waiting"]
        for one in waiting:
            if one["state"] == "Queued" and one["error"]:
                return dict(one)
        in_time(end, waiting)
        time.sleep(0.02)


def test_a_selection_is_sent_and_a_failure_is_tried_again_on_request(server: Running, old: OldServer) -> None:
    server.settle()
    old.files.clear()
    old.say("upload_file", Reply(503))
    body = {"destination": "old-archive", "selection": [NAME, "present"]}
    reply = ask(server, "POST", "/v1/exports", json=body)
    assert reply.status_code == 202
    assert isinstance(reply.json()["order"], int)
    one = until_it_waits_again(server)
    assert (one["name"], one["path"]) == (NAME, "")
    (known,) = ask(server, "GET", "/v1/exports/destinations").json()["destinations"]
    assert known["error"] == f"POST {old.url}/upload_file/{NAME}.bz2: status 503"
    assert known["waiting"] == 1
    assert ask(server, "POST", "/v1/exports/retry", json={}).status_code == 202
    server.settle()
    assert ("", NAME) in old.files
    assert ask(server, "GET", "/v1/exports/destinations").json()["destinations"][0]["error"] is None


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "words"),
    [
        (
            "",
            {"destination": "old-archiv", "selection": [NAME]},
            404,
            "unknown_destination",
            "'old-archive'?",
        ),
        ("", {"destination": "old-archive", "selection": ["nonsense"]}, 400, "unknown_selector", "nonsense"),
        ("", {"destination": "old-archive", "selection": []}, 422, "invalid_parameter", "selection"),
        ("", {"destination": "old-archive", "selection": ["\x00"]}, 400, "bad_request", "characters"),
        ("", {"destination": "old-archive"}, 422, "invalid_parameter", "selection"),
        ("", {"destination": "a", "selection": ["x"], "x": 1}, 422, "invalid_parameter", "x"),
        ("/retry", {"destination": "nobody"}, 404, "unknown_destination", "There are: old-archive"),
        ("/retry", {"destination": "\x00"}, 400, "bad_request", "characters"),
    ],
)
def test_bad_requests_are_refused_with_the_reason(
    server: Running, path: str, body: dict[str, Any], status: int, code: str, words: str
) -> None:
    reply = ask(server, "POST", f"/v1/exports{path}", json=body)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert words in reply.json()["detail"]


def test_no_secret_is_told(server: Running) -> None:
    for path in ("/v1/exports", "/v1/exports/destinations"):
        assert SECRET not in ask(server, "GET", path).text
