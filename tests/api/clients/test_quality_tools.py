"""The conversations of the tools that set the quality and release of many files at once.

They speak through python-requests or urllib: ``/jsonqastate/present/SELECTION`` or ``/jsonsummary/present/...``
first, sometimes with two slashes in front, then one old-form POST that names files as they are stored, ``.bz2``
included. A script for image quality sends ``qastate``, which no server knows; another sends the date of the
observation as its release.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from armillary.access.models import Scope
from tests.api.clients.wire import Wire, requests_get, requests_post_data, requests_post_json, urllib_post
from tests.api.conftest import Maker
from tests.support.running import COOKIE, WAIT_S, Running


@pytest.fixture
def wire(server: Running) -> Iterator[Wire]:
    with Wire(server) as one:
        yield one


def cookies(server: Running) -> dict[str, str]:
    """Return the cookie that lets a tool edit."""
    return {COOKIE: server.secret(Scope.EDIT)}


def settle(server: Running, location: str) -> list[dict[str, Any]]:
    """Wait until all items of a request have ended."""
    with server.client(scope=Scope.EDIT) as client:
        document = client.get(location, params={"wait": WAIT_S}).json()
    assert document["done"]
    return list(document["items"])


def states(wire: Wire, selection: str) -> dict[str, str]:
    """Return the quality of each stored file that a selection finds."""
    found = requests_get(wire, f"/jsonqastate/present/{selection}").json
    return {one["filename"]: one["qa_state"] for one in found}


def test_the_files_of_a_selection_are_passed_by_their_stored_names(
    server: Running, wire: Wire, a_file: Maker
) -> None:
    observation = "GN-2026A-Q-601-1"
    names = [a_file(OBSID=observation, RAWPIREQ="NO"), a_file(container=".bz2", OBSID=observation)]
    stored = [names[0], f"{names[1]}.bz2"]
    assert states(wire, observation) == {stored[0]: "Usable", stored[1]: "Pass"}
    request = [
        {
            "filename": name,
            "values": {"qa_state": "Fail", "generic": [["IMQASET", "Fail"]]},
            "reject_new": False,
        }
        for name in states(wire, observation)
    ]
    reply = requests_post_json(wire, "/update_headers", request, cookies(server))
    assert reply.body == (
        f'[{{"result": true, "id": "{stored[0]}"}}, {{"result": true, "id": "{stored[1]}"}}]'.encode()
    )
    for item in settle(server, reply.headers["location"]):
        assert {c["keyword"]: c["new"] for c in item["changes"]} == {
            "RAWGEMQA": "BAD",
            "IMQASET": "Fail",
        } | ({"RAWPIREQ": "NO"} if item["id"] == stored[1] else {})
    assert states(wire, observation) == dict.fromkeys(stored, "Fail")


def test_a_tool_that_sends_another_word_is_told_which_one_is_meant(
    server: Running, wire: Wire, a_file: Maker
) -> None:
    name = a_file()
    values = {"qastate": "Pass", "generic": [["IMQASET", "Pass"]]}
    request = [{"filename": name, "values": values, "reject_new": False}]
    reply = requests_post_json(wire, "/update_headers", request, cookies(server))
    error = "Unknown action: qastate (did you mean 'qa_state'?)"
    assert (reply.status, reply.body) == (
        200,
        f'[{{"result": false, "error": "{error}", "id": "{name}"}}]'.encode(),
    )


@pytest.mark.parametrize("word", ["undefined", "pass", "usable", "fail", "check"])
def test_each_word_shows_as_published(server: Running, wire: Wire, a_file: Maker, word: str) -> None:
    name = a_file(RAWGEMQA="X", RAWPIREQ="X")
    reply = requests_post_json(
        wire, "/update_headers", [{"filename": name, "values": {"qa_state": word}}], cookies(server)
    )
    assert settle(server, reply.headers["location"])[0]["state"] == "completed"
    published = {"undefined": "Undefined", "pass": "Pass", "usable": "Usable", "fail": "Fail"}
    assert states(wire, f"filename={name}") == {name: published.get(word, "CHECK")}
    for other in ("Pass", "Usable", "Fail", "CHECK", "UndefinedQA", "AnyQA", "Win", "NotFail", "Lucky"):
        found = states(wire, f"{other}/filename={name}")
        members = {
            "AnyQA": set(published) | {"check"},
            "UndefinedQA": {"undefined"},
            "Win": {"pass", "usable"},
            "NotFail": {"undefined", "pass", "usable", "check"},
            "Lucky": {"pass", "undefined"},
        }.get(other, {other.lower()})
        assert bool(found) == (word in members), other


@pytest.mark.parametrize("slashes", ["/", "//"])
def test_a_path_may_begin_with_two_slashes(wire: Wire, a_file: Maker, slashes: str) -> None:
    """The page of quality plots joins the address of a server with a slash of its own."""
    observation = "GN-2026A-Q-602-1"
    label = f"{observation}-{len(slashes):03d}"
    name = a_file(OBSID=observation, DATALAB=label)
    reply = requests_get(wire, f"{slashes}jsonqastate/present/RAW/Raw/{label}")
    assert reply.status == 200, reply.body
    assert [one["filename"] for one in reply.json] == [name]


def test_a_day_of_observation_becomes_the_release(server: Running, wire: Wire, a_file: Maker) -> None:
    observation = "GN-2026A-Q-603-1"
    name = a_file(OBSID=observation, container=".bz2")
    (one,) = requests_get(wire, f"/jsonsummary/present/{observation}").json
    request = [{"filename": one["filename"], "values": {"release": one["ut_datetime"][:10]}}]
    reply = requests_post_json(wire, "/update_headers", request, cookies(server))
    assert reply.body == f'[{{"result": true, "id": "{name}.bz2"}}]'.encode()
    settle(server, reply.headers["location"])
    (one,) = requests_get(wire, f"/jsonsummary/present/{observation}").json
    assert one["release"] == "2026-01-01"


def test_text_without_a_type_and_forms_of_urllib_are_read_as_json(
    server: Running, wire: Wire, a_file: Maker
) -> None:
    label = "GN-2026A-Q-604-1-001"
    name = a_file(DATALAB=label)
    body = f'[{{"data_label": "{label}", "values": {{"qa_state": "Usable"}}}}]'.encode()
    accepted = f'[{{"result": true, "id": "{label}"}}]'.encode()
    assert requests_post_data(wire, "/update_headers", body, cookies(server)).body == accepted
    reply = urllib_post(server, "/update_headers", body, f"Cookie: {COOKIE}={server.secret(Scope.EDIT)}")
    assert (reply.status, reply.body) == (200, accepted)
    assert settle(server, reply.headers["location"])[0]["state"] == "completed"
    assert states(wire, label) == {name: "Usable"}
