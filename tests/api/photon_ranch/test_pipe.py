"""Queues and statuses as the observatory's client, the worker and monitors know them: bodies, texts, statuses."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest

from armillary.access.models import Scope
from tests.support.patience import in_time
from tests.support.running import PATIENCE_S, Running

PAYLOAD = (
    '{"request" : "reduce",\t"request_content": ["sq001-qs60007-20260201-00000017-EX00.fits,.fz"], "x": 1.50}'
)
_numbers = iter(range(10**6))


@pytest.fixture
def name() -> str:
    return f"sq{next(_numbers):04d}"


@pytest.fixture
def client(server: Running) -> Iterator[httpx.Client]:
    with server.client(scope=Scope.PIPE) as one:
        yield one


def enqueue(client: httpx.Client, name: str, payload: str = "{}", **more: Any) -> httpx.Response:
    """Send an item as the observatory's client does: JSON without Content-Type."""
    body = {"queue_name": name, "sender": name, **more}
    text = json.dumps(body)[:-1] + f', "payload": {payload}}}'
    return client.post("/pipe/enqueue", content=text.encode())


def make(client: httpx.Client, name: str) -> None:
    assert client.post("/pipe/queue", content=json.dumps({"queue_name": name})).status_code == 200


@pytest.mark.parametrize("prefix", ["", "/api", "/dev", "//"])
def test_a_worker_and_an_observatory_meet_under_each_prefix(
    server: Running, client: httpx.Client, name: str, prefix: str
) -> None:
    prefix = server.url + prefix
    reply = client.post(f"{prefix}/pipe/queue/", content=json.dumps({"queue_name": name}))
    assert (reply.status_code, reply.json()) == (200, {"message": f"Queue created: {name}"})
    reply = client.post(f"{prefix}//pipe/queue", content=json.dumps({"queue_name": name}))
    assert (reply.status_code, reply.text) == (409, f"Queue already exists: {name}")
    reply = client.post(f"{prefix}/pipe/queue/{name}/dequeue")
    assert (reply.status_code, reply.text) == (404, f"Queue is empty: {name}")

    body = {"queue_name": name, "sender": name}
    text = json.dumps(body)[:-1] + f', "payload": {PAYLOAD}}}'
    before = int(time.time() * 1000)
    stored = client.post(f"{prefix}/pipe/enqueue", content=text)
    assert stored.status_code == 200
    item = stored.json()
    assert list(item) == ["id", "queue_name", "payload", "created_at", "sender"]
    assert re.fullmatch(rf"{item['created_at']}_[0-9a-f]{{8}}", item["id"])
    assert before - 1 <= item["created_at"] <= time.time() * 1000
    assert (item["queue_name"], item["sender"]) == (name, name)
    assert PAYLOAD in stored.text

    assert client.get(f"{prefix}/pipe/queue/{name}").text == f"[{stored.text}]"
    assert client.get(f"{prefix}/pipe/queues").json()[name] == 1
    taken = client.post(f"{prefix}/pipe/queue/{name}/dequeue/")
    assert (taken.status_code, taken.text) == (200, stored.text)
    assert client.get(f"{prefix}/pipe/queue/{name}").text == "[]"
    assert client.get(f"{prefix}/pipe/queues").json()[name] == 0
    reply = client.delete(f"{prefix}/pipe/queue/{name}")
    assert (reply.status_code, reply.json()) == (200, {"message": f"Queue deleted: {name}"})


def test_what_is_missing_is_told_in_the_texts_that_clients_know(client: httpx.Client, name: str) -> None:
    missing = f"Queue does not exist: {name}"
    for reply in (
        enqueue(client, name),
        enqueue(client, name),
        client.post(f"/pipe/queue/{name}/dequeue"),
        client.get(f"/pipe/queue/{name}"),
        client.delete(f"/pipe/queue/{name}"),
    ):
        assert (reply.status_code, reply.text) == (404, missing)
    for body in (b"", b"{", b"null and", b"{}", b'{"queue_name": ""}', b'{"queue_name": null}'):
        for path in ("/pipe/queue", "/pipe/enqueue"):
            reply = client.post(path, content=body)
            assert (reply.status_code, reply.text) == (400, "Missing required field: queue_name"), body
    # A queue that is made is there at once for the process that made it.
    make(client, name)
    assert enqueue(client, name).status_code == 200


def test_defaults_and_the_query_string(client: httpx.Client, name: str) -> None:
    assert client.post("/pipe/queue", params={"queue_name": name}).status_code == 200
    item = client.post("/pipe/enqueue", params={"queue_name": name}).json()
    assert (item["payload"], item["sender"]) == ({}, "unknown")
    item = client.post("/pipe/enqueue", params={"queue_name": name, "payload": '{"a": [1]}'}).json()
    assert item["payload"] == {"a": [1]}
    item = client.post("/pipe/enqueue", params={"queue_name": name, "payload": "plain, text"}).json()
    assert item["payload"] == "plain, text"
    assert enqueue(client, "another", sender=5, queue_name=name).json()["sender"] == "5"


