"""The status resource, waiting on it, idempotency keys, and the clients that exist."""

from __future__ import annotations

import concurrent.futures
import hashlib
import time
from uuid import UUID, uuid4

import pytest

from armillary.access.models import Scope
from tests.api.conftest import Maker
from tests.support.running import COOKIE, WAIT_S, Running

KEYS = [
    "index", "id", "file", "path", "state", "accepted", "changed", "attempts", "error", "queued_at",
    "started_at", "finished_at", "changes", "data_md5_before", "data_md5_after", "file_md5_before",
    "file_md5_after",
]  # fmt: skip


def test_a_document_tells_everything_of_a_completed_item(server: Running, a_file: Maker) -> None:
    name = a_file(container=".bz2")
    reply = server.post(
        [{"filename": f"{name}.bz2", "values": {"raw_site": "iq70", "generic": {"NEW": 2.5}}}]
    )
    assert reply.headers["Location"] == f"/update_headers/{UUID(reply.headers['Armillary-Request'])}"
    assert server.status(reply)["done"]
    server.settle()  # the digests of a compressed file come with an order of their own
    document = server.status(reply)
    assert list(document) == ["request_id", "accepted_at", "done", "items"]
    (item,) = document["items"]
    assert list(item) == KEYS
    assert {key: item[key] for key in KEYS[:9]} == {
        "index": 0, "id": f"{name}.bz2", "file": name, "path": "", "state": "completed", "accepted": True,
        "changed": True, "attempts": 1, "error": None,
    }  # fmt: skip
    assert item["queued_at"] <= item["started_at"] <= item["finished_at"]
    assert item["finished_at"].endswith("Z")
    assert item["changes"] == [
        {"extension": 0, "keyword": "RAWIQ", "old": None, "new": "70-percentile", "created": True},
        {"extension": 0, "keyword": "NEW", "old": None, "new": 2.5, "created": True},
    ]
    with server.client(scope=Scope.READ) as client:
        plain, packed = client.get(f"/file/{name}").content, client.get(f"/file/{name}.bz2").content
    assert item["data_md5_after"] == hashlib.md5(plain).hexdigest() != item["data_md5_before"]
    assert item["file_md5_after"] == hashlib.md5(packed).hexdigest() != item["file_md5_before"]
    with server.client(scope=Scope.READ) as client:
        (found,) = client.get("/v1/frames", params={"name": name}).json()["frames"]
    assert (found["data_md5"], found["raw_iq"]) == (item["data_md5_after"], 70)


def test_a_waiting_item_is_shown_as_queued(server: Running, a_file: Maker) -> None:
    name = a_file()
    with server.held(name):
        reply = server.post([{"filename": name, "values": {"qa_state": "Fail"}}, {"values": {}}])
        document = server.status(reply, wait=0)
        assert document["done"] is False
        waiting, refused = document["items"]
        assert (waiting["state"], waiting["changed"], waiting["attempts"]) == ("queued", None, 0)
        assert waiting["started_at"] is waiting["finished_at"] is waiting["data_md5_after"] is None
        assert (refused["state"], refused["accepted"], refused["queued_at"]) == ("failed", False, None)
        began = time.monotonic()
        with server.client(scope=Scope.EDIT) as client:
            late = client.get(reply.headers["Location"], params={"wait": 0.3})
        assert (late.status_code, late.json()["done"]) == (200, False)
        assert time.monotonic() - began >= 0.3
    assert server.status(reply)["items"][0]["state"] == "completed"


def test_waiting_ends_promptly(server: Running, a_file: Maker) -> None:
    name = a_file()
    took = []
    for word in ("Fail", "Pass", "Usable", "Check", "Fail"):
        began = time.monotonic()
        server.edit(name, {"qa_state": word})
        took.append(time.monotonic() - began)
    # Whoever waits for nothing but the end of the time would take a minute each.
    assert sorted(took)[2] < WAIT_S / 4, took


def test_a_failure_shows_its_own_reason_and_the_next_order_runs(server: Running, a_file: Maker) -> None:
    name = a_file()
    with server.held(name):
        items = [
            {"filename": name, "values": {"generic": {"A": 1}}, "extension": "NOPE"},
            {"filename": name, "values": {"generic": {"A": 2}}},
            {"filename": name, "values": {"generic": {"A": 3}}, "if_data_md5": "0" * 32},
            {"filename": name, "values": {"generic": {"A": 4}}},
        ]
        reply = server.post(items)
    found = server.status(reply)["items"]
    assert [one["state"] for one in found] == ["failed", "completed", "failed", "completed"]
    assert "NOPE" in found[0]["error"]
    assert "if_data_md5" in found[2]["error"]
    assert [[(c["old"], c["new"]) for c in one["changes"]] for one in found] == [
        [],
        [(None, 2)],
        [],
        [(2, 4)],
    ]
    digests = {(one["data_md5_before"], one["data_md5_after"]) for one in found if one["changed"]}
    assert len(digests) == 1, "both report the digests of their one rewrite"


@pytest.mark.parametrize(
    "number", ["c305aa10-e3cb-4176-8e57-45aae8bb7592", "x", "x" * 3000, "%00", "..%2f..", "%ff"]
)
def test_an_unknown_request_is_not_found(server: Running, number: str) -> None:
    with server.client(scope=Scope.EDIT) as client:
        reply = client.get(f"/update_headers/{number}")
    assert reply.status_code == 404
    if reply.headers["content-type"] == "application/json":
        assert list(reply.json()) == ["error"]
        assert (reply.headers["Cache-Control"], reply.headers["Expired"]) == ("no-cache", "-1")
    else:
        assert "%2f" in number


