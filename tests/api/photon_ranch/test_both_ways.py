"""Items in and out get one answer whether a request is ordinary or not: one more header makes the difference."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from armillary.access.models import Scope
from tests.api.photon_ranch.test_pipe import make
from tests.support.running import Running

OTHER = {"X-Other": "1"}
"""A header that nobody knows; a request with it takes the way of all others."""
OWN = {"date", "x-request-id", "content-length"}
"""Headers that differ from answer to answer."""
_numbers = iter(range(10**6))
NAMES = {"queue_name": "NAME", "sender": "NAME"}


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[httpx.Client]:
    with server.client(scope=Scope.PIPE) as one:
        yield one


@pytest.fixture
def name() -> str:
    return f"bw{next(_numbers):04d}"


def told(reply: httpx.Response) -> tuple[int, dict[str, str], Any]:
    """Return what an answer says, without what is its own."""
    headers = {name: value for name, value in reply.headers.items() if name not in OWN}
    assert {"date", "x-request-id", "content-length"} <= reply.headers.keys()
    try:
        body = reply.json()
    except ValueError:
        body = reply.text
    if isinstance(body, dict):
        body |= {key: type(body[key]) for key in ("id", "created_at") if key in body}
    return reply.status_code, headers, body


def both(
    client: httpx.Client, path: str, body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], Any]:
    """Send a request twice, ordinary and not; return the answer that both get."""
    ordinary = told(client.post(path, content=body, headers=headers))
    assert told(client.post(path, content=body, headers=headers | OTHER)) == ordinary
    return ordinary


BODIES = [
    NAMES,
    NAMES | {"payload": {"request": "reduce", "x": 1.50, "é": "☃"}},
    NAMES | {"payload": None},
    NAMES | {"sender": None},
    NAMES | {"sender": ""},
    NAMES | {"more": 1},
    NAMES | {"idempotency_key": ""},
    {"queue_name": "NAME"},
    {"sender": "NAME"},
    {"queue_name": ""},
    {"queue_name": ["NAME"]},
    {"queue_name": "no such queue"},
    {"queue_name": "NAME", "sender": "a\nb"},
    {"queue_name": "NAME", "sender": "x" * 501},
    {"queue_name": "x" * 501},
    [],
]
TEXTS = [
    b"",
    b"{",
    b"null",
    b"\xff\xfe",
    b'{"queue_name": "NAME", "payload": NaN}',
    b'{"queue_name": "NAME", "payload": 1e999}',
    b'{"queue_name": "NAME", "payload": "\\ud800"}',
    b'{"queue_name": "NAME", "payload": {"a": 1, "a": 2}}',
    b'{"queue_name": "NAME", "payload": %s}' % (b"9" * 400),
    b'{"queue_name": "NAME", "payload": %s}' % (b"9" * 300),
    b'{"queue_name": "NAME", "payload": {"request": %s}}' % (b"9" * 401),
    b'{"queue_name": "NAME", "payload": %s%s}' % (b"[" * 5000, b"]" * 5000),
    b'{"queue_name": "NAME", "queue_name": "no such queue"}',
    b'{"queue_name": "NAME", "payload": "%s"}' % (b"x" * 20_000),
]


@pytest.mark.parametrize(
    "body", [json.dumps(one).encode() for one in BODIES] + TEXTS, ids=lambda body: body[:40]
)
def test_what_is_sent_is_stored_or_refused_alike(client: httpx.Client, name: str, body: bytes) -> None:
    make(client, name)
    status, _, found = both(client, "/api/pipe/enqueue", body.replace(b"NAME", name.encode()))
    shown = client.get(f"/pipe/queue/{name}").json()
    if status == 200:
        assert len(shown) == 2
        first, second = ({key: one[key] for key in one if key not in ("id", "created_at")} for one in shown)
        assert first == second
        assert found["queue_name"] == name
    else:
        assert shown == []


def test_what_is_taken_comes_in_order_whichever_way_it_is_asked_for(client: httpx.Client, name: str) -> None:
    make(client, name)
    for number in range(4):
        body = json.dumps({"queue_name": name, "payload": number}).encode()
        client.post("/pipe/enqueue", content=body, headers=OTHER if number % 2 else {})
    path = f"/pipe/queue/{name}/dequeue"
    found = [client.post(path, headers=OTHER if number % 2 else {}) for number in range(4)]
    assert [one.json()["payload"] for one in found] == list(range(4))
    assert told(found[0])[:2] == told(found[1])[:2]
    assert both(client, path)[0] == 404
    assert both(client, path, b"{}")[0] == 404
    assert both(client, "/pipe/queue/no such queue/dequeue")[0] == 404
    assert both(client, "/pipe/queue/nosuchqueue/dequeue")[0] == 404


def test_what_names_no_queue_takes_nothing(client: httpx.Client, name: str) -> None:
    make(client, name)
    make(client, "dequeue")
    client.post("/pipe/enqueue", content=b'{"queue_name": "dequeue"}')
    for path in ("/pipe/queue/dequeue", "/pipe/queue//dequeue"):
        assert both(client, path)[0] in (404, 405)
    assert len(client.get("/pipe/queue/dequeue").json()) == 1


def test_nobody_gets_in_by_either_way_who_may_not(server: Running, client: httpx.Client, name: str) -> None:
    make(client, name)
    body = json.dumps({"queue_name": name}).encode()
    with server.client() as nobody, server.client(scope=Scope.READ) as reader:
        for path, sent in (("/pipe/enqueue", body), (f"/pipe/queue/{name}/dequeue", b"")):
            assert both(nobody, path, sent)[0] == 401
            assert both(nobody, path, sent, **{"X-Api-Key": "arm_unknown"})[0] == 401
            # The first time a token is shown it is looked up, and remembered from then on.
            assert [both(reader, path, sent)[0] for _ in range(2)] == [403, 403]
            assert both(client, path, sent)[0] in (200, 404)
    assert len(client.get(f"/pipe/queue/{name}").json()) == 0