@pytest.mark.parametrize(
    "payload",
    [
        "null",
        "0",
        "-0.0",
        '"text, with a comma"',
        "[]",
        '[1, [2, {"a": null}], "ü", "\\u00fc", "\\u0000", 1e-300, 123456789012345678901234567890]',
        '{"b": 1, "a": 2, "b": 3}',
        '{"":{"": [ ] }}',
    ],
)
def test_payloads_come_back_as_they_were_written(client: httpx.Client, name: str, payload: str) -> None:
    make(client, name)
    assert f'"payload":{payload},' in enqueue(client, name, payload).text
    assert f'"payload":{payload},' in client.post(f"/pipe/queue/{name}/dequeue").text


@pytest.mark.parametrize(
    "payload",
    ["NaN", "-Infinity", "[1, NaN]", "1e999", "1" + "0" * 400, '"\\ud800"', "[" * 5000 + "]" * 5000],
)
def test_what_is_no_json_for_others_is_never_stored(client: httpx.Client, name: str, payload: str) -> None:
    make(client, name)
    reply = enqueue(client, name, payload)
    assert reply.status_code == 400
    assert reply.text
    assert client.get("/pipe/queues").json()[name] == 0


@pytest.mark.parametrize(
    "name",
    [
        "a/b",
        "a//b",
        "a/",
        "/a",
        "x/dequeue",
        "dequeue",
        "%2F",
        "a?b#c",
        "ü ñ 星",
        "a" * 500,
        "'; --",
        "a\\b",
        "👩‍🚀",
    ],
)
def test_names_hold_any_character_that_can_be_shown(client: httpx.Client, name: str) -> None:
    make(client, name)
    place = f"/pipe/queue/{quote(name, safe='')}"
    assert enqueue(client, name, "1").json()["queue_name"] == name
    assert client.get("/pipe/queues").json()[name] == 1
    assert len(client.get(place).json()) == 1
    assert client.post(f"{place}/dequeue").json()["queue_name"] == name
    assert client.post(f"{place}/dequeue").text == f"Queue is empty: {name}"
    assert client.delete(place).json() == {"message": f"Queue deleted: {name}"}


@pytest.mark.parametrize("given", ["a\x00b", "a\nb", "\ud800", "a" * 501, ["a"], {"a": 1}])
def test_other_names_are_refused(client: httpx.Client, given: object) -> None:
    for path in ("/pipe/queue", "/pipe/enqueue"):
        reply = client.post(path, content=json.dumps({"queue_name": given}))
        assert reply.status_code == 400, reply.text
        assert "queue_name" in reply.text


def test_paths_that_nobody_means_are_not_found(client: httpx.Client) -> None:
    for method, path in (
        ("GET", "/pipe/queue/%00"),
        ("DELETE", "/pipe/queue/a%00b"),
        ("POST", "/pipe/queue/%00/dequeue"),
        ("GET", "/pipe/status/%00"),
        ("GET", "/pipe/queue/%ff%fe"),
        ("POST", "/pipe/queue/" + "x" * 5000 + "/dequeue"),
    ):
        assert client.request(method, path).status_code == 404, path
    assert client.get("/pipe/queue").status_code == 405
    assert client.put("/pipe/enqueue").status_code == 405


def test_the_shorter_way_answers_like_the_longer_one(
    server: Running, client: httpx.Client, name: str
) -> None:
    """A path with an odd encoding goes through the framework, and means the same."""
    make(client, name)
    for number in range(2):
        enqueue(client, name, str(number))
    short = client.post(f"/pipe/queue/{name}/dequeue")
    long = client.post(f"/pipe/queu%65/{name}/dequeue")
    assert (short.json()["payload"], long.json()["payload"]) == (0, 1)
    varying = {"date", "x-request-id", "content-length"}
    told = [{k: v for k, v in one.headers.items() if k not in varying} for one in (short, long)]
    assert told[0] == told[1]
    assert told[0]["access-control-allow-origin"] == "*"
    for path in (f"/pipe/queue/{name}/dequeue", f"/pipe/queu%65/{name}/dequeue"):
        refused = httpx.post(
            server.url + path, headers={"Origin": "https://elsewhere.example"}, trust_env=False
        )
        assert (refused.status_code, refused.json()) == (401, {"message": "Unauthorized"})
        assert refused.headers["access-control-allow-origin"] == "*"


def test_numbers_are_names_as_text(client: httpx.Client) -> None:
    assert client.post("/pipe/queue", content='{"queue_name": 4711}').json() == {
        "message": "Queue created: 4711"
    }
    assert client.post("/pipe/enqueue", content='{"queue_name": 4711}').json()["queue_name"] == "4711"
    assert client.delete("/pipe/queue/4711").status_code == 200