@pytest.mark.parametrize("wait", ["-1", "nan", "inf", "x", ""])
def test_an_impossible_wait_is_refused(server: Running, shared_file: str, wait: str) -> None:
    reply = server.post([{"filename": shared_file, "values": {}}])
    with server.client(scope=Scope.EDIT) as client:
        answer = client.get(f"{reply.headers['Location']}?wait={wait}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("wait: ")


def test_a_key_brings_the_stored_reply_and_no_new_work(server: Running, a_file: Maker) -> None:
    name, key = a_file(), {"Idempotency-Key": str(uuid4())}
    request = [{"filename": name, "values": {"generic": {"HISTORY": "once"}}}, {"values": 5}]
    first = server.post(request, **key)
    server.status(first)
    second = server.post(request, **key)
    assert (second.status_code, second.content) == (200, first.content)
    assert second.headers["Armillary-Request"] == first.headers["Armillary-Request"]
    ids = server.sql(
        "SELECT id FROM work_order WHERE request_id::text = $1", first.headers["Armillary-Request"]
    )
    assert len(ids) == 1
    other = server.post([*request, {"values": 6}], **key)
    assert other.status_code == 409
    (element,) = other.json()
    assert (list(element), element["result"]) == (["result", "error"], False)


def test_a_key_belongs_to_its_credential(server: Running, shared_file: str) -> None:
    key = str(uuid4())
    mine = server.post([{"filename": shared_file, "values": {}}], **{"Idempotency-Key": key})
    with server.client(scope=Scope.ADMIN, headers={"Idempotency-Key": key}) as client:
        theirs = client.post("/update_headers", json=[{"filename": "other.fits", "values": {}}])
    assert theirs.status_code == 200
    assert theirs.headers["Armillary-Request"] != mine.headers["Armillary-Request"]


@pytest.mark.parametrize("key", ["", "x" * 201, "\xe9"])
def test_a_key_is_printable_and_short(server: Running, key: str) -> None:
    reply = server.post([], **{"Idempotency-Key": key.encode("latin-1")})  # type: ignore[arg-type]
    assert reply.status_code == 400
    assert len(reply.json()) == 1


def test_the_same_key_at_once_makes_one_request(server: Running, a_file: Maker) -> None:
    name, key = a_file(), {"Idempotency-Key": str(uuid4())}
    request = [{"filename": name, "values": {"generic": {"COMMENT": "once"}}}]
    server.secret(Scope.EDIT)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: server.post(request, **key), range(8)))
    assert {reply.status_code for reply in replies} == {200}
    (number,) = {reply.headers["Armillary-Request"] for reply in replies}
    assert len(server.sql("SELECT id FROM work_order WHERE request_id::text = $1", number)) == 1


def test_the_requests_of_fixhead_work_unchanged(server: Running, a_file: Maker) -> None:
    name = a_file(RAWIQ="Any", RAWCC="Any")
    cookie = {"Cookie": f"{COOKIE}={server.secret(Scope.EDIT)}"}
    values = {"raw_site": ["iqany", "cc50"], "qa_state": "Usable", "generic": [["OBJECT", "M 2"]]}
    body = {"request": [{"filename": name, "values": values, "reject_new": True}], "batch": False}
    with server.client() as client:
        # As requests does it: a cookie, JSON, and a Content-Type that nobody looks at.
        reply = client.post("/update_headers", json=body, headers=cookie)
        assert reply.content == f'[{{"result": true, "id": "{name}"}}]'.encode()
        body["request"][0]["values"] = {"generic": [["OBJCET", "M 2"]]}  # type: ignore[index]
        reply = client.post("/update_headers", json=body, headers=cookie)
        error = "Some of the keywords don't exist in the file: OBJCET"
        assert reply.content == f'[{{"result": false, "error": "{error}", "id": "{name}"}}]'.encode()
        assert client.post("/update_headers", json=body).status_code == 403


def test_the_requests_of_the_odb_work_unchanged(server: Running, a_file: Maker) -> None:
    name = a_file(DATALAB="GS-2023A-Q-136-121-002")
    body = b'[{"data_label":"GS-2023A-Q-136-121-002","values":{"qa_state":"Pass"}}]'
    cookie = f"{COOKIE}={server.secret(Scope.EDIT)}"
    with server.client() as client:
        headers = {"Cookie": cookie, "Content-Type": "application/json; charset=UTF-8", "Accept": "*/*"}
        reply = client.post("/update_headers", content=body, headers=headers)
    assert reply.content == b'[{"result": true, "id": "GS-2023A-Q-136-121-002"}]'
    (item,) = server.status(reply)["items"]
    assert (item["file"], item["id"], item["state"]) == (name, "GS-2023A-Q-136-121-002", "completed")


def test_quick_updates_of_one_file_land_in_the_order_of_acceptance(server: Running, a_file: Maker) -> None:
    name = a_file()
    replies = [
        server.post(
            [{"filename": name, "values": {"generic": {"COUNT": n}}} for n in range(start, start + 20)]
        )
        for start in range(0, 100, 20)
    ]
    items = [item for reply in replies for item in server.status(reply)["items"]]
    pairs = [(change["old"], change["new"]) for item in items for change in item["changes"]]
    assert pairs == [(n - 1 if n else None, n) for n in range(100)]
