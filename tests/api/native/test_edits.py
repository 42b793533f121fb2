"""Edits over the native routes: asking for them, reading the record of them, taking them back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from armillary.access.models import Scope
from tests.api.conftest import Maker
from tests.support.command import Commands
from tests.support.running import Running

RELEASE = (datetime.now(UTC).date() + timedelta(days=400)).isoformat()


def get(server: Running, path: str, *, scope: Scope | None = Scope.READ, **query: Any) -> httpx.Response:
    with server.client(scope=scope) as client:
        return client.get(path, params=query)


def post(
    server: Running, path: str, content: Any, *, scope: Scope | None = Scope.EDIT, **headers: str
) -> httpx.Response:
    with server.client(scope=scope, headers=headers) as client:
        if isinstance(content, bytes):
            return client.post(path, content=content)
        return client.post(path, json=content)


def record(server: Running, name: str, **query: Any) -> list[dict[str, Any]]:
    """Return the record of a file, newest first, once nothing is left to do."""
    server.settle()
    reply = get(server, f"/v1/files/{name}/edits", **query)
    assert reply.status_code == 200, reply.text
    return list(reply.json()["edits"])


def edit(server: Running, name: str, **content: Any) -> dict[str, Any]:
    """Ask for an edit that is accepted."""
    reply = post(server, f"/v1/files/{name}/edits", content)
    assert reply.status_code == 202, reply.text
    found: dict[str, Any] = reply.json()
    return found


def test_an_edit_is_accepted_carried_out_and_recorded(server: Running, a_file: Maker) -> None:
    name = a_file(OBJECT="first")
    body = {"values": {"generic": {"OBJECT": "second"}, "qa_state": "fail"}, "why": "a better name"}
    reply = post(server, f"/v1/files/{name}/edits", body)
    assert reply.status_code == 202
    accepted = reply.json()
    assert accepted["name"] == name
    assert reply.headers["Location"] == f"/v1/orders/{accepted['order']}"
    assert reply.headers["Armillary-Request"] == accepted["request"]
    (one,) = record(server, name)
    assert (one["order"], one["request"], one["outcome"]) == (
        accepted["order"],
        accepted["request"],
        "changed",
    )
    assert (one["actor"], one["why"], one["address"]) == ("the edit token", "a better name", "127.0.0.1")
    cards = {card["keyword"]: (card["old"], card["new"]) for card in one["cards"]}
    assert cards["OBJECT"] == ("first", "second")
    assert cards["RAWGEMQA"][1] == "BAD"
    with server.client() as client:
        version = client.get(f"/v1/files/{name}").json()["version"]
    assert (one["version_after"], one["version_before"]) == (version["id"], version["previous"])
    assert (one["data_md5_after"], one["file_md5_after"]) == (version["data_md5"], version["file_md5"])
    assert one["data_md5_before"] not in (None, one["data_md5_after"])


def test_the_record_holds_failed_and_unchanged_edits(server: Running, a_file: Maker) -> None:
    name = a_file(OBJECT="M31")
    edit(server, name, values={"generic": {"OBJECT": "M31"}}, why="again")
    edit(server, name, values={"generic": {"OBJECT": "M32"}}, extension=9, why="too far")
    edit(server, name, values={"generic": {"OBJECT": "M33"}}, if_data_md5="0" * 32)
    edit(server, name, values={"generic": {"OBJECT": "M34"}})
    found = record(server, name)
    assert [one["outcome"] for one in found] == ["changed", "failed", "failed", "unchanged"]
    assert "extension" in found[2]["error"]
    assert [one["why"] for one in found[2:]] == ["too far", "again"]
    assert [one["id"] for one in record(server, name, outcome="failed")] == [one["id"] for one in found[1:3]]
    pages = get(server, f"/v1/files/{name}/edits", limit=3).json()
    rest = get(server, f"/v1/files/{name}/edits", limit=3, cursor=pages["cursor"]).json()
    assert pages["edits"] + rest["edits"] == found
    assert rest["cursor"] is None


def test_an_error_has_one_code_wherever_it_is_told(server: Running, a_file: Maker) -> None:
    name = a_file()
    refused = post(server, f"/v1/files/{name}/edits", {"values": {"generic": {"NAXIS": 1}}})
    assert refused.json()["code"] == "item_refused"
    commands = Commands(server.settings.data)
    said = commands.run("edit", name, "NAXIS=1", code=1)
    assert said.err.rstrip().endswith("[item_refused]")
    # Judged by the worker, which has the file.
    said = commands.run("edit", name, "OBJECT=x", "--ext", "NOWHERE", code=1)
    assert said.err.rstrip().endswith("[extension_not_found]")
    for options, code in (
        ({"expect_data_md5": "0" * 32}, "digest_mismatch"),
        ({"extension": "NOWHERE"}, "extension_not_found"),
    ):
        order = edit(server, name, values={"generic": {"OBJECT": "x"}}, **options)["order"]
        (told, *_) = record(server, name)
        assert (told["order"], told["outcome"], told["error_code"]) == (order, "failed", code)
        assert get(server, f"/v1/orders/{order}").json()["error_code"] == code


def test_edits_are_found_by_night_actor_time_and_outcome(server: Running, a_file: Maker) -> None:
    name = a_file(**{"DATE-OBS": "2031-07-09", "UT": "03:00:00", "TIME-OBS": "03:00:00"})
    other = a_file(**{"DATE-OBS": "2031-07-10", "UT": "03:00:00", "TIME-OBS": "03:00:00"})
    before = datetime.now(UTC) - timedelta(seconds=5)
    for one in (name, other):
        edit(server, one, values={"generic": {"OBJECT": "x"}})
    (mine,) = record(server, name)
    assert mine["night"] is not None
    night = {"night": mine["night"]}

    def names(**query: Any) -> list[str]:
        reply = get(server, "/v1/edits", **query)
        assert reply.status_code == 200, reply.text
        return [one["name"] for one in reply.json()["edits"]]

    assert names(**night) == [name]
    assert names(**night, actor="the edit token", outcome="changed", since=before.isoformat()) == [name]
    assert names(**night, actor="somebody") == names(**night, outcome="failed") == []
    assert names(**night, until=before.isoformat()) == []
    assert set(names(since=before.isoformat())) >= {name, other}
    for bad in ({"night": "31-13"}, {"outcome": "good"}, {"since": "x"}, {"limit": 0}):
        assert get(server, "/v1/edits", **bad).status_code == 422
    assert get(server, "/v1/edits", actor="\x00").json()["code"] == "bad_request"


def test_an_edit_is_taken_back_by_its_number(server: Running, a_file: Maker) -> None:
    name = a_file(OBJECT="first")
    edit(server, name, values={"generic": {"OBJECT": "second"}})
    ((number, md5),) = [(one["id"], one["data_md5_before"]) for one in record(server, name)]
    reply = post(server, f"/v1/edits/{number}/revert", {"why": "was right before"})
    assert reply.status_code == 202
    assert reply.headers["Location"] == f"/v1/orders/{reply.json()['order']}"
    undo, done = record(server, name)
    assert (undo["reverts"], undo["why"], undo["outcome"]) == (number, "was right before", "changed")
    assert undo["data_md5_after"] == md5
    assert done["reverted_by"] == undo["id"]
    assert post(server, f"/v1/edits/{number}/revert", b"").status_code == 202


@pytest.mark.parametrize(
    ("path", "content", "status", "code"),
    [
        ("absent.fits/edits", {"values": {}}, 404, "file_not_found"),
        ("NAME/edits", b"", 400, "malformed_request"),
        ("NAME/edits", b"{", 400, "malformed_request"),
        ("NAME/edits", {}, 400, "malformed_request"),
        ("NAME/edits", {"values": {}, "vaules": 1}, 400, "malformed_request"),
        ("NAME/edits", {"values": [1]}, 400, "malformed_request"),
        ("NAME/edits", {"values": {}, "why": "\x00"}, 400, "bad_request"),
        ("NAME/edits", {"values": {"generic": {"NAXIS": 1}}}, 422, "item_refused"),
        ("NAME/edits", {"values": {"qa_state": "good"}}, 422, "item_refused"),
        ("NAME/edits", {"values": {"generic": {"TYPO": 1}}, "reject_new": True}, 422, "item_refused"),
        ("NAME/edits", b'{"values": {"generic": {"A": NaN}}}', 422, "item_refused"),
        ("NAME/edits", {"values": {}, "extension": [1, 2, 3]}, 422, "item_refused"),
        ("NAME/edits", {"values": {}, "if_data_md5": "x"}, 400, "malformed_request"),
    ],
)
def test_an_edit_that_cannot_be_is_refused_at_once(
    server: Running, shared_file: str, path: str, content: Any, status: int, code: str
) -> None:
    query = "SELECT count(*) FROM work_order WHERE kind = 'update_headers'"
    server.settle()  # change sets of earlier tests may still queue edits
    before = server.sql(query)
    reply = post(server, f"/v1/files/{path.replace('NAME', shared_file)}", content)
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text
    assert server.sql(query) == before


def test_reverting_what_cannot_be_is_refused(server: Running, a_file: Maker) -> None:
    name = a_file(OBJECT="M31")
    edit(server, name, values={"generic": {"OBJECT": "M31"}})
    (unchanged,) = record(server, name)
    for number, status, code in (
        (unchanged["id"], 409, "nothing_to_revert"),
        (1 << 62, 404, "edit_not_found"),
        (1 << 63, 404, "edit_not_found"),
        (0, 404, "edit_not_found"),
        (-1, 404, "edit_not_found"),
    ):
        reply = post(server, f"/v1/edits/{number}/revert", {})
        assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert post(server, f"/v1/edits/{unchanged['id']}/revert", {"y": 1}).json()["code"] == "malformed_request"


def test_a_repetition_with_a_key_is_no_second_edit(server: Running, a_file: Maker) -> None:
    name = a_file()
    path, body, key = (
        f"/v1/files/{name}/edits",
        {"values": {"generic": {"OBJECT": "x"}}},
        {"Idempotency-Key": name},
    )
    first, second = (post(server, path, body, **key) for _ in range(2))
    assert first.json() == second.json()
    assert len(record(server, name)) == 1
    other = post(server, path, {"values": {"generic": {"OBJECT": "y"}}}, **key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


def test_who_edits_and_who_reads_the_record_is_said_by_scopes(server: Running, shared_file: str) -> None:
    lists = ("/v1/edits", f"/v1/files/{shared_file}/edits")
    for path in lists:
        assert get(server, path, scope=None).status_code == 401
        assert get(server, path, scope=Scope.UPLOAD).status_code == 403
        for scope in (Scope.READ, Scope.EDIT, Scope.ADMIN):
            assert get(server, path, scope=scope).status_code == 200
    for path in (f"/v1/files/{shared_file}/edits", "/v1/edits/1/revert"):
        assert post(server, path, {}, scope=None).status_code == 401
        assert post(server, path, {}, scope=Scope.READ).status_code == 403


def test_cards_of_proprietary_positions_are_kept_from_editors(server: Running, a_file: Maker) -> None:
    name = a_file(RELEASE=RELEASE)
    edit(server, name, values={"generic": {"PROP_MD": True, "OBJECT": "Hidden"}})
    assert record(server, name)[0]["cards"] is not None
    (seen,) = get(server, f"/v1/files/{name}/edits", scope=Scope.EDIT).json()["edits"]
    assert (seen["cards"], seen["outcome"]) == (None, "changed")