def test_a_look_shows_ten_items_or_as_many_as_asked_for(client: httpx.Client, name: str) -> None:
    make(client, name)
    for number in range(12):
        enqueue(client, name, str(number))
    place = f"/pipe/queue/{name}"
    assert [one["payload"] for one in client.get(place).json()] == list(range(10))
    assert [one["payload"] for one in client.get(place, params={"limit": "3"}).json()] == [0, 1, 2]
    assert [one["payload"] for one in client.request("GET", place, content='{"limit": 2}').json()] == [0, 1]
    reply = client.get(place, params={"limit": 5000})
    assert (len(reply.json()), reply.headers["X-Armillary-Limit"]) == (12, "1000")
    for limit in ("0", "-1", "1.5", "x", "", "NaN", "1e999"):
        reply = client.get(place, params={"limit": limit})
        assert (reply.status_code, "limit" in reply.text) == (400, True), limit


def test_a_key_in_the_header_or_the_body_is_stored_once(client: httpx.Client, name: str) -> None:
    make(client, name)
    first = enqueue(client, name, "1", idempotency_key="k")
    again = client.post(
        "/pipe/enqueue", content=json.dumps({"queue_name": name}), headers={"Idempotency-Key": "k"}
    )
    assert (again.status_code, again.text) == (200, first.text)
    assert client.get("/pipe/queues").json()[name] == 1
    assert enqueue(client, name, "1", idempotency_key="x" * 201).status_code == 400
    assert enqueue(client, name, "1", idempotency_key="").status_code == 400


def test_what_is_too_large_is_refused(client: httpx.Client, name: str) -> None:
    make(client, name)
    reply = enqueue(client, name, json.dumps("x" * (1 << 20)))
    assert reply.status_code == 413


def test_statuses_of_machines(client: httpx.Client) -> None:
    reply = client.post(
        "/pipe/status", content='{"pipe_id": "pipe/1", "status": "busy", "details": {"a": 1}}'
    )
    assert reply.status_code == 200
    said = reply.json()
    assert list(said) == ["pipe_id", "status", "last_updated", "details"]
    assert said == {**said, "pipe_id": "pipe/1", "status": "busy", "details": {"a": 1}}
    assert abs(said["last_updated"] / 1000 - time.time()) < PATIENCE_S
    place = f"/pipe/status/{quote('pipe/1', safe='')}"
    assert client.get(place).json() == said
    replaced = client.post("/pipe/status", content='{"pipe_id": "pipe/1", "status": ["idle"]}').json()
    assert (replaced["status"], replaced["details"]) == (["idle"], {})
    assert client.get("/pipe/statuses").json() == [replaced]
    for bad in ('"\\ud800"', "1e999", "NaN"):
        reply = client.post("/pipe/status", content=f'{{"pipe_id": "p", "status": {bad}}}')
        assert reply.status_code == 400, bad
    reply = client.post("/pipe/status", content=json.dumps({"pipe_id": "p" * 501, "status": 1}))
    assert (reply.status_code, "pipe_id" in reply.text) == (400, True)
    seen = client.get("/v1/pipe/machines").json()["machines"][0]
    assert 0 <= seen["last_seen_age_s"] < PATIENCE_S
    for body in ("", "{}", '{"pipe_id": "p"}', '{"status": "s"}', '{"pipe_id": "", "status": "s"}'):
        reply = client.post("/pipe/status", content=body)
        assert (reply.status_code, reply.text) == (400, "Missing required fields: pipe_id and status")
    for _ in range(2):
        reply = client.delete(place)
        assert (reply.status_code, reply.json()) == (200, {"message": "Status deleted for PIPE: pipe/1"})
    reply = client.get(place)
    assert (reply.status_code, reply.text) == (404, "PIPE machine not found: pipe/1")
    assert client.get("/pipe/statuses").json() == []


def test_a_client_that_leaves_before_its_answer_loses_no_item(
    server: Running, client: httpx.Client, name: str
) -> None:
    """Hold the queue's table for a moment, let a client that waits for an item go, and count."""
    make(client, name)
    enqueue(client, name, "1")
    address = urlsplit(server.url)
    secret = server.secret(Scope.PIPE)
    holding, go = threading.Event(), threading.Event()

    def hold() -> None:
        async def action(context: Any) -> None:
            async with context.database.begin() as connection:
                await connection.exec_driver_sql("LOCK TABLE pipe_item IN ACCESS EXCLUSIVE MODE")
                holding.set()
                await asyncio.to_thread(go.wait, PATIENCE_S)

        server.act(action)

    holder = threading.Thread(target=hold)
    holder.start()
    assert holding.wait(PATIENCE_S)
    try:
        with socket.create_connection((address.hostname or "", address.port or 0)) as leaving:
            head = f"POST /pipe/queue/{name}/dequeue HTTP/1.1\r\nHost: x\r\nX-Api-Key: {secret}\r\n\r\n"
            leaving.sendall(head.encode())
            end = time.monotonic() + PATIENCE_S
            while not server.sql("SELECT 1 FROM pg_locks WHERE NOT granted"):
                in_time(end, "the request does not wait")
    finally:
        go.set()
        holder.join()
    end = time.monotonic() + PATIENCE_S
    while client.get("/pipe/queues").json()[name] != 1:
        in_time(end, "the item is lost")
        time.sleep(0.02)
